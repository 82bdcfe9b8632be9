// SPDX-License-Identifier: Apache-2.0
// Where the "$ref"s of a JSON Schema lead. Used inside this folder only. Threads: [any], pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace belfry::plugins {

// The schema that a "$ref" means, or `schema` itself. Throws unless it leads to another place of the same document.
const nlohmann::json& resolved(const nlohmann::json& root, const nlohmann::json& schema);

// Throws if some part of the schema comes back to itself without going deeper into the value: it could never be
// decided.
void require_end(const nlohmann::json& root);

}  // namespace belfry::plugins
