// SPDX-License-Identifier: Apache-2.0
// The real webpush.so under the host's real services: driven call by call through its C table.
// Threads: used by one at a time.
#pragma once

#include <belfry/provider.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <belfry/abi.hpp>
#include <belfry/services.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "crypto/hash.h"
#include "fakes/service_host.h"

namespace belfry::fakes {

class MemoryClusterState final : public services::ClusterState {
public:
    Result<std::optional<services::StoredState>> get(std::string_view key) override {
        const auto found = values.find(std::string(key));
        if (found == values.end()) return std::optional<services::StoredState>();
        return std::optional(found->second);
    }
    Status cas(std::string_view key, int64_t version, std::optional<std::string_view> value) override {
        services::StoredState& stored = values[std::string(key)];
        if (stored.version != version) return error(ErrorCode::Conflict, "another version");
        stored = {std::string(value.value_or("")), version + 1};
        return {};
    }
    std::map<std::string, services::StoredState> values;
};

// A browser's key pair and secret, and the texts around them.
struct Browser {
    explicit Browser(const Services& services, std::string url = "https://fcm.googleapis.com/fcm/send/abc")
        : endpoint(std::move(url)), key(services.p256_key()), auth(16, '\0') {
        services.random(auth.data(), 16);
    }
    std::string subscription(const std::string& more = "") const {
        return R"({"endpoint":")" + json::escape(endpoint) + R"(","expirationTime":null,"keys":{"auth":")" +
               crypto::base64url(auth) + R"(","p256dh":")" + crypto::base64url(key.public_point) + "\"}" + more + "}";
    }
    std::string data() const { return crypto::base64url(key.public_point) + "." + crypto::base64url(auth); }
    std::string endpoint;
    P256Key key;
    std::string auth;
};

class WebPushBed {
public:
    struct Why {
        belfry_code code = BELFRY_OK;
        std::string where, text;
    };
    struct Token {
        std::string token, identity, data;
        uint32_t variant = 0;
    };
    struct Request {
        uint32_t first_item = 0, items = 0, variant = 0;
        std::string origin, path, body;
        std::map<std::string, std::string> headers;
    };
    struct Verdict {
        uint32_t item = 0;
        int32_t outcome = 0, scope = 0;
        uint32_t flags = 0, variant = 0;
        int64_t retry_after_ms = 0;
        std::string reason;
    };
    struct Answer {
        int32_t status = 201;
        std::string body;
        std::vector<std::pair<std::string, std::string>> headers = {};
        int64_t date_unix_ms = 0;
        std::string origin = "https://fcm.googleapis.com";
        uint32_t resent = 0;
    };

    // `config` is what follows the subject; `secrets` by id.
    explicit WebPushBed(const std::string& config = "", std::map<std::string, std::string> secrets = {},
                        MemoryClusterState* shared = nullptr)
        : host({"webpush", "webpush", "", 0,
                [secrets](std::string_view id) -> Result<std::string> {
                    const auto found = secrets.find(std::string(id));
                    if (found == secrets.end()) return error(ErrorCode::NotFound, "no such secret", std::string(id));
                    return found->second;
                },
                false}),
          services(host.abi()) {
        host.services.set_cluster_state(shared == nullptr ? &own_cluster : shared);
        start(R"({"subject":"mailto:ops@example.com")" + (config.empty() ? "" : "," + config) + "}");
    }
    ~WebPushBed() {
        if (prepared != nullptr) provider->release(instance, prepared);
        if (instance != nullptr) plugin().destroy(instance);
    }
    WebPushBed(const WebPushBed&) = delete;
    WebPushBed& operator=(const WebPushBed&) = delete;

    static const belfry_plugin& load(const belfry_host* host) {
        static void* library = ::dlopen(BELFRY_WEBPUSH_SO, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) throw std::runtime_error(::dlerror());
        using Main = const belfry_plugin* (*)(const belfry_host*);
        return *reinterpret_cast<Main>(::dlsym(library, BELFRY_ENTRY_SYMBOL))(host);
    }
    const belfry_plugin& plugin() const { return load(host.abi()); }

    // create and start; `why` says whether that worked.
    void start(const std::string& section) {
        if (instance != nullptr) plugin().destroy(instance);
        instance = nullptr;
        provider = nullptr;
        belfry_why reason{};
        why.code = plugin().create(host.abi(), str("webpush"), str(std::string_view(section)), &instance, &reason);
        if (why.code == BELFRY_OK) why.code = plugin().start(instance, 0, &reason);
        why.where = reason.where;
        why.text = reason.text;
        if (instance != nullptr)
            provider = static_cast<const belfry_provider*>(plugin().get_interface(instance, str(BELFRY_PROVIDER_ID)));
    }

    std::optional<Token> validate(const std::string& subscription) {
        auto asked = sized<belfry_token>();
        asked.platform = str("web");
        asked.token = str(std::string_view(subscription));
        std::optional<Token> out;
        belfry_why reason{};
        why.code = collect<belfry_token>(
            [&](auto emit, void* ctx) { return provider->validate(instance, &asked, emit, ctx, &reason); },
            [&](const belfry_token& row) {
                out = Token{text(row.token), text(row.identity), text(row.data), row.variant};
            });
        why.where = reason.where;
        why.text = reason.text;
        return out;
    }

