// SPDX-License-Identifier: Apache-2.0
// Where reads go: to the primary what must see its own writes, to a fresh replica what fans out.
//
// A replica is fresh as long as it has replayed what the primary had written max_lag ago: the primary's position in its
// log is noted twice a second, and a replica's position is looked up among these notes. Needs no rights and no clock
// but ours.
//
// Threads: [any]; a watcher of its own where there are replicas, so that no read waits for a look at one.  Owner:
// Store.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pg/pool.h"

namespace belfry::storage_pg {

// How far a position in the log lies behind, in time.
class LagNotes {
public:
    explicit LagNotes(std::chrono::milliseconds kept) : kept_(kept) {}
    void note(pg::Deadline at, int64_t position);
    // How long ago the last note is that `position` has reached: nothing older is missing. `kept` or more if nobody
    // knows.
    std::chrono::milliseconds lag(pg::Deadline now, int64_t position) const;

private:
    struct Note {
        pg::Deadline at;
        int64_t position;
    };
    std::chrono::milliseconds kept_;
    std::deque<Note> notes_;  // ascending; at most one more than `kept` holds
};

class Readers {
public:
    Readers(pg::Address primary, std::vector<pg::Address> replicas, uint32_t connections,
            std::chrono::milliseconds max_lag);
    ~Readers();
    Readers(const Readers&) = delete;
    Readers& operator=(const Readers&) = delete;

    pg::Pool& primary() noexcept { return primary_; }

    // Calls fn(Connection&, Deadline) on a fresh replica if there is one; on the primary if not, or if the replica
    // fails or takes more than its share of the time.
    template <class Fn>
    auto with_any(pg::Deadline deadline, Fn&& fn) {
        if (Replica* replica = fresh_replica()) {
            try {
                const pg::Deadline now = pg::Clock::now();
                const pg::Deadline share = now + std::min<pg::Clock::duration>((deadline - now) / 2, kReplicaTime);
                return replica->pool.with(share, [&](pg::Connection& connection) { return fn(connection, share); });
            } catch (const Refused&) {
                // Cancelled by recovery, gone, or busy: the primary answers, and decides what is an error.
                replica->fresh = false;
            }
        }
        return primary_.with(deadline, [&](pg::Connection& connection) { return fn(connection, deadline); });
    }

private:
    static constexpr std::chrono::seconds kReplicaTime{1};
    struct Replica {
        Replica(pg::Address address, uint32_t most) : pool(std::move(address), most) {}
        pg::Pool pool;
        std::atomic<bool> fresh{false};
    };
    Replica* fresh_replica() noexcept;
    void watch();
    void look();

    pg::Pool primary_;
    std::vector<std::unique_ptr<Replica>> replicas_;
    const std::chrono::milliseconds max_lag_;
    std::atomic<size_t> turn_{0};
    LagNotes notes_;  // the watcher's
    std::mutex mutex_;
    std::condition_variable stopped_;
    bool stopping_ = false;
    std::thread watcher_;
};

}  // namespace belfry::storage_pg
