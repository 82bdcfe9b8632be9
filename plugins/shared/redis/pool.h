// SPDX-License-Identifier: Apache-2.0
// Connections to one Redis server, opened when needed, kept while good, and the rule when something is tried again.
//
// Threads: [any].  Memory: at most `most` connections.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "redis/connection.h"
#include "redis/route.h"

namespace belfry::redis {

class Pool {
public:
    // Looks at a server that a connection was just made to; throws if it is not to be used.
    using Check = std::function<void(Connection&, const Address&, Deadline)>;

    // `scripts`: what the server is given when it says that it does not know one.
    Pool(std::shared_ptr<Route> route, uint32_t most, std::vector<Script> scripts, Check check)
        : route_(std::move(route)), most_(most), scripts_(std::move(scripts)), check_(std::move(check)) {}
    Pool(Address address, uint32_t most, std::vector<Script> scripts)
        : Pool(std::make_shared<Route>(std::move(address)), most, std::move(scripts), {}) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // Calls fn(Connection&) with a connection of this pool until it succeeds: again on a fresh connection if the old
    // one had died (a restarted server leaves a pool of dead ones behind), again after a lost race or once the server
    // knows the scripts. So fn must change nothing outside before its last trip. Throws what fn threw last; Failure or
    // Refused when there is no connection.
    template <class Fn>
    auto with(Deadline deadline, Fn&& fn) {
        for (int tries = 1;; ++tries) {
            Lease lease(*this, deadline);
            try {
                return fn(lease.connection());
            } catch (const Failure& failure) {
                if (!may_try_again(failure, lease.connection(), tries, deadline)) throw;
            }
        }
    }

    // How many connections there were: one more says that the server may be another one by now, or have forgotten.
    uint64_t opened() const noexcept { return opened_; }

private:
    class Lease {
    public:
        Lease(Pool& pool, Deadline deadline) : pool_(pool), connection_(pool.take(deadline)) {}
        ~Lease() { pool_.give_back(std::move(connection_)); }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        Connection& connection() noexcept { return *connection_; }

    private:
        Pool& pool_;
        std::unique_ptr<Connection> connection_;
    };
    std::unique_ptr<Connection> take(Deadline deadline);
    std::unique_ptr<Connection> connect(Deadline deadline);
    void give_back(std::unique_ptr<Connection> connection) noexcept;
    bool may_try_again(const Failure& failure, Connection& connection, int tries, Deadline deadline);
    const std::shared_ptr<Route> route_;
    const uint32_t most_;
    const std::vector<Script> scripts_;
    const Check check_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<std::unique_ptr<Connection>> idle_;
    uint32_t lent_ = 0;
    // After a connection failed: nobody tries before, so that a dead server is asked a few times a second at most.
    Deadline not_before_{};
    std::chrono::milliseconds back_off_{0};
    std::string last_trouble_;
    std::atomic<uint64_t> opened_{0};
};

}  // namespace belfry::redis