    // How many plans were emitted.
    int prepare(const std::string& payload, uint32_t flags = 0, int32_t kind = BELFRY_CONTENT_TOKENS) {
        auto content = sized<belfry_content>();
        content.kind = kind;
        content.flags = flags;
        content.payload = str(std::string_view(payload));
        if (prepared != nullptr) provider->release(instance, prepared);
        prepared = nullptr;
        int plans = 0;
        belfry_why reason{};
        why.code = collect<belfry_plan>(
            [&](auto emit, void* ctx) { return provider->prepare(instance, &content, emit, ctx, &prepared, &reason); },
            [&](const belfry_plan&) { ++plans; });
        why.where = reason.where;
        why.text = reason.text;
        return plans;
    }

    struct Item {
        std::string token, data;
        uint32_t variant = 0;
        std::string_view payload;
        int64_t expires_unix_ms = 0;
    };
    struct Encoded {
        uint32_t length = 0;
        std::vector<Request> requests;
        std::vector<Verdict> refused;
    };
    Encoded encode(const std::vector<Item>& items, uint32_t buffer_bytes = 256 * 1024, uint32_t first = 0) {
        std::vector<belfry_item> rows;
        for (const Item& item : items) {
            auto row = sized<belfry_item>();
            row.index = first + static_cast<uint32_t>(rows.size());
            row.variant = item.variant;
            row.attempt = 1;
            row.token = str(std::string_view(item.token));
            row.data = str(std::string_view(item.data));
            row.payload = str(item.payload);
            row.expires_unix_ms = item.expires_unix_ms;
            rows.push_back(row);
        }
        std::string buffer(buffer_bytes, '\0');
        std::vector<belfry_request> room(items.size());
        auto outbox = sized<belfry_outbox>();
        outbox.stride = sizeof(belfry_request);
        outbox.cap = static_cast<uint32_t>(room.size());
        outbox.requests = room.data();
        outbox.buf = buffer.data();
        outbox.buf_cap = buffer_bytes;
        Encoded out;
        collect<belfry_verdict>(
            [&](auto emit, void* ctx) {
                out.length = provider->encode(instance, prepared, list_of(rows), &outbox, emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            [&](const belfry_verdict& v) { out.refused.push_back(copy(v)); });
        for (uint32_t i = 0; i < outbox.n; ++i) {
            const auto part = [&](belfry_span span) { return buffer.substr(span.at, span.n); };
            Request request{room[i].first_item,
                            room[i].items,
                            room[i].variant,
                            part(room[i].origin),
                            part(room[i].path),
                            part(room[i].body),
                            {}};
            std::string lines = part(room[i].headers);
            while (!lines.empty()) {
                const size_t end = lines.find('\n'), colon = lines.find(": ");
                request.headers[lines.substr(0, colon)] = lines.substr(colon + 2, end - colon - 2);
                lines.erase(0, end + 1);
            }
            out.requests.push_back(std::move(request));
        }
        return out;
    }
    // One message for one browser.
    Request one(const Browser& browser, std::string_view payload, int64_t expires_unix_ms = 0) {
        const auto token = validate(browser.subscription());
        EXPECT_TRUE(token) << why.where << ": " << why.text;
        if (!token) return {};
        const Encoded encoded = encode({{token->token, token->data, token->variant, payload, expires_unix_ms}});
        EXPECT_EQ(encoded.requests.size(), 1U) << (encoded.refused.empty() ? "" : encoded.refused[0].reason);
        return encoded.requests.empty() ? Request{} : encoded.requests[0];
    }

    Verdict decode(const Answer& answer) {
        auto row = sized<belfry_answer>();
        row.first_item = 5;
        row.items = 1;
        row.variant = 77;
        row.resent = answer.resent;
        row.status = answer.status;
        row.body = str(std::string_view(answer.body));
        row.origin = str(std::string_view(answer.origin));
        row.date_unix_ms = answer.date_unix_ms;
        std::vector<belfry_header> headers;
        for (const auto& [name, value] : answer.headers)
            headers.push_back({str(std::string_view(name)), str(std::string_view(value))});
        row.headers = list_of(headers);
        std::vector<Verdict> verdicts;
        collect<belfry_verdict>(
            [&](auto emit, void* ctx) {
                provider->decode(instance, one_row(row), emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            [&](const belfry_verdict& v) { verdicts.push_back(copy(v)); });
        EXPECT_EQ(verdicts.size(), 1U);
        if (verdicts.empty()) return {};
        EXPECT_EQ(verdicts[0].item, 5U);
        return verdicts[0];
    }

    MemoryClusterState own_cluster;
    TestHost host;
    Services services;
    Why why;
    belfry_instance* instance = nullptr;
    const belfry_provider* provider = nullptr;
    belfry_prepared* prepared = nullptr;

private:
    static Verdict copy(const belfry_verdict& v) {
        return {v.item, v.outcome, v.scope, v.flags, v.variant, v.retry_after_ms, text(v.reason)};
    }
};

}  // namespace belfry::fakes
