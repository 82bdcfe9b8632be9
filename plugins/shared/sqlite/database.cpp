// SPDX-License-Identifier: Apache-2.0
#include "sqlite/database.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace belfry::sqlite {

namespace {

// STRICT tables came with 3.37, RETURNING with 3.35.
constexpr int kOldestVersion = 3037000;
// A restart that a reader prevented is tried again after so many more pages, since every try waits.
constexpr int kPagesBetweenRestarts = 4096;
constexpr int kBackupPagesPerStep = 512;

// Debian's SQLite counts every allocation under a lock of the whole process, 5 to 8 % of a scan's or a registration's
// time. Refused, and harmless then, if somebody in this process has used SQLite before.
void stop_counting_memory() {
    static const int answer = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    static_cast<void>(answer);
}

// A folder that is missing may be a disk that is not mounted: an empty database there would pass for the real one.
void require_folder_of(const std::string& path) {
    std::error_code error;
    const std::filesystem::path directory = std::filesystem::path(path).parent_path();
    if (directory.empty() || std::filesystem::is_directory(directory, error)) return;
    throw Failure(BELFRY_CONFIG, "there is no folder " + directory.string() + "; mount or make it, or correct the path",
                  "path");
}

void make_folder_of(const std::string& path) {
    std::error_code error;
    const std::filesystem::path directory = std::filesystem::path(path).parent_path();
    if (!directory.empty()) std::filesystem::create_directories(directory, error);
    if (error) throw Failure(BELFRY_CONFIG, "cannot create " + directory.string() + ": " + error.message(), "path");
}

void create_private_file(const std::string& path) {
    // Tokens are secrets. SQLite gives -wal and -shm the mode of the database file, so it is enough to create that one.
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) ::close(fd);
}

void sync_path(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = fd >= 0 && ::fsync(fd) == 0;
    const int reason = errno;
    if (fd >= 0) ::close(fd);
    if (!synced) throw Failure(BELFRY_RETRY_LATER, "cannot sync " + path + ": " + std::strerror(reason), "path");
}

}  // namespace

