// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <algorithm>
#include <belfry/config.hpp>

namespace webpush {
namespace {

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
    belfry::misconfigured("subject",
                          "must be mailto:name@host or https://host/..., with a real host and without blanks");
}

constexpr std::string_view kNobody[] = {"example.com", "example.net", "example.org", "example", "test",     "invalid",
                                        "localhost",   "local",       "internal",    "lan",     "home.arpa"};

}  // namespace

bool names_nobody(std::string_view subject) {
    const size_t from = subject.starts_with("mailto:") ? subject.find('@') + 1 : subject.find("//") + 2;
    const std::string_view host = subject.substr(from, subject.find_first_of("/:?", from) - from);
    return std::any_of(std::begin(kNobody), std::end(kNobody), [&](std::string_view name) {
        return host == name || (host.ends_with(name) && host[host.size() - name.size() - 1] == '.');
    });
}

Config read_config(const belfry::Services& services, std::string_view text) {
    const auto section = belfry::Settings::section(services, text);
    Config config;
    config.subject = section.text("subject");
    check_subject(config.subject);
    config.private_key = section.secret_id("vapid_private_key");
    config.public_key = section.text("vapid_public_key");
    if (!config.public_key.empty() && config.private_key.empty())
        belfry::misconfigured("vapid_public_key", "give vapid_private_key, too: without it the cluster makes its own");
    if (!belfry::from_base64(config.public_key))
        belfry::misconfigured("vapid_public_key", "is no base64url of a public key");
    config.previous_keys = section.secret_ids("vapid_previous_keys");
    config.private_networks = section.flag("allow_private_networks");
    config.allowed.assign(std::begin(kPushServices), std::end(kPushServices));
    if (section.json().has("allowed_origins")) config.allowed = section.texts("allowed_origins");
    config.extra_allowed = section.texts("extra_allowed_origins");
    if (config.allowed.empty() && config.extra_allowed.empty())
        belfry::misconfigured("allowed_origins",
                              "is empty: no browser could be reached; leave it out for the known ones");
    return config;
}

}  // namespace webpush
