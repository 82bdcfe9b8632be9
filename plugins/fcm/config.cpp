// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>

#include "answers/json.h"

namespace fcm {
namespace {

using answers::Json;

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw belfry::Refused(BELFRY_CONFIG, where, what);
}

// Ids and numbers of projects; anything else would change the request's path.
void check_project_id(const std::string& id) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
    };
    const bool good = !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), allowed);
    if (!good) wrong("project_id", "\"" + id + "\" is not the id or number of a Google Cloud project");
}

struct Url {
    std::string origin, path;
};
Url split_url(const std::string& url, const std::string& where) {
    constexpr std::string_view kScheme = "https://";
    const size_t slash = std::min(url.find('/', kScheme.size()), url.size());
    const bool good =
        url.starts_with(kScheme) && slash > kScheme.size() && url.find_first_of(" \t\r\n\"#?") == std::string::npos;
    if (!good) wrong(where, "must be https://host[:port]");
    return {url.substr(0, slash), slash == url.size() ? "/" : url.substr(slash)};
}

}  // namespace

Config read_config(const belfry::Services& services, std::string_view text) {
    services.json_check(text);
    const Json json{services, text};
    Config config;
    config.credentials = json.string("credentials.$secret");
    if (config.credentials.empty()) {
        wrong("credentials", "missing: the service account's key file, {file = \"...\"}");
    }
    config.project_id = json.string("project_id");
    config.token_endpoint = json.string("token_endpoint");
    if (const std::string scope = json.string("scope"); !scope.empty()) config.scope = scope;
    if (const std::string endpoint = json.string("endpoint"); !endpoint.empty()) config.endpoint = endpoint;
    const Url url = split_url(config.endpoint, "endpoint");
    if (url.path != "/") wrong("endpoint", "must be https://host[:port] without a path");
    config.endpoint = url.origin;
    if (!config.project_id.empty()) check_project_id(config.project_id);
    return config;
}

Account read_account(const belfry::Services& services, const Config& config, std::string_view key_file) {
    const Json json = Json::of(services, key_file);
    if (const std::string type = json.string("type"); type != "service_account") {
        wrong("credentials", "not the JSON key file of a service account (its type is \"" + type +
                                 "\"); create one in Firebase, Project settings, Service accounts");
    }
    Account account;
    account.client_email = json.string("client_email");
    account.private_key = json.string("private_key");
    account.private_key_id = json.string("private_key_id");
    account.scope = config.scope;
    account.project_id = config.project_id.empty() ? json.string("project_id") : config.project_id;
    if (account.client_email.empty()) wrong("credentials.client_email", "missing in the key file: download it again");
    if (account.private_key.empty()) wrong("credentials.private_key", "missing in the key file: download it again");
    check_project_id(account.project_id);
    if (const std::string uri = json.string("token_uri"); !uri.empty()) account.token_uri = uri;
    const Url url = config.token_endpoint.empty() ? split_url(account.token_uri, "credentials.token_uri")
                                                  : split_url(config.token_endpoint, "token_endpoint");
    account.token_origin = url.origin;
    account.token_path = url.path;
    return account;
}

}  // namespace fcm
