// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <belfry/config.hpp>

namespace fcm {
namespace {

using belfry::misconfigured;
using belfry::Settings;

// Ids and numbers of projects; anything else would change the request's path.
void check_project_id(const std::string& id) {
    if (!belfry::is_word(id, "-.:") || id != belfry::lower(id) || id.size() > 128)
        misconfigured("project_id", "\"" + id + "\" is not the id or number of a Google Cloud project");
}

}  // namespace

Config read_config(const belfry::Services& services, std::string_view text) {
    const Settings section = Settings::section(services, text);
    Config config;
    config.credentials = section.secret_id("credentials");
    if (config.credentials.empty())
        misconfigured("credentials", "missing: the service account's key file, {file = \"...\"}");
    config.project_id = section.text("project_id");
    if (!config.project_id.empty()) check_project_id(config.project_id);
    config.scope = section.text("scope", config.scope);
    config.endpoint = belfry::https_origin(section.text("endpoint", config.endpoint), "endpoint");
    config.token_endpoint = section.text("token_endpoint");
    return config;
}

Account read_account(const belfry::Services& services, const Config& config, std::string_view key_file) {
    constexpr const char *kGet = "create one in Firebase, Project settings, Service accounts",
                         *kAgain = "download the key file again";
    const Settings file = Settings::key_file(services, key_file, "credentials", kGet);
    if (const std::string type = file.text("type"); type != "service_account")
        misconfigured("credentials", "is no service account's key file (its type is \"" + type + "\"); " + kGet);
    Account account;
    account.client_email = file.needed("client_email", kAgain);
    account.private_key = file.needed("private_key", kAgain);
    account.private_key_id = file.text("private_key_id");
    account.scope = config.scope;
    account.project_id = config.project_id.empty() ? file.text("project_id") : config.project_id;
    check_project_id(account.project_id);
    account.token_uri = file.text("token_uri", account.token_uri);
    account.token_endpoint = config.token_endpoint.empty()
                                 ? belfry::split_https_url(account.token_uri, "credentials.token_uri")
                                 : belfry::split_https_url(config.token_endpoint, "token_endpoint");
    return account;
}

}  // namespace fcm
