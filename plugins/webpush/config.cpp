// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>

#include "answers/json.h"

namespace webpush {
namespace {

using answers::Json;

// Chrome and most others, Firefox, Safari, Edge on Windows.
constexpr std::string_view kPushServices[] = {"fcm.googleapis.com", "updates.push.services.mozilla.com",
                                              "web.push.apple.com", "*.push.apple.com", "*.notify.windows.com"};

// Apple refuses every message for a subject with blanks, angle brackets or a host that does not exist, the others do
// not care: so the fault would show on iPhones only.
void check_subject(const std::string& subject) {
    const bool mail = subject.starts_with("mailto:"), web = subject.starts_with("https://");
    const size_t host = mail ? subject.find('@') + 1 : web ? 8 : 0;
    const std::string name = host == 0 ? "" : subject.substr(host, subject.find('/', host) - host);
    const size_t dot = name.find('.');
    const bool good = (!mail || host > 8) && dot != std::string::npos && dot > 0 && dot + 1 < name.size() &&
                      subject.find_first_of(" <>\"\\\t\r\n") == std::string::npos;
    if (good) return;
    throw belfry::Refused(BELFRY_CONFIG, "subject",
                          "must be mailto:name@host or https://host/..., with a real host and without blanks");
}

constexpr std::string_view kNobody[] = {"example.com", "example.net", "example.org", "example", "test",     "invalid",
                                        "localhost",   "local",       "internal",    "lan",     "home.arpa"};

void add_texts(const Json& json, std::string_view path, std::vector<std::string>& out) {
    json.each(json.find(path), [&](const belfry_json_entry& entry) { out.push_back(json.string(entry.value)); });
}

}  // namespace

bool names_nobody(std::string_view subject) {
    const size_t from = subject.starts_with("mailto:") ? subject.find('@') + 1 : subject.find("//") + 2;
    const std::string_view host = subject.substr(from, subject.find_first_of("/:?", from) - from);
    return std::any_of(std::begin(kNobody), std::end(kNobody), [&](std::string_view name) {
        return host == name || (host.ends_with(name) && host[host.size() - name.size() - 1] == '.');
    });
}

Config read_config(const belfry::Services& services, std::string_view text) {
    services.json_check(text);
    const Json json{services, text};
    Config config;
    config.subject = json.string("subject");
    check_subject(config.subject);
    config.private_key = json.string("vapid_private_key.$secret");
    config.public_key = json.string("vapid_public_key");
    json.each(json.find("vapid_previous_keys"), [&](const belfry_json_entry& entry) {
        config.previous_keys.push_back(json.at(entry.value).string("$secret"));
    });
    if (json.find("allowed_origins").type == BELFRY_JSON_ARRAY) {
        add_texts(json, "allowed_origins", config.allowed);
    } else {
        config.allowed.assign(std::begin(kPushServices), std::end(kPushServices));
    }
    add_texts(json, "extra_allowed_origins", config.allowed);
    config.private_networks = services.json_bool(text, "allow_private_networks").value_or(false);
    return config;
}

}  // namespace webpush
