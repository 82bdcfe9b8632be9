// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <belfry/provider.h>

namespace apns {
namespace {

using belfry::Refused;

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_CONFIG, where, what);
}

std::string hex_digest(const belfry::Services& services, std::string_view text) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    constexpr size_t kBytes = 8;  // enough to tell keys apart
    std::string hex;
    const auto digest = services.sha256(text);
    for (size_t i = 0; i < kBytes; ++i) {
        hex.push_back(kDigits[digest[i] >> 4]);
        hex.push_back(kDigits[digest[i] & 15U]);
    }
    return hex;
}

Account read_certificate(const belfry::Services& services, const Config& config) {
    const std::string bytes = services.secret(config.certificate);
    const std::string password =
        config.certificate_password.empty() ? std::string() : services.secret(config.certificate_password);
    Account account;
    try {
        account.certificate = services.client_identity(bytes, password);
    } catch (const Refused& refused) {
        wrong("certificate",
              std::string(refused.what()) + "; give a .p12 with the push certificate and its key, or both in PEM");
    }
    if (account.certificate.not_after_unix_ms <= services.unix_ms())
        wrong("certificate", "it has expired: make a new push certificate in Apple Developer");
    // A certificate's subject names the app it was made for.
    account.topic = config.topic.empty() ? account.certificate.subject_uid : config.topic;
    account.partition = "certificate/" + hex_digest(services, account.certificate.certificates_pem);
    return account;
}

}  // namespace

Config read_config(const belfry::Services& services, std::string_view text) {
    services.json_check(text);
    Config config;
    const auto take = [&](const char* name, std::string& into) {
        if (auto value = services.json_text(text, name); value && !value->empty()) into = std::move(*value);
    };
    take("key.$secret", config.key);
    take("key_id", config.key_id);
    take("team_id", config.team_id);
    take("certificate.$secret", config.certificate);
    take("certificate_password.$secret", config.certificate_password);
    take("topic", config.topic);
    take("endpoint", config.endpoint);
    take("sandbox_endpoint", config.sandbox_endpoint);
    std::string environment = "production";
    take("environment", environment);
    config.production = environment != "sandbox";
    config.sandbox = environment != "production";
    config.broadcast_endpoint =
        config.production ? "https://api-broadcast.push.apple.com" : "https://api-broadcast.sandbox.push.apple.com";
    take("broadcast_endpoint", config.broadcast_endpoint);
    config.channel_endpoint = config.production ? "https://api-manage-broadcast.push.apple.com:2196"
                                                : "https://api-manage-broadcast.sandbox.push.apple.com:2195";
    take("channel_endpoint", config.channel_endpoint);
    if (const auto seconds = services.json_int(text, "server_error_retry_s"))
        config.server_error_retry_ms = *seconds * 1000;
    if (config.key.empty() == config.certificate.empty()) {
        wrong("key", "give either key = {file = \"AuthKey_....p8\"} with key_id and team_id, or certificate");
    }
    if (!config.key.empty() && config.key_id.empty()) wrong("key_id", "missing: it stands in the key file's name");
    if (!config.key.empty() && config.team_id.empty()) {
        wrong("team_id", "missing: Apple Developer, Membership details");
    }
    return config;
}

Account read_account(const belfry::Services& services, const Config& config) {
    if (config.by_certificate()) return read_certificate(services, config);
    Account account;
    account.key_pem = services.secret(config.key);
    account.topic = config.topic;
    account.partition = config.team_id + "/" + config.key_id + "/" + hex_digest(services, account.key_pem);
    // An unusable key is said now, not with the first push.
    static_cast<void>(sign_provider_token(services, config, account.key_pem));
    return account;
}

std::string sign_provider_token(const belfry::Services& services, const Config& config, const std::string& key_pem) {
    const auto quoted = [&](std::string_view text) { return "\"" + services.json_escape(text) + "\""; };
    const std::string header = "{\"kid\":" + quoted(config.key_id) + "}";
    const std::string claims =
        "{\"iss\":" + quoted(config.team_id) + ",\"iat\":" + std::to_string(services.unix_ms() / 1000) + "}";
    try {
        return "bearer " + services.jwt_sign(BELFRY_JWT_ES256, key_pem, header, claims);
    } catch (const Refused& refused) {
        wrong("key", std::string(refused.what()) + "; is it the .p8 file of Apple Developer, Keys?");
    }
}

}  // namespace apns