Database::Database(std::string path, int flags, uint32_t busy_wait_ms, bool buffered_wal) : path_(std::move(path)) {
    if (sqlite3_libversion_number() < kOldestVersion) {
        throw Failure(BELFRY_CONFIG,
                      std::string("SQLite ") + sqlite3_libversion() + " is too old; 3.37 or newer is needed");
    }
    stop_counting_memory();
    const bool writer = (flags & SQLITE_OPEN_READWRITE) != 0;
    if (writer) {
        require_folder_of(path_);
        create_private_file(path_);
        lock_.emplace(path_ + ".lock");
    }
    if (buffered_wal) wal_buffer_.emplace();
    const int code = sqlite3_open_v2(path_.c_str(), &connection_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                     wal_buffer_ ? wal_buffer_->vfs_name() : nullptr);
    try {
        if (code != SQLITE_OK) fail(connection_, code, "open " + path_);
        sqlite3_busy_timeout(connection_, static_cast<int>(busy_wait_ms));
        sqlite3_db_config(connection_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
        sqlite3_db_config(connection_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    } catch (...) {
        sqlite3_close(connection_);
        throw;
    }
}

std::unique_ptr<Database> Database::open_writer(const std::string& path, const WriterOptions& options) {
    std::unique_ptr<Database> database(
        new Database(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, options.busy_wait_ms, options.buffered_wal));
    database->set_up_writer(options);
    return database;
}

std::unique_ptr<Database> Database::open_reader(const std::string& path, const ReaderOptions& options) {
    std::unique_ptr<Database> database(new Database(path, SQLITE_OPEN_READONLY, options.busy_wait_ms, false));
    database->set_up_reader(options);
    return database;
}

// The connection closes with its last statement, a member, and before the lock opens.
Database::~Database() {
    sqlite3_close_v2(connection_);
}

void Database::set_up_writer(const WriterOptions& options) {
    execute("PRAGMA page_size=" + std::to_string(options.page_bytes));
    if (options.incremental_vacuum) execute("PRAGMA auto_vacuum=INCREMENTAL");
    if (options.exclusive) execute("PRAGMA locking_mode=EXCLUSIVE");
    if (value("PRAGMA journal_mode=WAL") != "wal") {
        throw Failure(BELFRY_CONFIG, path_ + " does not take write-ahead logging; a local file system is needed",
                      "path");
    }
    set_synchronous(Synchronous::Full);
    execute("PRAGMA cache_size=-" + std::to_string(options.cache_kib));
    execute("PRAGMA mmap_size=0");
    execute("PRAGMA temp_store=MEMORY");
    execute("PRAGMA foreign_keys=OFF");
    execute("PRAGMA secure_delete=FAST");
    const int64_t wal_bytes = int64_t{options.wal_mib_max} << 20;
    execute("PRAGMA journal_size_limit=" + std::to_string(wal_bytes));
    checkpoint_in_commit_ = options.checkpoint_in_commit;
    checkpoint_pages_ = static_cast<int>(options.checkpoint_pages);
    wal_pages_max_ = restart_at_pages_ = static_cast<int>(wal_bytes / std::stoll(value("PRAGMA page_size")));
    sqlite3_wal_hook(connection_, &Database::on_commit, this);
    begin_immediate_ = prepare("BEGIN IMMEDIATE");
    begin_read_ = prepare("BEGIN");
    commit_ = prepare("COMMIT");
    rollback_ = prepare("ROLLBACK");
}

void Database::set_up_reader(const ReaderOptions& options) {
    sqlite3_db_config(connection_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_wal_autocheckpoint(connection_, 0);
    execute("PRAGMA query_only=ON");
    execute("PRAGMA cache_size=-" + std::to_string(options.cache_kib));
    execute("PRAGMA mmap_size=0");
    execute("PRAGMA temp_store=MEMORY");
    begin_read_ = prepare("BEGIN");
    commit_ = prepare("COMMIT");
    rollback_ = prepare("ROLLBACK");
}

int Database::on_commit(void* self, sqlite3*, const char*, int pages) noexcept {
    auto& database = *static_cast<Database*>(self);
    database.wal_pages_ = pages;
    // The commit stands whatever a checkpoint says; the next one tries again.
    if (database.checkpoint_in_commit_) database.checkpoint_if_due();
    return SQLITE_OK;
}

void Database::checkpoint_if_due() noexcept {
    if (wal_pages_ < checkpoint_pages_) return;
    const bool restart = wal_pages_ >= restart_at_pages_;
    const int mode = restart ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int left = 0;
    int done = 0;
    const int code = sqlite3_wal_checkpoint_v2(connection_, "main", mode, &left, &done);
    if (restart) restart_at_pages_ = code == SQLITE_OK ? wal_pages_max_ : wal_pages_ + kPagesBetweenRestarts;
    // All of it copied: the next commit starts at the front again.
    if (code == SQLITE_OK && done == left) wal_pages_ = 0;
}

void Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(connection_, code, "run \"" + sql.substr(0, 60) + "\"");
}

std::string Database::value(const std::string& sql) {
    Statement statement = prepare(sql);
    return statement.step() ? std::string(statement.text(0)) : std::string();
}

void Database::set_synchronous(Synchronous level) {
    if (wal_buffer_ && level != Synchronous::Full)
        throw Failure(BELFRY_INTERNAL, "a buffered WAL needs synchronous = FULL");
    execute(level == Synchronous::Full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
    synchronous_ = level;
}

bool Database::checkpoint() {
    int left = 0;
    int done = 0;
    const int code = sqlite3_wal_checkpoint_v2(connection_, "main", SQLITE_CHECKPOINT_TRUNCATE, &left, &done);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) fail(connection_, code, "checkpoint");
    return code == SQLITE_OK;
}

void Database::backup_to(const std::string& path, const std::function<void(const std::function<void()>&)>& locked,
                         const std::string& then) {
    const std::string part = path + ".part";
    std::error_code error;
    if (std::filesystem::exists(path, error))
        throw Failure(BELFRY_CONFLICT, path + " exists already; choose a new file", "path");
    std::filesystem::remove(part, error);
    make_folder_of(part);
    create_private_file(part);
    sqlite3* raw = nullptr;
    const int opened = sqlite3_open_v2(part.c_str(), &raw,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    std::unique_ptr<sqlite3, decltype(&sqlite3_close)> target(raw, &sqlite3_close);
    if (opened != SQLITE_OK) fail(raw, opened, "open the copy");
    // One sync of the finished file replaces SQLite's own.
    sqlite3_exec(raw, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF", nullptr, nullptr, nullptr);
    sqlite3_backup* backup = nullptr;
    locked([&] { backup = sqlite3_backup_init(raw, "main", connection_, "main"); });
    if (backup == nullptr) fail(raw, sqlite3_extended_errcode(raw), "start the copy");
    int code = SQLITE_OK;
    bool wanted = true;
    while (code == SQLITE_OK && wanted) {
        wanted = std::filesystem::exists(part, error);
        locked([&] { code = sqlite3_backup_step(backup, kBackupPagesPerStep); });
    }
    locked([&] { sqlite3_backup_finish(backup); });
    if (code == SQLITE_DONE && !then.empty()) {
        // The copy has inherited WAL mode: what `then` writes reaches the file itself by the checkpoint.
        const std::string all = then + "; PRAGMA wal_checkpoint(TRUNCATE)";
        code = sqlite3_exec(raw, all.c_str(), nullptr, nullptr, nullptr);
        if (code == SQLITE_OK) code = SQLITE_DONE;
    }
    if (!wanted) throw Failure(BELFRY_STOPPED, part + " was removed while it was made: the copy is not wanted", "path");
    if (code != SQLITE_DONE) {
        std::filesystem::remove(part, error);
        fail(raw, code, "copy");
    }
    target.reset();
    sync_path(part);
    std::filesystem::rename(part, path, error);
    if (error) throw Failure(BELFRY_CONFIG, "cannot rename the copy to " + path + ": " + error.message(), "path");
    const std::filesystem::path directory = std::filesystem::path(path).parent_path();
    sync_path(directory.empty() ? "." : directory.string());
}

Transaction::Transaction(Database& database, Kind kind) : database_(database) {
    (kind == Write ? database_.begin_immediate_ : database_.begin_read_).run();
}

Transaction::~Transaction() {
    if (!open_) return;
    // Also where SQLite rolled back by itself: before anything of ours looks at the file again.
    if (database_.wal_buffer_) WalBuffer::forget(database_.connection());
    if (!database_.in_transaction()) return;
    try {
        database_.rollback_.run();
    } catch (const Failure&) {
        // SQLite rolled back by itself when the statement failed; there is nothing left to undo.
        return;
    }
}

void Transaction::commit() {
    database_.commit_.run();
    open_ = false;
}

}  // namespace belfry::sqlite
