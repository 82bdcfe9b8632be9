// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/elsewhere.h"

#include <algorithm>
#include <filesystem>

namespace belfry::conformance {

std::string config_elsewhere(const Context& context) {
    const std::string directory = context.directory + "/restored";
    std::filesystem::create_directories(directory);
    std::string config = context.config;
    if (const size_t at = config.find(context.directory); at != std::string::npos)
        return config.replace(at, context.directory.size(), directory);
    // A store beyond the file system carries the case's name.
    std::string name = std::filesystem::path(context.directory).filename().string();
    std::replace(name.begin(), name.end(), '-', '_');
    const size_t at = config.find(name);
    if (at == std::string::npos) skip("the configuration says neither {dir} nor {name}: there is no second place");
    return config.insert(at + name.size(), "_elsewhere");
}

}  // namespace belfry::conformance
