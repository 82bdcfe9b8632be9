// SPDX-License-Identifier: Apache-2.0
// Reading a configuration to check it rather than to serve with it. Threads: [startup].
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/config.h"

namespace belfry::config {

// Everything that could be read, and what is wrong with the rest, one line each. Nothing: there is no such file, or it
// is no TOML. Not for serving.
std::optional<Config> load_and_list(const LoadArgs& args, std::vector<std::string>& findings);

}  // namespace belfry::config
