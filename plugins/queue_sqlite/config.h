// SPDX-License-Identifier: Apache-2.0
// What an instance is configured with; the manifest's schema says the same in JSON.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belfry::queue_sqlite {

enum class Durability {
    Fast,   // page commits are synced with the next enqueue or upkeep
    Strict  // every commit is synced
};

struct Config {
    std::string path;  // of the queue file; "<path>.held" and "<path>.lock" lie beside it
    Durability progress_durability = Durability::Fast;
    uint32_t uid_window_hours = 24;    // a uid may be used again so long after its push is final
    uint32_t results_days = 7;         // result rows are kept so long after the push is final
    uint32_t dead_days = 30;           // dead letters are kept so long
    uint64_t backlog_max = 1'000'000;  // pushes that are not final; beyond, enqueue answers BUSY
    uint32_t lease_s = 45;             // items of a node that gave no sign of life so long are taken back
    uint32_t cache_mib = 12;           // page cache
    uint32_t shelf_items = 8192;       // claimable items per lane and gate in memory; more wait on disk
};

// Throws CONFIG, naming the key.
Config parse_config(std::string_view json);

}  // namespace belfry::queue_sqlite
