// SPDX-License-Identifier: Apache-2.0
// The connections of one endpoint on one loop, and the exchanges that wait for them.
//
// Exchanges wait as ranges of their portion, lane `high` before the others. A pool opens a connection when exchanges
// wait or when more than 80 % of its streams are in use, one at a time, and backs off after failures. The pool of a
// passing endpoint goes when it was unused for a while. Threads: [loop].  Owner: the loop.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/address_memory.h"
#include "http/endpoint.h"
#include "http/plan.h"
#include "http/timers.h"
#include "http/tls.h"

namespace belfry::http {

class Connection;

// A portion while it is on a loop.
struct Active final : Timer {
    explicit Active(Loop& loop);
    void on_time(int64_t now) noexcept override;  // what is unsent goes back

    Loop& loop;
    Portion* portion = nullptr;
    size_t remaining = 0;    // exchanges not finished
    bool withdrawn = false;  // nothing of it may be started any more
    size_t place = 0;        // in the loop's table
};

struct Range {
    Active* active = nullptr;
    uint32_t next = 0, end = 0;
};

// Counted on the loop, published once per turn.
struct PoolTally {
    uint64_t handshakes = 0, connect_failures = 0, requests = 0, resets = 0, goaways = 0, replays = 0, timeouts = 0,
             never_sent = 0;
    std::array<uint64_t, 6> answers{};  // by first digit of the status
};

class Pool final : private Timer {
public:
    Pool(Loop& loop, std::shared_ptr<Endpoint> endpoint);
    ~Pool() override;

    Endpoint& endpoint() const noexcept { return endpoint_; }
    const std::shared_ptr<Endpoint>& shared_endpoint() const noexcept { return holds_; }
    PoolTally& tally() noexcept { return tally_; }
    TlsMemory& tls_memory() noexcept { return tls_memory_; }

    void enqueue(Active& active, uint32_t from, uint32_t to);
    // Forgets waiting exchanges of a portion; the loop finishes them.
    void forget(const Active& active);
    // Sends what can be sent, opens connections. Once per turn at least, if touched.
    void pump();
    void publish();

    // From connections. `replay`: the peer certainly did not process it.
    void replay(Active& active, Exchange& exchange);
    void on_opened(Connection& connection);
    void on_first_answer(const Connection& connection);
    void on_idle();  // a connection has nothing to do any more
    // The connection is Closed. `useless`: it never carried an answer although one was asked for; that delays the next.
    void on_closed(Connection& connection, bool was_open, bool useless, const std::string& why);
    void retire_all(std::string_view why);  // those that are open
    void abandon_unopened(std::string_view why);
    void abandon_all(std::string_view why);
    bool has_connections() const noexcept { return !connections_.empty(); }
    bool unused() const noexcept { return connections_.empty() && waiting_ == 0; }
    Connection* longest_idle() const noexcept;  // null: none is idle

    // The address family that the last connection was made over, AF_UNSPEC: none yet. A dead one is waited for once.
    int family = 0;
    // Of the endpoint and of its proxy: where the next connection does not begin.
    AddressMemory addresses;

    // The loop's: listed for this turn; in line for a connection; called up from there.
    bool touched = false, waits_for_place = false, invited = false;

private:
    struct Delayed {
        int64_t due;
        Range range;
    };
    using Queue = std::deque<Range>;

    void on_time(int64_t now) noexcept override;
    void serve(Queue& queue, bool high, const Pacer*& later);
    bool send_range(Range& range, bool high, int64_t& paced_until);
    Connection* pick(bool high);
    bool wants_connection() const;
    bool open_connection();
    void release_delayed();
    void push(const Range& range, bool front);
    void note_failure(const Connection& connection, const std::string& why);
    void look_for_mending();

    Loop& loop_;
    const std::shared_ptr<Endpoint> holds_;
    Endpoint& endpoint_;
    TlsMemory tls_memory_;
    std::vector<std::unique_ptr<Connection>> connections_;
    Queue high_, normal_;
    std::vector<Delayed> delayed_;
    size_t waiting_ = 0;             // exchanges in the queues and delayed
    Connection* current_ = nullptr;  // the one that gets requests
    uint32_t burst_left_ = 0;        // how many before another choice
    bool starved_ = false;           // something waits for a stream
    int64_t wake_at_ = kNever;       // while pumping: when it is worth trying again
    uint32_t failures_ = 0;          // to connect, in a row
    uint32_t declared_;              // Endpoint::declared when they were counted
    int64_t retry_at_ = 0;           // no connect before
    int64_t next_open_at_ = 0;       // no further connect before
    int64_t unused_since_ = 0;       // the last time it was seen in use
    uint32_t streams_expected_;      // of a connection that is not open yet
    PoolTally tally_;
};

}  // namespace belfry::http
