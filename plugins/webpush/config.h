// SPDX-License-Identifier: Apache-2.0
// The configuration section of an instance.
#pragma once

#include <belfry/services.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace webpush {

struct Config {
    std::string subject;                              // who runs this server: mailto: or https:
    std::string private_key;                          // id of the secret; empty: the cluster's
    std::string public_key;                           // base64url; empty: not checked
    std::vector<std::string> previous_keys;           // ids of secrets
    std::vector<std::string> allowed, extra_allowed;  // patterns
    bool private_networks = false;
};

// Whether a subject names a host that push services can only find made up: Apple's refuses its tokens then.
bool names_nobody(std::string_view subject);
// Refused with CONFIG if a value cannot be used.
Config read_config(const belfry::Services& services, std::string_view json);

}  // namespace webpush
