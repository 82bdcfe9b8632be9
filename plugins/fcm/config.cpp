// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>

namespace fcm {
namespace {

// Ids and numbers of projects; anything else would change the request's path.
bool is_project_id(std::string_view id) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':';
    };
    return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), allowed);
}

// "https://host[:port]/path" in two; an empty path becomes "/".
bool split_url(std::string_view url, std::string& origin, std::string& path) {
    constexpr std::string_view kScheme = "https://";
    if (url.substr(0, kScheme.size()) != kScheme) return false;
    const size_t slash = std::min(url.find('/', kScheme.size()), url.size());
    origin = url.substr(0, slash);
    path = slash == url.size() ? "/" : std::string(url.substr(slash));
    return origin.size() > kScheme.size() && url.find_first_of(" \t\r\n\"#?") == std::string_view::npos;
}

}  // namespace

belfry_code read_config(const Host& host, std::string_view text, Config& out, belfry_why* why) {
    const Json json{host, text};
    if (!json.check(why)) return BELFRY_BAD_REQUEST;
    out.credentials = json.string("credentials.$secret");
    if (out.credentials.empty()) {
        return because(why, BELFRY_CONFIG, "credentials", "missing: the service account's key file, {file = \"...\"}");
    }
    out.project_id = json.string("project_id");
    out.token_endpoint = json.string("token_endpoint");
    if (const std::string scope = json.string("scope"); !scope.empty()) out.scope = scope;
    if (const std::string endpoint = json.string("endpoint"); !endpoint.empty()) out.endpoint = endpoint;
    std::string path;
    if (!split_url(out.endpoint, out.endpoint, path) || path != "/") {
        return because(why, BELFRY_CONFIG, "endpoint", "must be https://host[:port] without a path");
    }
    if (!out.project_id.empty() && !is_project_id(out.project_id)) {
        return because(why, BELFRY_CONFIG, "project_id", "not the id or number of a Google Cloud project");
    }
    return BELFRY_OK;
}

belfry_code read_service_account(const Host& host, std::string_view text, ServiceAccount& out, belfry_why* why) {
    const Json json{host, text};
    if (!json.check(why) || json.find("").type != BELFRY_JSON_OBJECT) {
        return because(why, BELFRY_CONFIG, "credentials", "not a JSON key file of a service account");
    }
    const std::string type = json.string("type");
    if (type != "service_account") {
        return because(why, BELFRY_CONFIG, "credentials",
                       "not a service account's key: its type is \"" + type + "\"; create one in Firebase, Project " +
                           "settings, Service accounts");
    }
    out.project_id = json.string("project_id");
    out.client_email = json.string("client_email");
    out.private_key = json.string("private_key");
    out.private_key_id = json.string("private_key_id");
    if (const std::string uri = json.string("token_uri"); !uri.empty()) out.token_uri = uri;
    if (out.client_email.empty() || out.private_key.empty()) {
        return because(why, BELFRY_CONFIG,
                       out.client_email.empty() ? "credentials.client_email" : "credentials.private_key",
                       "missing in the key file: download it again");
    }
    return BELFRY_OK;
}

belfry_code make_account(const Config& config, ServiceAccount key, Account& out, belfry_why* why) {
    out.key = std::move(key);
    out.project_id = config.project_id.empty() ? out.key.project_id : config.project_id;
    out.scope = config.scope;
    if (!is_project_id(out.project_id)) {
        return because(why, BELFRY_CONFIG, "project_id", "neither configured nor usable in the key file");
    }
    const bool overridden = !config.token_endpoint.empty();
    if (!split_url(overridden ? config.token_endpoint : out.key.token_uri, out.token_origin, out.token_path)) {
        return because(why, BELFRY_CONFIG, overridden ? "token_endpoint" : "credentials.token_uri",
                       "must be an https:// URL");
    }
    return BELFRY_OK;
}

}  // namespace fcm
