// SPDX-License-Identifier: Apache-2.0
// What all parts of an open queue share: the file, its tables, and what of it is in memory.
//
// Threads: the writer's, but for board, changes and host, which are [any].
// Owner: Queue. Not here: behaviour, which is in the parts (intake, claims, pages, steering, results, upkeep ...).
#pragma once

#include <memory>
#include <set>

#include "board.h"
#include "book.h"
#include "config.h"
#include "directory.h"
#include "feeds.h"
#include "host_view.h"
#include "ledger.h"
#include "sqlite/database.h"
#include "tables.h"
#include "uid_index.h"

namespace belfry::queue_sqlite {

struct Core {
    // Opens the file. Throws CONFIG, CORRUPT, STORE_FULL, RETRY_LATER.
    Core(const belfry_host* host_table, Config configuration);

    const Config config;
    const HostView host;
    const std::unique_ptr<sqlite::Database> database;
    Tables tables;
    Ledger ledger;
    Board board;
    Book book;
    UidIndex uids;
    Directory directory;
    Changes changes;
    Replies replies;
    // Stopped pushes that may still have later rows, which upkeep makes claimable to be counted.
    std::set<int64_t> to_sweep;

    int64_t now() const { return host.unix_ms(); }
};

}  // namespace belfry::queue_sqlite
