// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

namespace belfry::config {

std::vector<std::string> admin_keys(const Config& config) {
    std::vector<std::string> keys;
    for (const ApiKey& key : config.admin.keys) keys.push_back(key.key.reveal());
    if (!keys.empty() || config.apps.size() != 1) return keys;
    for (const ApiKey& key : config.apps.front().keys) keys.push_back(key.key.reveal());
    return keys;
}

}  // namespace belfry::config
