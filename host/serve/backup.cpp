// SPDX-License-Identifier: Apache-2.0
#include "serve/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/handles.h"

namespace belfry::serve {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::minutes kSharedDraftAge{15};

Error failed(const char* what, const fs::path& path, const std::error_code& why) {
    const bool full = why == std::errc::no_space_on_device;
    return error(full ? ErrorCode::StoreFull : ErrorCode::Unavailable,
                 std::string(what) + ": " + why.message() + "; look at admin.backup_dir", path.string());
}

void sync(const fs::path& file_or_folder) {
    const UniqueFd fd(::open(file_or_folder.c_str(), O_RDONLY | O_CLOEXEC));
    if (fd) ::fsync(fd.get());
}

// A backup that was announced is there after a power loss, too.
void sync_all(const fs::path& folder) {
    std::error_code why;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, why)) sync(entry.path());
    sync(folder);
}

// What is gone meanwhile (a file of state that was being replaced) is not missed.
Status copy_if_there(const fs::path& from, const fs::path& to) {
    std::error_code why;
    fs::copy(from, to, why);
    if (!why || why == std::errc::no_such_file_or_directory) return {};
    return failed("cannot be copied", from, why);
}

Status make_folder(const fs::path& folder) {
    std::error_code why;
    if (fs::create_directories(folder, why)) fs::permissions(folder, fs::perms::owner_all, why);
    return why ? Status(failed("cannot be made", folder, why)) : Status();
}

Status offered(bool storage, bool queue) {
    if (storage && queue) return {};
    return error(ErrorCode::Unsupported, std::string("the ") + (storage ? "queue" : "storage") +
                                             "'s backend has tools of its own for backups; use those");
}

}  // namespace

fs::path database_place(const config::Config& config, const config::ComponentConfig& store, const char* file_name) {
    const nlohmann::json section = nlohmann::json::parse(store.section, nullptr, false);
    if (section.is_object() && section.contains("path") && section["path"].is_string()) {
        const bool loose = std::find(store.loose.begin(), store.loose.end(), "/path") != store.loose.end();
        const fs::path start = loose ? config.current : config.folder;
        const fs::path configured = start / section["path"].get<std::string>();
        const fs::path place =
            configured.lexically_normal().lexically_relative(fs::absolute(config.data_dir).lexically_normal());
        if (!place.empty() && *place.begin() != "..") return place;
    }
    return fs::path("state") / store.instance / file_name;
}

// A database and what lies beside it while it is open: -wal, -shm, .lock, .held.
bool BackupMaker::is_live_database(const fs::path& place) const {
    for (const fs::path& database : {queue_place_, storage_place_}) {
        if (place.parent_path() == database.parent_path() &&
            place.filename().native().rfind(database.filename().native(), 0) == 0)
            return true;
    }
    return false;
}

// Everything but the databases, whose files are whole only as their plugins copy them.
Status BackupMaker::copy_state(const fs::path& draft) const {
    std::error_code why;
    const fs::path state = data_dir_ / "state";
    if (!fs::exists(state, why)) return {};
    if (Status s = make_folder(draft / "state"); !s) return s;
    for (fs::recursive_directory_iterator entry(state, why), end; !why && entry != end; entry.increment(why)) {
        std::error_code gone;
        const fs::path place = "state" / entry->path().lexically_relative(state);
        if (entry->is_directory(gone)) {
            if (Status s = make_folder(draft / place); !s) return s;
        } else if (!is_live_database(place)) {
            if (Status s = copy_if_there(entry->path(), draft / place); !s) return s;
        }
    }
    return why ? Status(failed("cannot be read", state, why)) : Status();
}

// The queue first: what it refers to in the storage (numbers of names, devices) is then in the storage's later copy.
Status BackupMaker::fill(const fs::path& draft) {
    for (const fs::path& database : {queue_place_, storage_place_}) {
        if (Status s = make_folder((draft / database).parent_path()); !s) return s;
    }
    if (Status s = go_on(); !s) return s;
    if (Status s = queue_.backup((draft / queue_place_).string()); !s) return s;
    if (Status s = go_on(); !s) return s;
    if (Status s = storage_.backup((draft / storage_place_).string()); !s) return s;
    if (Status s = copy_state(draft); !s) return s;
    return copy_if_there(data_dir_ / config::kEmbeddedKeyFile, draft / config::kEmbeddedKeyFile);
}

