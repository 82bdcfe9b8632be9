// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/sequence.h"

#include <belfry/storage.h>

#include <algorithm>

#include "storage_pg/tables.h"

namespace belfry::storage_pg {

namespace {

constexpr int64_t kSequenceEnd = int64_t{1} << BELFRY_KEY_SEQUENCE_BITS;
constexpr int64_t kLastBlock = kSequenceEnd / kSequenceBlock - 1;  // as the table has it
// Above this a key is taken for made up, and may not use up the sequence.
constexpr int64_t kTrusted = kSequenceEnd / 2;

constexpr const char* kNextBlock = "SELECT nextval('device_block')";
// Two nodes that look and then move would take each other's move back.
constexpr const char* kLock = "SELECT pg_advisory_xact_lock($1)";
constexpr int64_t kLockNumber = 0x42454c46'4b455953;
constexpr const char* kMoveBlock =
    "SELECT setval('device_block', $1) FROM device_block WHERE last_value < $1 OR NOT is_called";

}  // namespace

// What another history gave us it may give others, too.
void Sequence::look_at(const pg::Connection& connection) {
    if (connection.history() == history_) return;
    history_ = connection.history();
    next_ = end_ = 0;
    moved_beyond_ = -1;
}

int64_t Sequence::next(pg::Connection& connection, pg::Deadline deadline) {
    const std::lock_guard hold(mutex_);
    look_at(connection);
    if (next_ == end_) {
        const int64_t block = connection.run(kNextBlock, {}, deadline).number(0, 0);
        next_ = block * kSequenceBlock;
        end_ = next_ + kSequenceBlock;
        moved_beyond_ = std::max(moved_beyond_, block);
    }
    if (next_ >= kSequenceEnd)
        throw Refused(BELFRY_STORE_FULL, {}, "all device keys of this storage are used up; start a new one");
    return next_++;
}

void Sequence::move_beyond(pg::Connection& connection, int64_t sequence, pg::Deadline deadline) {
    const int64_t block = sequence / kSequenceBlock;
    if (sequence >= kTrusted) return;
    const std::lock_guard hold(mutex_);
    look_at(connection);
    if (block > moved_beyond_) pass(connection, block, deadline);
}

void Sequence::begin_at(pg::Connection& connection, int64_t next, pg::Deadline deadline) {
    if (next <= 0) return;
    const std::lock_guard hold(mutex_);
    look_at(connection);
    pass(connection, std::min((next - 1) / kSequenceBlock, kLastBlock), deadline);
    next_ = end_ = 0;  // of a block that was taken before
}

void Sequence::pass(pg::Connection& connection, int64_t block, pg::Deadline deadline) {
    connection.send(kLock, pg::Params().number(kLockNumber));
    connection.send(kMoveBlock, pg::Params().number(block));
    connection.trip(deadline);
    moved_beyond_ = std::max(moved_beyond_, block);
}

}  // namespace belfry::storage_pg
