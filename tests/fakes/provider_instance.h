// SPDX-License-Identifier: Apache-2.0
// A real provider plugin under the host's real services: driven call by call, plans executed as the engine would.
// Threads: used by one at a time.
#pragma once

#include <belfry/provider.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <belfry/abi.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace belfry::fakes {

// The table of the plugin in `library`, which stays open as in the host.
inline const belfry_plugin& plugin_of(const char* library, const belfry_host* host) {
    void* opened = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) throw std::runtime_error(::dlerror());
    using Main = const belfry_plugin* (*)(const belfry_host*);
    return *reinterpret_cast<Main>(::dlsym(opened, BELFRY_ENTRY_SYMBOL))(host);
}

// What a part of a JWT means.
inline std::string decoded(std::string_view text) {
    std::string bytes;
    uint32_t bits = 0;
    int held = 0;
    for (const char c : text) {
        bits = bits << 6 |
               static_cast<uint32_t>(
                   std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_").find(c));
        held += 6;
        if (held >= 8) bytes.push_back(static_cast<char>(bits >> (held -= 8) & 255));
    }
    return bytes;
}

// Names the cases of a table after their member `name`.
template <class Case>
std::string case_name(const testing::TestParamInfo<Case>& at) {
    return at.param.name;
}

// One owned copy of a verdict.
struct Verdict {
    uint32_t item = 0;
    int32_t outcome = 0, scope = 0;
    uint32_t flags = 0;
    int64_t retry_after_ms = 0;
    std::string message_id, reason;
    uint32_t variant = 0;
    int64_t gone_unix_ms = 0;
};

struct Answer {
    int32_t status = 200;
    std::string body;
    std::string retry_after;
    uint32_t resent = 0;
    int64_t date_unix_ms = 0;
    uint32_t variant = 0;
    std::vector<std::string> tokens = {};  // of a request for several devices; none: one device, of a plan with a body
    std::vector<std::pair<std::string, std::string>> headers = {};  // beside retry_after
    std::string origin = {};                                        // that encode named
    bool cut = false;                                               // the body broke off
};

// What validate says of a token.
struct Token {
    std::string token, identity, data;
    uint32_t variant = 0, flags = 0;
};

// For encode, and what it wrote.
struct Item {
    std::string token, data;
    uint32_t variant = 0;
    std::string_view payload;
    int64_t expires_unix_ms = 0;
    uint32_t attempt = 1;
    int64_t started_unix_ms = 0;
};
struct Written {
    uint32_t first_item = 0, items = 0, variant = 0;
    std::string origin, path, body;
    std::map<std::string, std::string> headers;
};
struct Encoded {
    uint32_t length = 0;
    std::vector<Written> requests;
    std::vector<Verdict> refused;
};

// A plan as the engine would execute it.
struct Request {
    int32_t endpoint = -1, credential = -1;
    std::string method, path, body;
    std::vector<std::string> headers, keep;  // headers as "name: value"
    uint32_t variant = 0;
    uint32_t items_max = 1;
};

struct Trouble {
    belfry_code code = BELFRY_OK;
    std::string where, text;
    uint32_t retry_after_ms = 0;
};

// One instance of a provider plugin on any host.
class ProviderInstance {
public:
    // Creates and starts it; trouble says whether that worked.
    ProviderInstance(const char* library, std::string_view component, const belfry_host* host,
                     const std::string& config)
        : plugin_(plugin_of(library, host)), host_(host), component_(component) {
        start(config);
    }
    ~ProviderInstance() { destroy(); }
    ProviderInstance(const ProviderInstance&) = delete;
    ProviderInstance& operator=(const ProviderInstance&) = delete;

    // Another instance in place of this one.
    void start(const std::string& config) {
        destroy();
        belfry_why why{};
        trouble.code =
            plugin_.create(host_, str(std::string_view(component_)), str(std::string_view(config)), &instance_, &why);
        if (trouble.code == BELFRY_OK) trouble.code = plugin_.start(instance_, 0, &why);
        tell(why);
        if (instance_ == nullptr) return;
        provider_ = static_cast<const belfry_provider*>(plugin_.get_interface(instance_, str(BELFRY_PROVIDER_ID)));
    }

    const belfry_plugin& main() const { return plugin_; }
    const belfry_provider& provider() const { return *provider_; }
    belfry_instance* instance() const { return instance_; }

    // Nothing if it is refused (see trouble).
    std::optional<Token> validate(const std::string& token, std::string_view platform = "android") {
        auto asked = sized<belfry_token>();
        asked.platform = str(platform);
        asked.token = str(std::string_view(token));
        std::optional<Token> out;
        belfry_why why{};
        trouble.code = collect<belfry_token>(
            [&](auto emit, void* ctx) { return provider_->validate(instance_, &asked, emit, ctx, &why); },
            [&](const belfry_token& row) {
                out = Token{text(row.token), text(row.identity), text(row.data), row.variant, row.flags};
            });
        tell(why);
        return out;
    }

    // Prepares a push and gives the request for `token`; nothing if it is refused (see trouble) or no plan was emitted.
    std::optional<Request> prepare(std::string_view payload, std::string_view token = "ok-1",
                                   int32_t kind = BELFRY_CONTENT_TOKENS, std::string_view target = "",
                                   uint32_t flags = 0, int64_t expires_unix_ms = 0) {
        if (prepared_ != nullptr) provider_->release(instance_, prepared_);
        prepared_ = nullptr;
        auto content = sized<belfry_content>();
        content.kind = kind;
        content.flags = flags;
        content.payload = str(payload);
        content.target = str(target);
        content.expires_unix_ms = expires_unix_ms;
        requests.clear();
        belfry_why why{};
        trouble = {};
        trouble.code = collect<belfry_plan>(
            [&](auto emit, void* ctx) { return provider_->prepare(instance_, &content, emit, ctx, &prepared_, &why); },
            [&](const belfry_plan& plan) { requests.push_back(execute(plan, content, token)); });
        tell(why);
        return requests.empty() ? std::nullopt : std::optional<Request>(requests.front());
    }
    bool has_prepared() const { return prepared_ != nullptr; }
    const belfry_prepared* prepared() const { return prepared_; }

    // One call, as the host makes it; `first` is the number of the first item.
    Encoded encode(const std::vector<Item>& items, uint32_t buffer_bytes = 256 * 1024, uint32_t first = 0) {
        std::vector<belfry_item> rows;
        for (const Item& item : items) {
            auto row = sized<belfry_item>();
            row.index = first + static_cast<uint32_t>(rows.size());
            row.variant = item.variant;
            row.attempt = item.attempt;
            row.token = str(std::string_view(item.token));
            row.data = str(std::string_view(item.data));
            row.payload = str(item.payload);
            row.expires_unix_ms = item.expires_unix_ms;
            row.started_unix_ms = item.started_unix_ms;
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
                out.length = provider_->encode(instance_, prepared_, list_of(rows), &outbox, emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            [&](const belfry_verdict& row) { out.refused.push_back(owned(row)); });
        for (uint32_t i = 0; i < outbox.n; ++i) out.requests.push_back(written(room[i], buffer));
        return out;
    }

    std::vector<Verdict> decode(const std::vector<Answer>& answers, uint32_t first = 0) {
        std::vector<belfry_answer> rows;
        std::vector<std::vector<belfry_header>> headers(answers.size());
        std::vector<std::vector<belfry_str>> tokens(answers.size());
        const auto add = [&](size_t i, std::string_view name, const std::string& value) {
            headers[i].push_back({str(name), str(std::string_view(value))});
        };
        for (size_t i = 0; i < answers.size(); ++i) {
            auto row = sized<belfry_answer>();
            for (const std::string& token : answers[i].tokens) tokens[i].push_back(str(std::string_view(token)));
            row.tokens = list_of(tokens[i]);
            row.first_item = first;
            row.items = std::max(1U, row.tokens.n);
            first += row.items;
            row.status = answers[i].status;
            row.body = str(std::string_view(answers[i].body));
            row.origin = str(std::string_view(answers[i].origin));
            row.resent = answers[i].resent;
            row.flags = answers[i].cut ? uint32_t{BELFRY_ANSWER_CUT} : 0u;
            row.date_unix_ms = answers[i].date_unix_ms;
            row.prepared = prepared_;
            row.variant = answers[i].variant;
            if (!answers[i].retry_after.empty()) add(i, "retry-after", answers[i].retry_after);
            for (const auto& [name, value] : answers[i].headers) add(i, name, value);
            row.headers = list_of(headers[i]);
            rows.push_back(row);
        }
        std::vector<Verdict> verdicts;
        collect<belfry_verdict>(
            [&](auto emit, void* ctx) {
                provider_->decode(instance_, list_of(rows), emit, ctx);
                return belfry_code{BELFRY_OK};
            },
            [&](const belfry_verdict& row) { verdicts.push_back(owned(row)); });
        return verdicts;
    }
    Verdict decode(const Answer& answer) {
        const auto verdicts = decode(std::vector<Answer>{answer});
        EXPECT_EQ(verdicts.size(), 1U);
        return verdicts.empty() ? Verdict{} : verdicts[0];
    }

    // Channels as "id push_type 1"; nothing if it is refused (see trouble).
    std::optional<std::vector<std::string>> channels(int32_t verb, std::string_view id = "",
                                                     std::string_view topic = "", std::string_view push_type = "",
                                                     uint32_t flags = 0) {
        auto call = sized<belfry_channel_call>();
        call.verb = verb;
        call.flags = flags;
        call.topic = str(topic);
        call.id = str(id);
        call.push_type = str(push_type);
        call.deadline_mono_ns = 77;
        std::vector<std::string> found;
        belfry_why why{};
        trouble = {};
        trouble.code = collect<belfry_channel>(
            [&](auto emit, void* ctx) { return provider_->channels(instance_, &call, emit, ctx, &why); },
            [&](const belfry_channel& row) {
                found.push_back(text(row.id) + " " + text(row.push_type) + " " + std::to_string(row.flags));
            });
        trouble.where = why.where;
        trouble.text = why.text;
        trouble.retry_after_ms = why.retry_after_ms;
        if (trouble.code != BELFRY_OK) return std::nullopt;
        return found;
    }

    struct Credential {
        std::string value;
        int64_t valid_ms = 0, refresh_after_ms = 0, not_again_before_ms = 0;
    };
    // Asks for an access token; nothing if there is none (see trouble).
    std::optional<Credential> authorize(int64_t deadline_mono_ns = 1'000) {
        std::optional<Credential> credential;
        belfry_why why{};
        trouble = {};
        trouble.code = collect<belfry_credential>(
            [&](auto emit, void* ctx) { return provider_->authorize(instance_, 0, deadline_mono_ns, emit, ctx, &why); },
            [&](const belfry_credential& row) {
                credential = Credential{text(row.value), row.valid_ms, row.refresh_after_ms, row.not_again_before_ms};
            });
        tell(why);
        return credential;
    }

    Trouble trouble;
    std::vector<Request> requests;  // of the last prepare, one per plan

private:
    void destroy() {
        if (prepared_ != nullptr) provider_->release(instance_, prepared_);
        if (instance_ != nullptr) plugin_.destroy(instance_);
        prepared_ = nullptr;
        instance_ = nullptr;
        provider_ = nullptr;
    }
    void tell(const belfry_why& why) {
        trouble.where = why.where;
        trouble.text = why.text;
        trouble.retry_after_ms = why.retry_after_ms;
    }
    static Verdict owned(const belfry_verdict& row) {
        return {row.item,         row.outcome, row.scope,       row.flags, row.retry_after_ms, text(row.message_id),
                text(row.reason), row.variant, row.gone_unix_ms};
    }
    static Written written(const belfry_request& row, const std::string& buffer) {
        const auto part = [&](belfry_span span) { return buffer.substr(span.at, span.n); };
        Written out{row.first_item, row.items, row.variant, part(row.origin), part(row.path), part(row.body), {}};
        std::string lines = part(row.headers);
        while (!lines.empty()) {
            const size_t end = lines.find('\n'), colon = lines.find(": ");
            out.headers[lines.substr(0, colon)] = lines.substr(colon + 2, end - colon - 2);
            lines.erase(0, end + 1);
        }
        return out;
    }
    static std::string run(belfry_list pieces, const belfry_plan& plan, const belfry_content& content,
                           std::string_view token) {
        std::string out;
        for (const belfry_piece& piece : Rows<belfry_piece>(pieces)) {
            switch (piece.kind) {
                case BELFRY_PIECE_TEXT:
                    out += view(plan.text).substr(piece.from, piece.to - piece.from);
                    break;
                case BELFRY_PIECE_PAYLOAD:
                    out += view(content.payload).substr(piece.from, piece.to - piece.from);
                    break;
                case BELFRY_PIECE_PAYLOAD_STRING:
                    out += json::unescape(json::root(
                        "\"" + std::string(view(content.payload).substr(piece.from, piece.to - piece.from)) + "\""));
                    break;
                case BELFRY_PIECE_TOKEN_PATH:
                    out += token;
                    break;
                case BELFRY_PIECE_DELIVERY_ID:
                    out += "<delivery-id>";
                    break;
                case BELFRY_PIECE_EXPIRES_S:
                    out += std::to_string(content.expires_unix_ms / 1000);
                    break;
                case BELFRY_PIECE_TOKEN_JSON:
                    out += json::escape(token);
                    break;
                case BELFRY_PIECE_TTL_S:
                    out += "<ttl>";
                    break;
                case BELFRY_PIECE_TARGET_JSON:
                    out += json::escape(view(content.target));
                    break;
                default:
                    ADD_FAILURE() << "piece kind " << piece.kind;
                    break;
            }
        }
        return out;
    }
    static Request execute(const belfry_plan& plan, const belfry_content& content, std::string_view token) {
        Request request{plan.endpoint,
                        plan.credential,
                        text(plan.method),
                        run(plan.path, plan, content, token),
                        run(plan.body, plan, content, token),
                        {},
                        {},
                        plan.variant,
                        plan.items_max};
        for (const belfry_field& field : Rows<belfry_field>(plan.headers)) {
            request.headers.push_back(text(field.name) + ": " + run(field.value, plan, content, token));
        }
        for (const belfry_str& name : Rows<belfry_str>(plan.keep)) request.keep.push_back(text(name));
        return request;
    }

    const belfry_plugin& plugin_;
    const belfry_host* const host_;
    const std::string component_;
    belfry_instance* instance_ = nullptr;
    const belfry_provider* provider_ = nullptr;
    belfry_prepared* prepared_ = nullptr;
};

}  // namespace belfry::fakes
