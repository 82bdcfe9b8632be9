// SPDX-License-Identifier: Apache-2.0
// The configuration section of an instance, and the secret or key file behind its credentials.
#pragma once

#include <belfry/http.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace hms {

// Of the send API. V1 and V2 differ in how they name the app; V3 has tokens, bodies and credentials of its own.
enum class Generation : uint8_t { V1, V2, V3 };

// A device keeps as its variant which tokens it has: those of one kind are no tokens for the other. The second bit asks
// for a request of its own, after Huawei refused to take several devices at once; see strikes.h for those above.
enum Variant : uint32_t { kClassic = 0, kHarmony = 1, kSingly = 2 };

inline constexpr std::string_view kEndpoint = "https://push-api.cloud.huawei.com";
inline constexpr std::string_view kTokenEndpoint = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";

struct Config {
    Generation generation = Generation::V1;
    std::string app_id, client_id, project_id;
    std::string client_secret, service_account;  // ids of secrets
    std::string endpoint;
    belfry::HttpsUrl token_endpoint;

    bool by_oauth() const { return generation != Generation::V3 && !client_secret.empty(); }
    uint32_t variant() const { return generation == Generation::V3 ? kHarmony : kClassic; }
};

// What credentials and requests need, known once the secrets were read.
struct Account {
    std::string path;           // of messages:send
    std::string client_secret;  // OAuth; empty: the service account signs tokens itself
    std::string sub_account, key_id, private_key;
    bool signs() const { return client_secret.empty(); }
};

// Refused with CONFIG if something is missing or cannot be used.
Config read_config(const belfry::Services& services, std::string_view json);
Account read_account(const belfry::Services& services, const Config& config);

}  // namespace hms
