// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/readers.h"

#include <algorithm>

namespace belfry::storage_pg {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kNoteEvery{500};
constexpr milliseconds kLookEvery{500};
constexpr milliseconds kSetAside{1000};

constexpr const char* kWritten = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
constexpr const char* kReplayed = "SELECT pg_wal_lsn_diff(coalesce(pg_last_wal_replay_lsn(), '0/0'), '0/0')::bigint";

}  // namespace

void LagNotes::note(pg::Deadline at, int64_t position) {
    notes_.push_back({at, position});
    while (notes_.size() > 2 && at - notes_[1].at > kept_) notes_.pop_front();
}

milliseconds LagNotes::lag(pg::Deadline now, int64_t position) const {
    const auto beyond =
        std::find_if(notes_.begin(), notes_.end(), [&](const Note& note) { return note.position > position; });
    if (notes_.empty() || (beyond == notes_.begin() && now - beyond->at < kept_)) return kept_;
    if (beyond == notes_.end()) return std::chrono::duration_cast<milliseconds>(now - notes_.back().at);
    return std::chrono::duration_cast<milliseconds>(now - beyond->at);
}

Readers::Readers(pg::Address primary, std::vector<pg::Address> replicas, uint32_t connections, milliseconds max_lag)
    : primary_(std::move(primary), connections), max_lag_(max_lag), notes_(max_lag * 2) {
    for (pg::Address& replica : replicas)
        replicas_.push_back(std::make_unique<Replica>(std::move(replica), connections));
}

bool Readers::is_fresh(Replica& replica, pg::Deadline deadline) {
    try {
        const pg::Deadline now = pg::Clock::now();
        if (now >= note_again_) {
            note_again_ = now + kNoteEvery;
            notes_.note(now, primary_.with(deadline, [&](pg::Connection& connection) {
                return connection.run(kWritten, {}, deadline).number(0, 0);
            }));
        }
        const int64_t replayed = replica.pool.with(
            deadline, [&](pg::Connection& connection) { return connection.run(kReplayed, {}, deadline).number(0, 0); });
        return notes_.lag(pg::Clock::now(), replayed) < max_lag_;
    } catch (const Refused&) {
        return false;
    }
}

// Takes turns. Whoever finds that it is time to look does so while the others wait: half a dozen milliseconds a second.
Readers::Replica* Readers::fresh_replica(pg::Deadline deadline) {
    if (replicas_.empty()) return nullptr;
    const std::lock_guard hold(mutex_);
    for (size_t i = 0; i < replicas_.size(); ++i) {
        Replica& replica = *replicas_[turn_++ % replicas_.size()];
        const pg::Deadline now = pg::Clock::now();
        if (now >= replica.look_again) {
            replica.fresh = is_fresh(replica, std::min(deadline, now + kSetAside));
            replica.look_again = pg::Clock::now() + kLookEvery;
        }
        if (replica.fresh) return &replica;
    }
    return nullptr;
}

void Readers::set_aside(Replica& replica) {
    const std::lock_guard hold(mutex_);
    replica.fresh = false;
    replica.look_again = pg::Clock::now() + kSetAside;
}

}  // namespace belfry::storage_pg
