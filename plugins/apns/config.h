// SPDX-License-Identifier: Apache-2.0
// The configuration section of an instance, and the key or certificate behind its secrets.
#pragma once

#include <belfry/services.hpp>
#include <string>
#include <string_view>

namespace apns {

// A device's environment is the low bit of its variant; the second bit says that the other one refused the token just
// now, and of a push to a channel that the channel stores nothing.
enum Variant : uint32_t { kProduction = 0, kSandbox = 1, kOnceMore = 2 };

struct Config {
    std::string key, key_id, team_id;               // key: id of the secret
    std::string certificate, certificate_password;  // ids of secrets
    std::string topic;
    bool production = true, sandbox = false;
    std::string endpoint = "https://api.push.apple.com";
    std::string sandbox_endpoint = "https://api.sandbox.push.apple.com";
    std::string broadcast_endpoint, channel_endpoint;
    int64_t server_error_retry_ms = 60'000;

    bool by_certificate() const { return !certificate.empty(); }
    bool both() const { return production && sandbox; }
};

// What connections and requests need, known once the secrets were read. Empty key: the certificate speaks for us.
struct Account {
    std::string key_pem;  // of provider tokens
    std::string topic;
    std::string partition;
    belfry::ClientIdentity certificate;
};

// Refused with CONFIG if something is missing or cannot be used.
Config read_config(const belfry::Services& services, std::string_view json);
Account read_account(const belfry::Services& services, const Config& config);

// "bearer " and a JWT of this moment.
std::string sign_provider_token(const belfry::Services& services, const Config& config, const std::string& key_pem);

}  // namespace apns
