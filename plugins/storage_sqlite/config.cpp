// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/config.h"

#include <nlohmann/json.hpp>

#include "sqlite/failure.h"

namespace belfry::storage {

namespace {

void read_number(const nlohmann::json& json, const char* name, uint32_t least, uint32_t most, uint32_t* value) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    if (!found->is_number_unsigned() || *found < least || *found > most) {
        throw sqlite::Failure(BELFRY_CONFIG,
                              "must be a number from " + std::to_string(least) + " to " + std::to_string(most), name);
    }
    *value = *found;
}

}  // namespace

Config parse_config(std::string_view json) {
    const auto root = nlohmann::json::parse(json, nullptr, false);
    if (!root.is_object()) throw sqlite::Failure(BELFRY_CONFIG, "the configuration must be a JSON object");
    Config config;
    if (const auto path = root.find("path"); path != root.end()) {
        if (!path->is_string() || path->get_ref<const std::string&>().empty()) {
            throw sqlite::Failure(BELFRY_CONFIG, "must be the path of a file", "path");
        }
        config.path = *path;
    }
    read_number(root, "readers", 1, 64, &config.readers);
    read_number(root, "cache_mib", 2, 1024, &config.cache_mib);
    return config;
}

}  // namespace belfry::storage
