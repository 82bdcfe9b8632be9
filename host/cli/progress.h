// SPDX-License-Identifier: Apache-2.0
// Follows a push until it is final. Used inside this folder only.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/client.h"

namespace belfry::cli {

// One status line for people: "running  1200 of 5000+  accepted 1190, gone 10  about 3 s left".
std::string summary_of(const nlohmann::json& status);

// Asks until the push is done, cancelled or expired; draws progress on a terminal. The last status.
Result<nlohmann::json> follow(Client& client, const std::string& uid, const World& world);

}  // namespace belfry::cli
