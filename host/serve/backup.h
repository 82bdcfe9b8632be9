// SPDX-License-Identifier: Apache-2.0
// A consistent copy of everything a node keeps, made while it runs: queue, devices, plugins' state, the generated key.
// The copy is laid out like data_dir, so that restoring is to start with it as data_dir.
//
// Threads: [any], one at a time (api::Admin sees to it); blocks for the whole copy. Owner: serve().
#pragma once

#include <filesystem>
#include <string>

#include "api/admin.h"
#include "base/log.h"
#include "plugins/queue.h"
#include "plugins/storage.h"

namespace belfry::serve {

class BackupMaker {
public:
    // `into`: the folder of all backups; made when needed, with mode 0700.
    BackupMaker(plugins::Queue& queue, plugins::Storage& storage, std::filesystem::path data_dir,
                std::filesystem::path into, Log& log)
        : queue_(queue),
          storage_(storage),
          data_dir_(std::move(data_dir)),
          into_(std::move(into)),
          log_(log, "backup") {}

    // Conflict: there is one of this name. Unsupported: a backend that is backed up by its own tools.
    Result<api::Backup> make(const std::string& name);

private:
    Status fill(const std::filesystem::path& draft);

    plugins::Queue& queue_;
    plugins::Storage& storage_;
    const std::filesystem::path data_dir_, into_;
    const Logger log_;
};

}  // namespace belfry::serve
