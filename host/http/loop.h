// SPDX-License-Identifier: Apache-2.0
// One thread with an epoll set: it owns pools, connections and the portions submitted to it.
//
// A turn: socket events, the door, timers, pumping of touched pools, one flush per connection, then the owners of
// portions hear what finished, and closed connections are deleted. Owners are never called from inside anything else.
// Stop: unsent exchanges go back, answers are awaited until the deadline, connections close, the door closes, the
// thread ends. Threads: submit, recalled, retire, stop [any]; everything else [loop].
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/handles.h"
#include "base/log.h"
#include "http/door.h"
#include "http/endpoint_table.h"
#include "http/output.h"
#include "http/plan.h"
#include "http/pool.h"
#include "http/recycler.h"
#include "http/request_head.h"
#include "http/resolver.h"
#include "http/timers.h"

namespace belfry::http {

class Connection;

class Loop {
public:
    Loop(unsigned number, const EngineOptions&, EndpointTable&, Resolver&, const Clock&, Log&);
    ~Loop();  // stop must have been called
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // [any] False: the loop has ended.
    bool submit(Portion& portion);
    void recalled(Portion& portion);
    void retire(EndpointId id);
    void stop(int64_t deadline_mono_ns);
    void join();
    size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }  // exchanges it has to finish

    // [loop] For pools, connections and actives.
    int64_t now() const noexcept { return now_; }
    int64_t unix_s() const noexcept { return unix_s_; }
    unsigned number() const noexcept { return number_; }
    Timers& timers() noexcept { return timers_; }
    Recycler& recycler() noexcept { return recycler_; }
    RequestHeads& heads() noexcept { return heads_; }
    Output& output() noexcept { return output_; }
    std::vector<char>& input() noexcept { return input_; }
    const EngineOptions& options() const noexcept { return options_; }
    const Logger& log() const noexcept { return log_; }
    uint32_t random() noexcept;
    void finish(Active& active, Exchange& exchange, Transport transport);
    void withdraw(Active& active);
    void touch(Pool& pool);
    void want_flush(Connection& connection);
    void want_read(Connection& connection);
    void bury(std::unique_ptr<Connection> connection);
    bool watch(Connection& connection, int fd, bool output, bool known);
    // Asks for addresses; 0 if too many lookups wait.
    uint64_t look_up(Connection& connection, const Origin& origin, bool untrusted);
    void forget_lookup(uint64_t ticket) { lookups_.erase(ticket); }
    // Bounds concurrent connection attempts and connections to passing endpoints. A pool that is refused is invited, in
    // its turn, when there may be room; if it has no use for it any more it declines.
    bool take_handshake(Pool& pool);
    void give_handshake(const Pool& pool);
    void invite_next(const Pool& pool);  // of the same kind
    void connection_gone(const Pool& pool);
    // Closes the connection that was idle for longest, to make room. False: none is.
    bool close_one_idle(bool passing_only);
    // The pool is empty and its endpoint was passing: it goes at the end of the turn.
    void drop(Pool& pool);
    bool stopping() const noexcept { return stopping_; }

private:
    struct Finished {
        Active* active;
        Exchange* exchange;
    };

    void run();
    void turn();
    int wait_ms() const;
    void handle_door();
    void handle(Notice&& notice);
    void accept(Portion& portion);
    void check_recalls();
    void settle_turn();
    void pump_and_flush();
    bool tell_owners();
    void begin_stop(int64_t deadline);
    bool stop_done();
    void close_up();
    Pool* find_pool(EndpointId id) noexcept;
    Pool* pool_of(EndpointId id);
    void forget_dropped();
    Active& activate(Portion& portion);
    void release(Active& active);

    const unsigned number_;
    const EngineOptions options_;
    EndpointTable& endpoints_;
    Resolver& resolver_;
    const Clock& clock_;
    const Logger log_;
    const std::shared_ptr<Door> door_;  // shared with lookups, which may outlive the loop
    std::atomic<size_t> load_{0};

    UniqueFd epoll_;
    int64_t now_ = 0, unix_s_ = 0;
    uint64_t random_state_;
    Timers timers_;
    Recycler recycler_;
    RequestHeads heads_;
    Output output_;
    std::vector<char> input_;
    std::vector<std::unique_ptr<Pool>> pools_;  // by slot of the endpoint
    std::vector<Pool*> dropped_;
    uint32_t passing_connections_ = 0;
    std::vector<Pool*> touched_, touched_now_;
    std::vector<Connection*> to_flush_, flush_now_, to_read_, read_now_;
    std::vector<std::unique_ptr<Connection>> graveyard_;
    std::unordered_map<uint64_t, Connection*> lookups_;
    uint64_t next_ticket_ = 1;
    struct Handshakes {
        uint32_t running = 0;
        std::deque<Pool*> waiting;
    } handshakes_[2];  // of the configuration's endpoints, of passing ones

    std::vector<std::unique_ptr<Active>> actives_, spare_actives_;
    std::vector<Finished> exceptions_;
    std::vector<Active*> completed_;
    std::vector<Portion*> portions_in_;
    std::vector<Notice> notices_in_;
    bool stopping_ = false;
    int64_t stop_deadline_ = kNever;
    std::thread thread_;
};

}  // namespace belfry::http
