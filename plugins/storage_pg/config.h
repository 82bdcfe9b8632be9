// SPDX-License-Identifier: Apache-2.0
// The section [storage] as this plugin reads it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "pg/settings.h"

namespace belfry::storage_pg {

struct Config {
    pg::Place place;
    uint32_t read_connections = 4, write_connections = 4;
    std::vector<pg::Secret> replicas;
    uint32_t max_lag_ms = 5000;
};

// Throws Refused: CONFIG, naming the field.
Config parse_config(std::string_view json);

}  // namespace belfry::storage_pg
