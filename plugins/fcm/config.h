// SPDX-License-Identifier: Apache-2.0
// The configuration section of an instance, and the service account's key file behind its `credentials`.
#pragma once

#include <string>

#include "host.h"

namespace fcm {

struct Config {
    std::string credentials;  // id of the secret
    std::string project_id;   // empty: the key file's
    std::string endpoint = "https://fcm.googleapis.com";
    std::string token_endpoint;  // empty: the key file's token_uri
    std::string scope = "https://www.googleapis.com/auth/firebase.messaging";
};

struct ServiceAccount {
    std::string project_id, client_email, private_key, private_key_id;
    std::string token_uri = "https://oauth2.googleapis.com/token";
};

// CONFIG with `why` if a value cannot be used.
belfry_code read_config(const Host& host, std::string_view json, Config& out, belfry_why* why);
belfry_code read_service_account(const Host& host, std::string_view json, ServiceAccount& out, belfry_why* why);

// What every request needs, known once the key file was read.
struct Account {
    ServiceAccount key;
    std::string project_id, scope;
    std::string token_origin, token_path;  // of the token endpoint
};
belfry_code make_account(const Config& config, ServiceAccount key, Account& out, belfry_why* why);

}  // namespace fcm
