// SPDX-License-Identifier: Apache-2.0
// One connection to a PostgreSQL server over libpq: prepared statements, binary values, many statements in one round
// trip, and a deadline for each trip. libpqxx can do none of the three (docs/design/0012-storage-pg.md).
//
// Threads: one at a time.  Owner: Pool.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pg/failure.h"
#include "pg/values.h"

namespace belfry::pg {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// Where the server is and what a session there is like.
struct Address {
    // A connection string or URI, with its parts checked and ours put where it is silent. Throws Refused: CONFIG.
    explicit Address(const std::string& dsn = {}, const std::string& password = {});

    std::map<std::string, std::string> parts;  // by libpq's keywords
    std::string schema = "public";             // the only one on the search path
    uint32_t statement_ms = 30000;
    // Commits wait for the disk; without, a crash of the server may take back the last half second of them.
    bool is_durable = true;

    // For libpqxx.
    std::string text() const;
    // "host:port/database", for messages.
    std::string name() const;
    // Whether nobody on the way can listen or pretend to be the server: a Unix socket, loopback, or TLS whose
    // certificate is checked.
    bool is_safe() const;
};

class Connection {
public:
    // Connects, or throws Failure.
    explicit Connection(const Address& address);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Queues a statement for the next trip; its text is the key under which it is prepared once.
    void send(std::string_view sql, const Params& params = {});
    // One round trip: the results of all queued statements, in order. Throws the Failure of the first that failed;
    // those behind it were not run, and an open transaction must be rolled back. A connection that breaks in a trip
    // with a COMMIT leaves it in doubt.
    std::vector<Result> trip(Deadline deadline);
    Result run(std::string_view sql, const Params& params, Deadline deadline);
    // Ends a transaction after a Failure; marks the connection broken if even that fails.
    void roll_back(Deadline deadline) noexcept;

    bool is_broken() const noexcept { return broken_; }
    // The history that this server writes: another one after a failover or a restore, which may have lost the latest
    // commits, and with them numbers that are remembered here. Empty for a standby.
    const std::string& history() const noexcept { return history_; }

private:
    struct Finish {
        void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
    };
    struct Waiting {
        bool prepares;  // a Parse, not a statement of the caller
        std::string_view sql;
    };
    [[noreturn]] void lose(const std::string& why);
    void set_up(const Address& address);
    void exchange(Deadline deadline, std::vector<Result>& results, std::unique_ptr<Failure>& failure);
    void take(PGresult* raw, std::vector<Result>& results, std::unique_ptr<Failure>& failure);
    void wait(bool for_writing, Deadline deadline);

    std::unique_ptr<PGconn, Finish> raw_;
    std::unordered_map<std::string, std::string> prepared_;  // text to name; bounded by the number of our statements
    uint64_t named_ = 0;
    std::vector<Waiting> waiting_;
    size_t answered_ = 0;              // of waiting_
    std::vector<const char*> values_;  // recycled
    std::vector<int> lengths_, formats_;
    std::string history_;
    bool commits_ = false;  // one of waiting_ is a commit
    bool broken_ = false;
};

}  // namespace belfry::pg
