// SPDX-License-Identifier: Apache-2.0
// The configuration section of an instance, and the service account's key file behind its `credentials`.
#pragma once

#include <belfry/http.hpp>
#include <string>
#include <string_view>

namespace fcm {

struct Config {
    std::string credentials;  // id of the secret
    std::string project_id;   // empty: the key file's
    std::string endpoint = "https://fcm.googleapis.com";
    std::string token_endpoint;  // empty: the key file's token_uri
    std::string scope = "https://www.googleapis.com/auth/firebase.messaging";
};

// What tokens and requests need, known once the key file was read.
struct Account {
    std::string client_email, private_key, private_key_id, scope;
    std::string token_uri = "https://oauth2.googleapis.com/token";  // the assertion's audience, wherever it is sent
    belfry::HttpsUrl token_endpoint;
    std::string project_id;
};

// Refused with CONFIG if a value cannot be used.
Config read_config(const belfry::Services& services, std::string_view json);
Account read_account(const belfry::Services& services, const Config& config, std::string_view key_file);

}  // namespace fcm
