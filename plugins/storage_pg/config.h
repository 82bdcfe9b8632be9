// SPDX-License-Identifier: Apache-2.0
// The section [storage] as this plugin reads it.
#pragma once

#include <belfry/services.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::storage_pg {

// A text, or the id under which the host keeps it.
struct Secret {
    std::string value;
    bool is_id = false;
    // In start.
    std::string read(const Services& services) const { return is_id ? services.secret(value) : value; }
};

struct Config {
    Secret dsn, password;
    std::string schema = "belfry";
    uint32_t read_connections = 4, write_connections = 4;
    std::vector<Secret> replicas;
    uint32_t max_lag_ms = 5000;
};

// Throws Refused: CONFIG, naming the field.
Config parse_config(std::string_view json);

}  // namespace belfry::storage_pg
