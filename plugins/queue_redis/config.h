// SPDX-License-Identifier: Apache-2.0
// The section [queue] as this plugin reads it; the manifest's schema says the same in JSON.
//
// Threads: values.
#pragma once

#include <belfry/services.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "redis/transport.h"

namespace belfry::queue_redis {

struct Config {
    redis::Address place;  // without the password
    std::string password;  // or, if it is one, the id under which the host keeps it
    bool password_is_id = false;
    bool tls = false;
    std::string ca_file, client_certificate_file, client_key_file;
    std::string key_prefix = "belfry";
    uint32_t connections = 8;
    uint32_t uid_window_hours = 24;
    uint32_t results_days = 7;
    uint32_t dead_days = 30;
    uint64_t backlog_max = 1'000'000;
    uint32_t lease_s = 45;

    int64_t lease_ms() const { return int64_t{lease_s} * 1000; }
    // In start.
    redis::Address address(const Services& services) const;
};

// Throws Refused: CONFIG, naming the field.
Config parse_config(std::string_view json);

}  // namespace belfry::queue_redis
