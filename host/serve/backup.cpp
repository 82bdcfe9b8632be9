// SPDX-License-Identifier: Apache-2.0
#include "serve/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/handles.h"
#include "config/config.h"

namespace belfry::serve {

namespace fs = std::filesystem;

namespace {

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

Status copy_if_there(const fs::path& from, const fs::path& to) {
    std::error_code why;
    if (!fs::exists(from, why)) return {};
    fs::copy(from, to, fs::copy_options::recursive, why);
    return why ? Status(failed("cannot be copied", from, why)) : Status();
}

Status offered(bool storage, bool queue) {
    if (storage && queue) return {};
    return error(ErrorCode::Unsupported, std::string("the ") + (storage ? "queue" : "storage") +
                                             "'s backend has tools of its own for backups; use those");
}

}  // namespace

// The queue first: what it refers to in the storage (numbers of names, devices) is then in the storage's later copy.
Status BackupMaker::fill(const fs::path& draft) {
    if (Status s = queue_.backup((draft / "queue.db").string()); !s) return s;
    if (Status s = storage_.backup((draft / "storage.db").string()); !s) return s;
    if (Status s = copy_if_there(data_dir_ / "state", draft / "state"); !s) return s;
    return copy_if_there(data_dir_ / config::kEmbeddedKeyFile, draft / config::kEmbeddedKeyFile);
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
    fs::remove_all(draft, why);
    if (!fs::create_directory(draft, why)) return failed("cannot be made", draft, why);
    fs::permissions(draft, fs::perms::owner_all, why);
    log_.info("backup begins", {{"folder", folder.string()}});
    Status filled = fill(draft);
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
