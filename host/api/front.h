// SPDX-License-Identifier: Apache-2.0
// Accepts connections and has them served: idle ones wait in one epoll set and cost a file descriptor only; a
// connection takes a worker while a request is read and answered. So idle keep-alive clients, however many, never keep
// others waiting.
//
//     accept -> idle (epoll) -> a request is there: queue -> worker: serve() ... -> idle again, or closed
//
// The poller alone touches idle connections: it takes in what they send, and sends what they did not take of an answer
// at once. What comes while a connection is busy is noted, and its worker looks again before it gives the connection
// back: events are edges, nothing is armed anew. A connection whose answer comes later stays busy, without a worker;
// the answer puts it back into the queue. The poller also ends connections that idle too long, those that have waited
// longest when all that wait hold too much memory, and cuts those whose request or answer is over its time, which wakes
// their worker. Threads: one poller, up to threads_max workers. Owner: Server. Ends: stop().
#pragma once

#include <Poco/Net/ServerSocket.h>
#include <sys/epoll.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "api/connection.h"
#include "api/http_api.h"
#include "base/clock.h"
#include "base/handles.h"
#include "base/log.h"
#include "base/metrics.h"

namespace belfry::api {

// For further ones those that have idled longest are ended; if none idles they wait in the kernel's backlog.
inline constexpr size_t kConnectionsMax = 10'000;
inline constexpr int kListenBacklog = 1024;

struct FrontOptions {
    size_t threads_max = 256;
    size_t connections_max = kConnectionsMax;
    size_t waiting_bytes_max = 16 << 20;  // of halves of requests and rests of answers; one alone may hold more
    std::chrono::seconds idle_timeout{75};
    ConnectionLimits limits;
    TlsContext tls;  // none: plain
};

class Front {
public:
    // `listener` is bound and listening.
    Front(const FrontOptions& options, const Poco::Net::ServerSocket& listener, HttpApi& api, const Clock& clock,
          Log& log, Metrics& metrics);
    ~Front();
    Front(const Front&) = delete;
    Front& operator=(const Front&) = delete;

    // For connections from now on; only where the listener speaks TLS already. [any]
    void set_tls(TlsContext context);
    // Accepts nobody any more, closes idle connections, lets requests in work finish until the deadline, then cuts
    // them.
    void stop(int64_t deadline_mono_ns);

private:
    void poll_loop();
    void accept_all();
    void add(int fd);
    bool anybody_waits() const;
    bool make_room();
    void bound_memory();
    void count_held(Connection& connection);
    void forget(Connection& connection);
    void find_worker();
    void start_worker();
    bool find_idle(const epoll_event* events, int n);
    void take_in();
    void sweep();
    bool is_over_time(const Connection& connection, int64_t now) const;
    void work();
    void serve(Connection& connection);
    void await(Connection& connection);
    void resume(Connection& connection);
    bool park(Connection& connection);
    void listen_for_room(const Connection& connection);
    void drop(Connection& connection);
    void end_idle();
    void wake_poller();
    void listen_for_clients(bool on);

    const FrontOptions options_;
    Poco::Net::ServerSocket listener_;
    HttpApi& api_;
    const Clock& clock_;
    Logger log_;
    Metric& connections_gauge_;
    Metric& busy_gauge_;
    Metric& late_gauge_;
    Metric& handshake_failures_;
    Metric& ended_for_memory_;
    UniqueFd epoll_, wake_;

    std::mutex mutex_;
    std::condition_variable ready_, changed_;
    TlsContext tls_;
    std::unordered_map<int, std::unique_ptr<Connection>> connections_;  // by fd
    std::deque<Connection*> queue_;                                     // ready to be served; bounded by connections_
    std::vector<std::thread> workers_;
    size_t idle_workers_ = 0;
    bool coming_ = false;                // a worker was woken or started and has not looked at the queue yet
    bool short_of_threads_ = false;      // said already
    bool joining_ = false;               // no worker starts any more
    size_t busy_ = 0;                    // served by a worker now
    size_t late_ = 0;                    // wait for an answer, without a worker
    std::atomic<size_t> held_{0};        // by connections that wait; changed under the lock
    std::atomic<bool> stopping_{false};  // set under the lock
    std::atomic<bool> ended_{false};     // the poller has nothing left to do

    // The poller's.
    bool listening_ = false, closed_ = false;
    size_t spared_ = 0;  // that much is held by one alone
    int64_t told_mono_ns_ = -kNsPerSecond * 3600;
    struct Heard {
        Connection* connection;
        bool sends;
        Connection::Arrived arrived = Connection::Arrived::Nothing;
    };
    std::vector<Heard> heard_;  // idle ones whose socket can go on
    std::thread poller_;
};

}  // namespace belfry::api
