// SPDX-License-Identifier: Apache-2.0
// The section [queue] as this plugin reads it; the manifest's schema says the same in JSON.
//
// Threads: values.
#pragma once

#include <belfry/services.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "redis/route.h"

namespace belfry::queue_redis {

struct Secret {
    std::string text;  // or, if it is one, the id under which the host keeps it
    bool is_id = false;

    // In start.
    std::string read(const Services& services) const { return is_id ? services.secret(text) : text; }
};

struct TlsFiles {
    bool tls = false;
    std::string ca, certificate, key;

    std::shared_ptr<const redis::TlsContext> open() const;
};

struct Config {
    redis::Address place;  // without the password
    Secret password;
    TlsFiles files;
    // Instead of the address; empty: none.
    std::vector<redis::Address> sentinels;  // without the password
    std::string master_name = "mymaster";
    std::string sentinel_user;
    Secret sentinel_password;
    TlsFiles sentinel_files;
    std::string key_prefix = "belfry";
    uint32_t connections = 8;
    uint32_t uid_window_hours = 24;
    uint32_t results_days = 7;
    uint32_t dead_days = 30;
    uint64_t backlog_max = 1'000'000;
    uint32_t lease_s = 45;

    int64_t lease_ms() const { return int64_t{lease_s} * 1000; }
    // In start. One for all connections of an instance.
    std::shared_ptr<redis::Route> route(const Services& services) const;
};

// Throws Refused: CONFIG, naming the field.
Config parse_config(std::string_view json);

}  // namespace belfry::queue_redis
