// SPDX-License-Identifier: Apache-2.0
// A consistent copy of everything a node keeps, made while it runs: queue, devices, plugins' state, the generated key.
// The copy is laid out like data_dir, databases included, so that restoring is to start with it as data_dir.
//
// Threads: [any], one at a time (api::Admin sees to it); blocks for the whole copy. Owner: serve().
#pragma once

#include <filesystem>
#include <mutex>
#include <string>

#include "api/admin.h"
#include "base/log.h"
#include "config/config.h"
#include "plugins/queue.h"
#include "plugins/storage.h"

namespace belfry::serve {

// Where an embedded database lies, from data_dir, and so in a backup: at its `path` if that is below data_dir,
// otherwise at its default place, where it is when no path is configured.
std::filesystem::path database_place(const config::Config& config, const config::ComponentConfig& store,
                                     const char* file_name);

class BackupMaker {
public:
    // Its folder of all backups, admin.backup_dir, is made when needed, with mode 0700.
    BackupMaker(plugins::Queue& queue, plugins::Storage& storage, const config::Config& config, Log& log)
        : queue_(queue),
          storage_(storage),
          data_dir_(config.data_dir),
          into_(config.admin.backup_dir),
          queue_place_(database_place(config, config.queue, "queue.db")),
          storage_place_(database_place(config, config.storage, "storage.db")),
          log_(log, "backup") {}

    // Conflict: there is one of this name. Unsupported: a backend that is backed up by its own tools. Cancelled:
    // stop().
    Result<api::Backup> make(const std::string& name);
    // Ends the one being made, and makes no more: its files are removed, which the plugin at work on them notices.
    void stop();
    // Removes drafts that a server left behind which was killed; how many. Before the first make().
    size_t remove_stale_drafts() const;

private:
    Status fill(const std::filesystem::path& draft);
    Status copy_state(const std::filesystem::path& draft) const;
    bool is_live_database(const std::filesystem::path& place) const;
    bool is_stale_draft(const std::filesystem::path& folder) const;
    Status begin(const std::filesystem::path& draft);
    Status go_on() const;

    plugins::Queue& queue_;
    plugins::Storage& storage_;
    const std::filesystem::path data_dir_, into_;
    const std::filesystem::path queue_place_, storage_place_;  // from data_dir
    const Logger log_;
    mutable std::mutex mutex_;
    std::filesystem::path draft_;  // the one being made
    bool stopped_ = false;
};

}  // namespace belfry::serve
