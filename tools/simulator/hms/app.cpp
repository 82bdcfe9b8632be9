// SPDX-License-Identifier: Apache-2.0
#include "hms/app.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "identity.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

// A form needs percent-encoding for every mark in it.
constexpr std::string_view kSecret = "sim+secret/=&%";

std::string key_file(const std::string& folder) {
    return folder + "/hms-service-account.json";
}
std::string secret_file(const std::string& folder) {
    return folder + "/hms-client-secret";
}

Json make_service_account() {
    return {{"project_id", "101653523863440882"},
            {"key_id", "5f3e9a1c7b2d4860a1b2c3d4e5f60718"},
            {"private_key", private_pem(make_rsa_key().get())},
            {"sub_account", "102583671"},
            {"auth_uri", "https://oauth-login.cloud.huawei.com/oauth2/v3/authorize"},
            {"token_uri", "https://oauth-login.cloud.huawei.com/oauth2/v3/token"}};
}

}  // namespace

HmsApp prepare_hms_app(const std::string& folder) {
    const std::string path = key_file(folder);
    if (!std::filesystem::exists(path)) write_private_file(path, make_service_account().dump(2) + '\n');
    if (!std::filesystem::exists(secret_file(folder))) write_private_file(secret_file(folder), std::string(kSecret));
    std::ifstream file(path, std::ios::binary);
    const Json json = Json::parse(file, nullptr, false);
    HmsApp app;
    app.app_id = "100000001";
    app.client_secret = kSecret;
    if (json.is_object()) {
        app.project_id = json.value("project_id", "");
        app.key_id = json.value("key_id", "");
        app.sub_account = json.value("sub_account", "");
        app.key = read_private_pem(json.value("private_key", ""));
    }
    if (app.key == nullptr) throw std::runtime_error(path + " is not a key file: delete it to get a new one");
    return app;
}

Json hms_facts(const HmsApp& app, const std::string& folder) {
    return {{"app_id", app.app_id},
            {"project_id", app.project_id},
            {"client_secret_file", secret_file(folder)},
            {"service_account", key_file(folder)}};
}

}  // namespace belfry::simulator
