// SPDX-License-Identifier: Apache-2.0
// The section [queue] as this plugin reads it; the manifest's schema says the same in JSON.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <string_view>

#include "pg/settings.h"

namespace belfry::queue_pg {

struct Config {
    pg::Place place;
    uint32_t connections = 4, write_connections = 4;
    bool strict = false;  // progress waits for the disk, too
    uint32_t uid_window_hours = 24;
    uint32_t results_days = 7;
    uint32_t dead_days = 30;
    uint64_t backlog_max = 1'000'000;
    uint32_t lease_s = 45;

    int64_t lease_ms() const { return int64_t{lease_s} * 1000; }
};

// Throws Refused: CONFIG, naming the field.
Config parse_config(std::string_view json);

}  // namespace belfry::queue_pg
