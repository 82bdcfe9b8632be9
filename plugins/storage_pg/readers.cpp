// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/readers.h"

#include <algorithm>
#include <csignal>
#include <iterator>

namespace belfry::storage_pg {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{500};
constexpr milliseconds kLookTime{2000};

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
    if (beyond == notes_.begin()) return kept_;
    return std::chrono::duration_cast<milliseconds>(now - std::prev(beyond)->at);
}

Readers::Readers(pg::Address primary, std::vector<pg::Address> replicas, uint32_t connections, milliseconds max_lag)
    : primary_(std::move(primary), connections), max_lag_(max_lag), notes_(max_lag * 2) {
    for (pg::Address& replica : replicas)
        replicas_.push_back(std::make_unique<Replica>(std::move(replica), connections));
    if (replicas_.empty()) return;
    // Signals are for the host's threads.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    watcher_ = std::thread([this] { watch(); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Readers::~Readers() {
    {
        const std::lock_guard hold(mutex_);
        stopping_ = true;
    }
    stopped_.notify_all();
    if (watcher_.joinable()) watcher_.join();
}

void Readers::watch() {
    std::unique_lock hold(mutex_);
    while (!stopping_) {
        hold.unlock();
        look();
        hold.lock();
        stopped_.wait_for(hold, kLookEvery, [this] { return stopping_; });
    }
}

void Readers::look() {
    const auto position = [](pg::Pool& pool, const char* sql) {
        const pg::Deadline deadline = pg::Clock::now() + kLookTime;
        return pool.with(deadline,
                         [&](pg::Connection& connection) { return connection.run(sql, {}, deadline).number(0, 0); });
    };
    try {
        const pg::Deadline at = pg::Clock::now();
        notes_.note(at, position(primary_, kWritten));
    } catch (const std::exception&) {
        // Without a new note the replicas grow stale, as they should: nobody knows what they miss.
    }
    for (const auto& replica : replicas_) {
        try {
            const int64_t replayed = position(replica->pool, kReplayed);
            replica->fresh = notes_.lag(pg::Clock::now(), replayed) < max_lag_;
        } catch (const std::exception&) {
            replica->fresh = false;
        }
    }
}

// They take turns.
Readers::Replica* Readers::fresh_replica() noexcept {
    for (size_t i = 0; i < replicas_.size(); ++i) {
        Replica& replica = *replicas_[turn_++ % replicas_.size()];
        if (replica.fresh) return &replica;
    }
    return nullptr;
}

}  // namespace belfry::storage_pg
