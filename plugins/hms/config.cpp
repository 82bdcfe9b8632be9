// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>

#include "answers/json.h"

namespace hms {
namespace {

using answers::Json;

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw belfry::Refused(BELFRY_CONFIG, where, what);
}

Generation read_generation(const std::string& name) {
    if (name.empty() || name == "v1") return Generation::V1;
    if (name == "v2") return Generation::V2;
    if (name == "v3") return Generation::V3;
    wrong("generation", "must be v1, v2 or v3");
}

// Ids become part of a path or form.
void check_id(const std::string& id, const std::string& where) {
    const auto allowed = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
    };
    const bool good = id.size() <= 64 && std::all_of(id.begin(), id.end(), allowed);
    if (!good) wrong(where, "\"" + id + "\" is no id of AppGallery Connect: digits");
}

void split_url(const std::string& url, std::string& origin, std::string& path) {
    constexpr std::string_view kScheme = "https://";
    const size_t slash = std::min(url.find('/', kScheme.size()), url.size());
    if (!url.starts_with(kScheme) || slash == kScheme.size())
        wrong("token_endpoint", "must be https://host[:port]/path");
    origin = url.substr(0, slash);
    path = slash == url.size() ? "/" : url.substr(slash);
}

void read_key_file(const belfry::Services& services, const Config& config, Account& account, std::string& project_id) {
    const std::string text = services.secret(config.service_account);
    const Json json = Json::of(services, text);
    if (json.find("").type != BELFRY_JSON_OBJECT) {
        wrong("service_account",
              "not the JSON key file of a service account: create one in AppGallery Connect, API console");
    }
    account.sub_account = json.string("sub_account");
    account.key_id = json.string("key_id");
    account.private_key = json.string("private_key");
    if (account.sub_account.empty()) wrong("service_account.sub_account", "missing in the key file: download it again");
    if (account.key_id.empty()) wrong("service_account.key_id", "missing in the key file: download it again");
    if (account.private_key.empty()) wrong("service_account.private_key", "missing in the key file: download it again");
    if (project_id.empty()) project_id = json.string("project_id");
    check_id(project_id, "service_account.project_id");
}

}  // namespace

Config read_config(const belfry::Services& services, std::string_view text) {
    services.json_check(text);
    const Json json{services, text};
    Config config;
    config.generation = read_generation(json.string("generation"));
    config.app_id = json.string("app_id");
    config.client_id = json.string("client_id");
    config.project_id = json.string("project_id");
    config.client_secret = json.string("client_secret.$secret");
    config.service_account = json.string("service_account.$secret");
    if (const std::string endpoint = json.string("endpoint"); !endpoint.empty()) config.endpoint = endpoint;
    std::string token_endpoint = json.string("token_endpoint");
    if (token_endpoint.empty()) token_endpoint = "https://oauth-login.cloud.huawei.com/oauth2/v3/token";
    split_url(token_endpoint, config.token_origin, config.token_path);
    check_id(config.app_id, "app_id");
    check_id(config.client_id, "client_id");
    check_id(config.project_id, "project_id");
    if (config.endpoint.ends_with('/')) config.endpoint.pop_back();
    if (!config.client_secret.empty() && !config.service_account.empty())
        wrong("service_account", "give either client_secret or service_account: only one of them can speak for us");
    const bool by_oauth = config.generation != Generation::V3 && !config.client_secret.empty();
    if (config.client_id.empty()) config.client_id = config.app_id;
    if (!by_oauth && config.service_account.empty()) {
        wrong(config.generation == Generation::V3 ? "service_account" : "client_secret",
              config.generation == Generation::V3
                  ? "missing: v3 knows only a service account's key file, {file = \"...\"}"
                  : "missing: AppGallery Connect, Project settings, App information; or give service_account");
    }
    if (config.generation == Generation::V1 && config.app_id.empty())
        wrong("app_id", "missing: v1 names the app by it");
    if (by_oauth && config.client_id.empty()) wrong("client_id", "missing: the client_secret belongs to it");
    if (by_oauth && config.generation == Generation::V2 && config.project_id.empty())
        wrong("project_id", "missing: v2 names the project by it");
    return config;
}

Account read_account(const belfry::Services& services, const Config& config) {
    Account account;
    std::string project_id = config.project_id;
    if (config.generation != Generation::V3 && !config.client_secret.empty()) {
        account.client_secret = services.secret(config.client_secret);
        if (account.client_secret.empty()) wrong("client_secret", "is empty");
    } else {
        read_key_file(services, config, account, project_id);
    }
    if (config.generation != Generation::V1 && project_id.empty())
        wrong("project_id", "missing here and in the service account's key file");
    const char* version = config.generation == Generation::V1   ? "v1"
                          : config.generation == Generation::V2 ? "v2"
                                                                : "v3";
    const std::string& id = config.generation == Generation::V1 ? config.app_id : project_id;
    account.path = std::string("/") + version + "/" + id + "/messages:send";
    return account;
}

}  // namespace hms
