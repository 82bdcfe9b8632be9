// SPDX-License-Identifier: Apache-2.0
// What a store says about migrations from it and to it, and what data_dir remembers of the stores it was used with.
// Threads: main's.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "config/config.h"
#include "plugins/queue.h"
#include "plugins/storage.h"

namespace belfry::serve {

// Why a server must not work on this storage (Misconfigured): it was moved elsewhere, or a migration to it is
// unfinished.
Status refuse_if_moved(plugins::Storage& storage);

// Which queue a configuration works with: plugin, section and, unless servers on several hosts share it, data_dir.
std::string queue_identity(const config::Config& config, const plugins::Queue& queue);
// This storage took everything over from another one and the queue beside it: that queue still has what was moved, and
// a server must not work on the two together.
Status refuse_left_queue(const config::Config& config, plugins::Storage& storage, const plugins::Queue& queue);

// refuse_if_moved, again and again while the server runs: the stores may be moved while it stands still. Threads:
// [any].
class MoveWatch {
public:
    explicit MoveWatch(plugins::Storage& storage) : storage_(storage) {}

    Status look();
    // What look() once said for good.
    std::optional<Error> refusal() const;

private:
    plugins::Storage& storage_;
    mutable std::mutex mutex_;
    std::optional<Error> refusal_;
};

bool has_devices(const config::Config& config, plugins::Storage& storage);
bool has_work(plugins::Queue& queue);

// <data_dir>/stores: which storage and queue were used here last, and whether anything was in them.
class StoreMemory {
public:
    StoreMemory(const config::Config& config, std::string data_dir);

    // What an operator must hear about stores that were left behind while the configured ones are empty; empty:
    // nothing. Remembers the configured ones unless there is something to say.
    std::string compare(plugins::Storage& storage, plugins::Queue& queue) const;
    // At the end of a server that had nothing to say, and after a migration.
    void remember(bool devices, bool work) const;

private:
    const config::Config& config_;
    const std::string file_;
};

}  // namespace belfry::serve
