// SPDX-License-Identifier: Apache-2.0
// The real webpush.so under the host's real services. Threads: used by one at a time.
#pragma once

#include <belfry/services.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "crypto/hash.h"
#include "fakes/provider_instance.h"
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

// Two pairs that the plugin can tell apart by 12 bits, which random ones sometimes cannot be.
inline std::pair<P256Key, P256Key> two_keys(const Services& services) {
    const auto number = [&](const P256Key& key) {
        const auto digest = services.sha256(key.public_point);
        return (digest[2] & 15U) << 8 | digest[3];
    };
    std::pair<P256Key, P256Key> made{services.p256_key(), services.p256_key()};
    while (number(made.first) == number(made.second)) made.second = services.p256_key();
    return made;
}

// Secrets by id.
struct WebPushHost {
    WebPushHost(std::map<std::string, std::string> secrets, MemoryClusterState* shared)
        : host({"webpush", "webpush", "", 0,
                [secrets = std::move(secrets)](std::string_view id) -> Result<std::string> {
                    const auto found = secrets.find(std::string(id));
                    if (found == secrets.end()) return error(ErrorCode::NotFound, "no such secret", std::string(id));
                    return found->second;
                },
                false}),
          services(host.abi()) {
        host.services.set_cluster_state(shared == nullptr ? &own_cluster : shared);
    }
    MemoryClusterState own_cluster;
    TestHost host;
    Services services;
};

class WebPushBed : public WebPushHost, public ProviderInstance {
public:
    struct Answer {
        int32_t status = 201;
        std::string body;
        std::vector<std::pair<std::string, std::string>> headers = {};
        int64_t date_unix_ms = 0;
        std::string origin = "https://fcm.googleapis.com";
        uint32_t resent = 0;
        uint32_t variant = 77;
        bool cut = false;  // the body broke off
    };

    // `config` is what follows the subject.
    explicit WebPushBed(const std::string& config = "", std::map<std::string, std::string> secrets = {},
                        MemoryClusterState* shared = nullptr)
        : WebPushHost(std::move(secrets), shared),
          ProviderInstance(BELFRY_WEBPUSH_SO, "webpush", host.abi(),
                           R"({"subject":"mailto:ops@example.com")" + (config.empty() ? "" : "," + config) + "}") {}

    // How many plans were emitted.
    size_t prepare(const std::string& payload, uint32_t flags = 0, int32_t kind = BELFRY_CONTENT_TOKENS) {
        ProviderInstance::prepare(payload, "", kind, "", flags);
        return requests.size();
    }
    // One message for one browser.
    Written one(const Browser& browser, std::string_view payload, int64_t expires_unix_ms = 0) {
        const auto token = validate(browser.subscription());
        EXPECT_TRUE(token) << trouble.where << ": " << trouble.text;
        if (!token) return {};
        const Encoded encoded = encode({{token->token, token->data, token->variant, payload, expires_unix_ms}});
        EXPECT_EQ(encoded.requests.size(), 1U) << (encoded.refused.empty() ? "" : encoded.refused[0].reason);
        return encoded.requests.empty() ? Written{} : encoded.requests[0];
    }
    Verdict decode(const Answer& answer) {
        fakes::Answer given{answer.status, answer.body, "", answer.resent, answer.date_unix_ms, answer.variant};
        given.headers = answer.headers;
        given.origin = answer.origin;
        given.cut = answer.cut;
        const auto verdicts = ProviderInstance::decode(std::vector<fakes::Answer>{given}, 5);
        EXPECT_EQ(verdicts.size(), 1U);
        if (verdicts.empty()) return {};
        EXPECT_EQ(verdicts[0].item, 5U);
        return verdicts[0];
    }
};

}  // namespace belfry::fakes
