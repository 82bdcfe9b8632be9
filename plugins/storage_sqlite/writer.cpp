// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/writer.h"

#include <belfry/abi.hpp>

#include <algorithm>
#include <utility>

#include "storage/limits.h"
#include "storage_sqlite/tables.h"

namespace belfry::storage {

using sqlite::Blob;
using sqlite::Failure;

namespace {

// Registrations touch the same few hundred pages over and over: checkpoints four times rarer than usual write a third
// less. One then takes about 30 ms of the disk, which only registrations wait for.
constexpr uint32_t kCheckpointPages = 4000;

// A restored backup must not give keys away that were given after it was made: to devices it does not know, or by an
// earlier restoration of it. Its sequence jumps so far, and further the older the backup is. Thirty years of jumps fit.
constexpr int64_t kJumpAtLeast = int64_t{1} << 26;
constexpr int64_t kJumpPerSecond = 1024;
constexpr int64_t kMsPerSecond = 1000;

std::unique_ptr<sqlite::Database> open_with_tables(const std::string& path, uint32_t cache_kib) {
    sqlite::WriterOptions options;
    options.cache_kib = cache_kib;
    options.buffered_wal = true;
    options.checkpoint_pages = kCheckpointPages;
    auto database = sqlite::Database::open_writer(path, options);
    prepare_tables(*database);
    return database;
}

}  // namespace

void TurnLock::lock() {
    std::unique_lock hold(mutex_);
    const uint64_t mine = next_++;
    turn_.wait(hold, [&] { return serving_ == mine; });
}

void TurnLock::unlock() {
    {
        const std::lock_guard hold(mutex_);
        ++serving_;
    }
    turn_.notify_all();
}

uint64_t TurnLock::waiting() const {
    const std::lock_guard hold(mutex_);
    return next_ - serving_ > 1 ? next_ - serving_ - 1 : 0;
}

Writer::Writer(const std::string& path, uint32_t cache_kib, Now now)
    : database_(open_with_tables(path, cache_kib)),
      words_(*database_, Words::Use::Write),
      topics_(*database_),
      devices_(*database_, words_, topics_),
      find_app_(database_->prepare("SELECT id FROM app WHERE name = ?1")),
      insert_app_(database_->prepare("INSERT INTO app (name) VALUES (?1)")),
      drop_app_(database_->prepare("DELETE FROM app WHERE id = ?1")),
      read_sequence_(database_->prepare("SELECT value FROM counter WHERE name = 'sequence'")),
      write_sequence_(database_->prepare("UPDATE counter SET value = ?1 WHERE name = 'sequence'")),
      kv_read_(database_->prepare("SELECT version FROM kv WHERE key = ?1")),
      kv_write_(
          database_->prepare("INSERT INTO kv (key, value, version) VALUES (?1, ?2, ?3) "
                             "ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version")),
      kv_drop_(database_->prepare("DELETE FROM kv WHERE key = ?1")),
      now_(std::move(now)) {
    if (read_sequence_.step()) sequence_ = stored_sequence_ = read_sequence_.integer(0);
    read_sequence_.reset();
    leave_backup();
}

// The mark that backup_to() made in the copy is gone after the first start.
void Writer::leave_backup() {
    sqlite::Statement mark = database_->prepare("SELECT value FROM counter WHERE name = 'backup_made'");
    if (!mark.step()) return;
    const int64_t age_s = std::max<int64_t>(0, now_() - mark.integer(0)) / kMsPerSecond;
    mark.reset();
    transact([&] {
        sequence_ += kJumpAtLeast + age_s * kJumpPerSecond;
        database_->execute("DELETE FROM counter WHERE name = 'backup_made'");
    });
}

void Writer::transact(const std::function<void()>& fn) {
    const std::lock_guard hold(lock_);
    try {
        sqlite::Transaction transaction(*database_);
        fn();
        topics_.drop_unused();
        if (sequence_ != stored_sequence_) write_sequence_.with(sequence_).run();
        transaction.commit();
        stored_sequence_ = sequence_;
    } catch (...) {
        words_.forget();
        topics_.forget();
        sequence_ = stored_sequence_;
        throw;
    }
}

// A transaction with so many rows lets others in.
bool Writer::is_full(size_t rows) const {
    if (rows < kRowsPerTransaction) return false;
    return rows >= kRowsPerTransactionAlone || lock_.waiting() > 0;
}

std::optional<int64_t> Writer::find_app(std::string_view name) {
    const sqlite::ResetAtEnd reset(find_app_);
    if (!find_app_.with(name).step()) return std::nullopt;
    return find_app_.integer(0);
}

int64_t Writer::app_number(std::string_view name) {
    if (const auto known = find_app(name)) return *known;
    insert_app_.with(name).run();
    return database_->last_insert_rowid();
}

void Writer::kv_cas(const belfry_kv& kv) {
    const std::string_view key = view(kv.key);
    if (key.empty() || key.size() > kKvKeyBytesMax)
        throw Failure(BELFRY_BAD_REQUEST, "a key has 1 to 512 bytes", "key");
    if (kv.value.n > kKvValueBytesMax) throw Failure(BELFRY_TOO_LARGE, "a value has at most 1 MiB", "value");
    transact([&] {
        const sqlite::ResetAtEnd reset(kv_read_);
        const int64_t stored = kv_read_.with(key).step() ? kv_read_.integer(0) : 0;
        kv_read_.reset();
        if (stored != kv.version) {
            throw Failure(BELFRY_CONFLICT, "the stored version is " + std::to_string(stored) + "; read it again",
                          "version");
        }
        if (kv.value.p == nullptr) {
            kv_drop_.with(key).run();
        } else {
            kv_write_.with(key, Blob(view(kv.value)), stored + 1).run();
        }
    });
}

uint32_t Writer::expire(int64_t app, const std::vector<int64_t>& keys, int64_t before) {
    uint32_t removed = 0;
    transact([&] {
        removed = 0;
        for (const int64_t key : keys) {
            // It may have been seen since the reader looked.
            if (!devices_.load(app, key, before_) || std::max(before_.registered, before_.updated) >= before) continue;
            devices_.erase(app, before_);
            ++removed;
        }
    });
    return removed;
}

bool Writer::purge_app(std::string_view app, uint32_t limit) {
    bool more = false;
    transact([&] {
        more = false;
        const auto number = find_app(app);
        if (!number) return;
        const uint32_t step = std::clamp(limit, 1U, kRowsPerTransaction);
        const std::vector<int64_t> keys = devices_.keys_of_app(*number, -1, step);
        for (const int64_t key : keys) evict(*number, key);
        const uint32_t left = step - static_cast<uint32_t>(keys.size());
        more = left == 0 || topics_.purge_bound(*number, left) >= left;
        if (!more) drop_app_.with(*number).run();
    });
    return more;
}

void Writer::backup_to(const std::string& path) {
    database_->backup_to(
        path,
        [&](const std::function<void()>& step) {
            const std::lock_guard hold(lock_);
            step();
        },
        "INSERT OR REPLACE INTO counter (name, value) VALUES ('backup_made', " + std::to_string(now_()) + ")");
}

}  // namespace belfry::storage
