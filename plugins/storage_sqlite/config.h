// SPDX-License-Identifier: Apache-2.0
// The section [storage] as this plugin reads it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belfry::storage {

struct Config {
    std::string path;  // of the database file; the host has made it absolute. Empty: storage.db in the instance's state
                       // directory
    uint32_t readers = 4;  // connections that read at the same time, 1 to 64
    uint32_t cache_mib =
        16;  // page caches of all connections together, 2 to 1024: half for the writer, the rest for the readers

    uint32_t writer_cache_kib() const noexcept { return cache_mib * 512; }
    uint32_t reader_cache_kib() const noexcept { return cache_mib * 512 / readers; }
};

// Fails: CONFIG, naming the field.
Config parse_config(std::string_view json);

}  // namespace belfry::storage