Status BackupMaker::go_on() const {
    const std::lock_guard lock(mutex_);
    return stopped_ ? Status(error(ErrorCode::Cancelled, "the server stops; make the backup again")) : Status();
}

Status BackupMaker::begin(const fs::path& draft) {
    const std::lock_guard lock(mutex_);
    if (stopped_) return error(ErrorCode::Cancelled, "the server stops; make the backup again");
    draft_ = draft;
    std::error_code why;
    fs::remove_all(draft, why);
    if (!fs::create_directory(draft, why)) return failed("cannot be made", draft, why);
    fs::permissions(draft, fs::perms::owner_all, why);
    return {};
}

void BackupMaker::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    std::error_code why;
    if (!draft_.empty()) fs::remove_all(draft_, why);
}

// By its layout. Where servers may share the folder, only if nobody has written to it for a while.
bool BackupMaker::is_stale_draft(const fs::path& folder) const {
    std::error_code why;
    const std::string name = folder.filename().string();
    if (name.size() < 2 || name.front() != '.' || fs::is_symlink(folder, why) || !fs::is_directory(folder, why) ||
        fs::is_empty(folder, why))
        return false;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, why)) {
        const std::string part = entry.path().filename().string();
        const auto is_of = [&](const fs::path& place) { return part.rfind(place.begin()->string(), 0) == 0; };
        if (!is_of("state") && !is_of(config::kEmbeddedKeyFile) && !is_of(queue_place_) && !is_of(storage_place_))
            return false;
    }
    const fs::path place =
        fs::absolute(into_).lexically_normal().lexically_relative(fs::absolute(data_dir_).lexically_normal());
    if (!place.empty() && *place.begin() != "..") return true;
    const auto recently = fs::file_time_type::clock::now() - kSharedDraftAge;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, why)) {
        if (entry.last_write_time(why) > recently) return false;
    }
    return true;
}

size_t BackupMaker::remove_stale_drafts() const {
    std::vector<fs::path> stale;
    std::error_code why;
    for (const fs::directory_entry& entry : fs::directory_iterator(into_, why)) {
        if (is_stale_draft(entry.path())) stale.push_back(entry.path());
    }
    for (const fs::path& folder : stale) fs::remove_all(folder, why);
    return stale.size();
}

Result<api::Backup> BackupMaker::make(const std::string& name) {
    if (Status s = offered(storage_.offers(BELFRY_STORAGE_BACKUP), queue_.offers(BELFRY_QUEUE_BACKUP)); !s)
        return s.error();
    const fs::path folder = into_ / name;
    const fs::path draft = into_ / ("." + name);  // no name begins with a dot: never another backup
    std::error_code why;
    const bool fresh = fs::create_directories(into_, why);
    if (why) return failed("cannot be made", into_, why);
    if (fresh) fs::permissions(into_, fs::perms::owner_all, why);
    if (fs::exists(folder, why))
        return error(ErrorCode::Conflict, "there is a backup of this name; give another", name);
    if (Status begun = begin(draft); !begun) return begun.error();
    log_.info("backup begins", {{"folder", folder.string()}});
    Status filled = fill(draft);
    if (const Status still = go_on(); !still) filled = still;
    if (filled) {
        sync_all(draft);
        fs::rename(draft, folder, why);
        if (why) filled = failed("cannot be renamed", draft, why);
    }
    if (!filled) {
        fs::remove_all(draft, why);
        log_.error("backup failed", {{"folder", folder.string()}, {"error", filled.error().to_string()}});
        return filled.error();
    }
    sync(into_);
    api::Backup done{folder.string(), {}};
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, why)) {
        if (!entry.is_regular_file(why)) continue;
        done.files.push_back(
            {fs::relative(entry.path(), folder, why).string(), static_cast<int64_t>(entry.file_size(why))});
    }
    log_.info("backup done", {{"folder", folder.string()}, {"files", done.files.size()}});
    return done;
}

}  // namespace belfry::serve
