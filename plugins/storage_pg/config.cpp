// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/config.h"

namespace belfry::storage_pg {

Config parse_config(std::string_view json) {
    const pg::Settings settings(json);
    Config config;
    config.place = settings.place();
    settings.number("read_connections", 1, 64, config.read_connections);
    settings.number("write_connections", 1, 64, config.write_connections);
    settings.number("max_lag_ms", 100, 600000, config.max_lag_ms);
    config.replicas = settings.secrets("replicas");
    return config;
}

}  // namespace belfry::storage_pg
