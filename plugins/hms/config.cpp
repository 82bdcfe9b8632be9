// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <belfry/config.hpp>

namespace hms {
namespace {

using belfry::misconfigured;
using belfry::Settings;

Generation read_generation(const std::string& name) {
    if (name == "v1") return Generation::V1;
    if (name == "v2") return Generation::V2;
    if (name == "v3") return Generation::V3;
    misconfigured("generation", "must be v1, v2 or v3");
}

// What the path names the app by.
std::string checked_id(const std::string& id, const std::string& where) {
    if (!belfry::is_word(id, "-_") || id.size() > 64)
        misconfigured(where, "\"" + id + "\" is no id of AppGallery Connect: digits");
    return id;
}

bool is_key_file(std::string_view secret) {
    return secret.front() == '{' || secret.find("-----BEGIN") != std::string_view::npos;
}

std::string path_of(const char* version, const std::string& id) {
    return std::string("/") + version + "/" + id + "/messages:send";
}

}  // namespace

Config read_config(const belfry::Services& services, std::string_view text) {
    const Settings section = Settings::section(services, text);
    Config config;
    config.generation = read_generation(section.text("generation", "v1"));
    config.app_id = section.text("app_id");
    config.client_id = section.text("client_id", config.app_id);
    config.project_id = section.text("project_id");
    config.client_secret = section.secret_id("client_secret");
    config.service_account = section.secret_id("service_account");
    config.endpoint = belfry::https_origin(section.text("endpoint", kEndpoint), "endpoint");
    config.token_endpoint = belfry::split_https_url(section.text("token_endpoint", kTokenEndpoint), "token_endpoint");
    const bool v3 = config.generation == Generation::V3;
    if (!config.client_secret.empty() && !config.service_account.empty())
        misconfigured("service_account", "give either client_secret or service_account: only one can speak for us");
    if (v3 && config.service_account.empty())
        misconfigured("service_account", "missing: v3 knows only a service account's key file, {file = \"...\"}");
    if (config.client_secret.empty() && config.service_account.empty())
        misconfigured("client_secret",
                      "missing: AppGallery Connect, Project settings, App information; or give service_account");
    if (config.generation == Generation::V1 && config.app_id.empty())
        misconfigured("app_id", "missing: v1 names the app by it");
    if (config.by_oauth() && config.client_id.empty())
        misconfigured("client_id", "missing: the client_secret belongs to it");
    if (config.by_oauth() && config.generation == Generation::V2 && config.project_id.empty())
        misconfigured("project_id", "missing: v2 names the project by it");
    return config;
}

Account read_account(const belfry::Services& services, const Config& config) {
    Account account;
    std::string project_id = config.project_id;
    if (config.by_oauth()) {
        account.client_secret = services.secret(config.client_secret);
        if (account.client_secret.empty()) misconfigured("client_secret", "is empty");
        if (is_key_file(account.client_secret))
            misconfigured("client_secret",
                          "is a key file, no OAuth client's secret; a service account's goes into service_account");
    } else {
        const std::string text = services.secret(config.service_account);
        const Settings file = Settings::key_file(services, text, "service_account",
                                                 "create one for a service account in AppGallery Connect, API console");
        constexpr const char* kAgain = "download the key file of Huawei's service account again";
        account.sub_account = file.needed("sub_account", kAgain);
        account.key_id = file.needed("key_id", kAgain);
        account.private_key = file.needed("private_key", kAgain);
        if (project_id.empty()) project_id = file.text("project_id");
    }
    if (config.generation == Generation::V1) {
        account.path = path_of("v1", checked_id(config.app_id, "app_id"));
        return account;
    }
    if (project_id.empty()) misconfigured("project_id", "missing here and in the service account's key file");
    account.path = path_of(config.generation == Generation::V2 ? "v2" : "v3", checked_id(project_id, "project_id"));
    return account;
}

}  // namespace hms
