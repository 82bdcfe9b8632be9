// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <belfry/config.hpp>

namespace apns {
namespace {

using belfry::misconfigured;
using belfry::Settings;

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
    account.certificate =
        belfry::with_credential("certificate", "give a .p12 with the push certificate and its key, or both in PEM",
                                [&] { return services.client_identity(bytes, password); });
    if (account.certificate.not_after_unix_ms <= services.unix_ms())
        misconfigured("certificate", "it has expired: make a new push certificate in Apple Developer");
    // A certificate's subject names the app it was made for.
    account.topic = config.topic.empty() ? account.certificate.subject_uid : config.topic;
    account.partition = "certificate/" + hex_digest(services, account.certificate.certificates_pem);
    return account;
}

}  // namespace

Config read_config(const belfry::Services& services, std::string_view text) {
    const Settings section = Settings::section(services, text);
    Config config;
    config.key = section.secret_id("key");
    config.key_id = section.text("key_id");
    config.team_id = section.text("team_id");
    config.certificate = section.secret_id("certificate");
    config.certificate_password = section.secret_id("certificate_password");
    config.topic = section.text("topic");
    config.endpoint = section.text("endpoint", config.endpoint);
    config.sandbox_endpoint = section.text("sandbox_endpoint", config.sandbox_endpoint);
    const std::string environment = section.text("environment", "production");
    config.production = environment != "sandbox";
    config.sandbox = environment != "production";
    config.broadcast_endpoint =
        section.text("broadcast_endpoint", config.production ? "https://api-broadcast.push.apple.com"
                                                             : "https://api-broadcast.sandbox.push.apple.com");
    config.channel_endpoint = section.text(
        "channel_endpoint", config.production ? "https://api-manage-broadcast.push.apple.com:2196"
                                              : "https://api-manage-broadcast.sandbox.push.apple.com:2195");
    config.server_error_retry_ms = section.number("server_error_retry_s", config.server_error_retry_ms / 1000) * 1000;
    if (config.key.empty() == config.certificate.empty())
        misconfigured("key", "give either key = {file = \"AuthKey_....p8\"} with key_id and team_id, or certificate");
    if (!config.key.empty() && config.key_id.empty())
        misconfigured("key_id", "missing: it stands in the key file's name");
    if (!config.key.empty() && config.team_id.empty())
        misconfigured("team_id", "missing: Apple Developer, Membership details");
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
    using belfry::JsonObject;
    const std::string header = JsonObject(services).text("kid", config.key_id).str();
    const std::string claims =
        JsonObject(services).text("iss", config.team_id).number("iat", services.unix_ms() / 1000).str();
    return "bearer " + belfry::with_credential("key", "is it the .p8 file of Apple Developer, Keys?", [&] {
               return services.jwt_sign(BELFRY_JWT_ES256, key_pem, header, claims);
           });
}

}  // namespace apns
