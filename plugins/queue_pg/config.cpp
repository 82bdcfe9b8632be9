// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/config.h"

namespace belfry::queue_pg {

Config parse_config(std::string_view json) {
    constexpr uint64_t kLeaseLeastS = 10;  // of a host that beats every 3 s
    constexpr uint64_t kDaysMax = 3650;
    constexpr uint64_t kBacklogMost = uint64_t{1} << 40;
    const pg::Settings settings(json);
    Config config;
    config.place = settings.place();
    settings.number("connections", 1, 64, config.connections);
    settings.number("write_connections", 1, 64, config.write_connections);
    config.strict = settings.word("progress_durability", {"fast", "strict"}, "fast") == "strict";
    settings.number("uid_window_hours", 1, kDaysMax * 24, config.uid_window_hours);
    settings.number("results_days", 1, kDaysMax, config.results_days);
    settings.number("dead_days", 1, kDaysMax, config.dead_days);
    settings.number("backlog_max", 1, kBacklogMost, config.backlog_max);
    settings.number("lease_s", kLeaseLeastS, 86400, config.lease_s);
    settings.refuse_others({"dsn", "password", "schema", "connections", "write_connections", "progress_durability",
                            "uid_window_hours", "results_days", "dead_days", "backlog_max", "lease_s"});
    if (config.results_days * 24 < config.uid_window_hours)
        throw Refused(BELFRY_CONFIG, "results_days", "must not be shorter than uid_window_hours");
    return config;
}

}  // namespace belfry::queue_pg
