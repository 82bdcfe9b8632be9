// SPDX-License-Identifier: Apache-2.0
#include "api/front.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>

#include "base/named_thread.h"

namespace belfry::api {
namespace {

constexpr int kSweepMs = 250;  // how often deadlines are looked at
constexpr int kEventsMax = 256;
// When there is no room for a newcomer, one in so many connections is ended together, so that looking for them is rare.
constexpr size_t kRoomShare = 100;
constexpr int64_t kSlowMs = 1000;  // what has been arriving or leaving for longer may be ended for a newcomer
// Of the memory that waits, so much is freed together.
constexpr size_t kSpareShare = 8;
constexpr int64_t kTellAgainNs = 60 * kNsPerSecond;

bool idles(const Connection& connection) {
    return !connection.sends() && (connection.began_mono_ns == 0 || connection.shakes_hands());
}

int64_t waits_since(const Connection& connection) {
    return connection.began_mono_ns == 0 || connection.shakes_hands() ? connection.idle_since_mono_ns
                                                                      : connection.began_mono_ns;
}

bool waits_longer(const Connection* a, const Connection* b) {
    return waits_since(*a) < waits_since(*b);
}

}  // namespace

Front::Front(const FrontOptions& options, const Poco::Net::ServerSocket& listener, HttpApi& api, const Clock& clock,
             Log& log, Metrics& metrics)
    : options_(options),
      listener_(listener),
      api_(api),
      clock_(clock),
      log_(log, "api"),
      connections_gauge_(metrics.gauge("api_connections", "Open connections of API clients")),
      busy_gauge_(metrics.gauge("api_requests_in_work", "Connections of API clients that a thread serves now")),
      late_gauge_(metrics.gauge("api_requests_storing", "API requests whose push or device is being stored")),
      handshake_failures_(metrics.counter("api_tls_failures_total", "Clients that were ended in the TLS handshake")),
      ended_for_memory_(metrics.counter("api_slow_clients_ended_total",
                                        "Clients that were ended for the memory of requests that do not arrive and "
                                        "answers that are not read")),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      tls_(options.tls) {
    BELFRY_ASSERT(epoll_ && wake_);
    workers_.reserve(options_.threads_max);
    listener_.setBlocking(false);
    epoll_event wake{};
    wake.events = EPOLLIN;
    wake.data.fd = wake_.get();
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &wake);
    listen_for_clients(true);
    poller_ = named_thread("api-poller", [this] { poll_loop(); });
}

Front::~Front() {
    stop(0);
}

void Front::listen_for_clients(bool on) {
    if (listening_ == on) return;
    listening_ = on;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener_.impl()->sockfd();
    ::epoll_ctl(epoll_.get(), on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, event.data.fd, &event);
}

void Front::poll_loop() {
    std::array<epoll_event, kEventsMax> events{};
    int64_t swept = clock_.mono_ns();
    while (true) {
        const int n = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, kSweepMs);
        if (ended_) return;
        const bool newcomers = find_idle(events.data(), n);
        take_in();
        if (stopping_)
            end_idle();
        else if (newcomers)
            accept_all();
        bound_memory();
        if (clock_.mono_ns() - swept >= kSweepMs * kNsPerMs) {
            sweep();
            swept = clock_.mono_ns();
        }
    }
}

void Front::accept_all() {
    while (true) {
        {
            const std::lock_guard lock(mutex_);
            if (connections_.size() >= options_.connections_max) {
                if (!anybody_waits()) return;
                if (!make_room()) return listen_for_clients(false);
            }
        }
        const int fd = ::accept4(listener_.impl()->sockfd(), nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) {
            add(fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_.error("cannot accept a client; raise the limit of open files", {{"why", std::strerror(errno)}});
            return listen_for_clients(false);  // until the next sweep
        }
        // A client that has already gone is no reason to stop; everything else is, EAGAIN above all.
        if (errno != ECONNABORTED && errno != EINTR) return;
    }
}

// Nobody is ended for a newcomer who is not there.
bool Front::anybody_waits() const {
    pollfd listener{listener_.impl()->sockfd(), POLLIN, 0};
    return ::poll(&listener, 1, 0) > 0;
}

// Ends the connections that have idled longest, so that those who want something are served; if none idles, those that
// have been at the beginning of a request for longest. Called under the lock.
bool Front::make_room() {
    std::vector<Connection*> idle, begun;
    const int64_t slow_since = clock_.mono_ns() - kSlowMs * kNsPerMs;
    for (const auto& [fd, connection] : connections_) {
        if (connection->busy) continue;
        if (idles(*connection))
            idle.push_back(connection.get());
        else if (waits_since(*connection) < slow_since)
            begun.push_back(connection.get());
    }
    std::vector<Connection*>& least = idle.empty() ? begun : idle;
    if (least.empty()) return false;
    const size_t n = std::min(least.size(), 1 + options_.connections_max / kRoomShare);
    std::nth_element(least.begin(), least.begin() + static_cast<std::ptrdiff_t>(n - 1), least.end(), waits_longer);
    for (size_t i = 0; i < n; ++i) forget(*least[i]);
    return true;
}

// Ends those that have waited longest until the others hold less than they may; the last one is let be.
void Front::bound_memory() {
    if (held_.load(std::memory_order_relaxed) <= std::max(options_.waiting_bytes_max, spared_)) return;
    const std::lock_guard lock(mutex_);
    std::vector<Connection*> holders;
    for (const auto& [fd, connection] : connections_) {
        if (!connection->busy && connection->held > 0) holders.push_back(connection.get());
    }
    std::sort(holders.begin(), holders.end(), waits_longer);
    if (!holders.empty()) holders.pop_back();
    // With some to spare, so that looking for them is rare.
    const size_t enough = options_.waiting_bytes_max - options_.waiting_bytes_max / kSpareShare;
    size_t ended = 0;
    for (; ended < holders.size() && held_ > enough; ++ended) forget(*holders[ended]);
    spared_ = held_ > options_.waiting_bytes_max ? held_.load() : 0;
    if (ended == 0) return;
    ended_for_memory_.add(static_cast<double>(ended));
    const int64_t now = clock_.mono_ns();
    if (std::exchange(told_mono_ns_, now) + kTellAgainNs > now) return;
    log_.warning("ended clients that neither send nor read: together they held too much memory", {{"clients", ended}});
}

// Called under the lock.
void Front::count_held(Connection& connection) {
    const size_t now = connection.busy ? 0 : connection.held_bytes();
    held_ += now - std::exchange(connection.held, now);
}

// Called under the lock.
void Front::forget(Connection& connection) {
    held_ -= connection.held;
    connections_.erase(connection.fd());
    connections_gauge_.set(static_cast<double>(connections_.size()));
    if (stopping_) changed_.notify_all();
}

void Front::add(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails harmlessly on unix sockets
    {
        const std::lock_guard lock(mutex_);
        auto connection = std::make_unique<Connection>(fd, tls_, options_.limits, clock_);
        connection->idle_since_mono_ns = clock_.mono_ns();
        if (connection->shakes_hands()) connection->began_mono_ns = connection->idle_since_mono_ns;
        connections_[fd] = std::move(connection);
        connections_gauge_.set(static_cast<double>(connections_.size()));
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

// True: there are newcomers, too.
bool Front::find_idle(const epoll_event* events, int n) {
    bool newcomers = false;
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < n; ++i) {
        const int fd = events[i].data.fd;
        newcomers |= fd == listener_.impl()->sockfd();
        if (fd == wake_.get()) {
            uint64_t times = 0;
            const ssize_t got = ::read(fd, &times, sizeof times);
            static_cast<void>(got);  // woken is woken
        }
        const auto it = connections_.find(fd);
        if (it == connections_.end()) continue;
        Connection& connection = *it->second;
        if ((events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) connection.end_announced = true;
        if (connection.busy)
            connection.missed = true;
        else
            heard_.push_back({&connection, connection.sends()});
    }
    return newcomers;
}

// A request that comes in pieces waits here for its rest, and a client that does not read for its answer's: no worker
// is lent to a slow client.
void Front::take_in() {
    if (heard_.empty()) return;
    for (Heard& one : heard_) one.arrived = one.connection->proceed();
    {
        const std::lock_guard lock(mutex_);
        for (const Heard& one : heard_) {
            Connection& connection = *one.connection;
            if (one.arrived == Connection::Arrived::Over) {
                forget(connection);
                continue;
            }
            if (one.sends && !connection.sends()) connection.idle_since_mono_ns = clock_.mono_ns();
            if (one.arrived == Connection::Arrived::Whole && !stopping_) {
                if (!connection.shakes_hands()) connection.began_mono_ns = 0;
                connection.busy = true;
                queue_.push_back(&connection);
            } else if (one.arrived == Connection::Arrived::Part && connection.began_mono_ns == 0) {
                connection.began_mono_ns = clock_.mono_ns();
            }
            count_held(connection);
        }
        find_worker();
    }
    heard_.clear();
}

// For what is in the queue, if nobody is on the way to it: the worker that comes sees to the next one, so that a crowd
// of requests wakes no more workers than are needed to empty the queue. Called under the lock.
void Front::find_worker() {
    if (queue_.empty() || coming_) return;
    if (idle_workers_ > 0) {
        coming_ = true;
        ready_.notify_one();
    } else if (workers_.size() < options_.threads_max && !joining_) {
        start_worker();
    }
}

// Called under the lock. The system may refuse a thread: then those there are serve, and the next sweep tries again.
void Front::start_worker() {
    try {
        workers_.push_back(named_thread("api-worker", [this] { work(); }));
        coming_ = true;
        short_of_threads_ = false;
    } catch (const std::system_error& why) {
        if (!std::exchange(short_of_threads_, true))
            log_.error("cannot start another thread for clients; raise the limit of tasks",
                       {{"threads", workers_.size()}, {"why", why.what()}});
    }
}

// Nobody is accepted any more; who idles or has sent a part of a request is not waited for.
void Front::end_idle() {
    if (!std::exchange(closed_, true)) {
        listen_for_clients(false);
        listener_.close();
    }
    const std::lock_guard lock(mutex_);
    for (auto it = connections_.begin(); it != connections_.end();) {
        Connection& connection = *(it++)->second;
        if (!connection.busy && !connection.sends()) forget(connection);
    }
}

void Front::sweep() {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    find_worker();
    for (auto it = connections_.begin(); it != connections_.end();) {
        Connection& connection = *(it++)->second;
        const int64_t deadline = connection.deadline_mono_ns();
        if (connection.busy && deadline != 0 && now > deadline) connection.cut();
        if (!connection.busy && is_over_time(connection, now)) forget(connection);
    }
    if (!stopping_ && connections_.size() < options_.connections_max) listen_for_clients(true);
}

bool Front::is_over_time(const Connection& connection, int64_t now) const {
    if (connection.sends()) return now > connection.deadline_mono_ns();
    const int64_t idle = now - connection.idle_since_mono_ns;
    if (connection.drains()) return idle > kDrainMs * kNsPerMs;
    const int64_t request_max = std::chrono::nanoseconds(options_.limits.request_timeout).count();
    const bool too_slow = connection.began_mono_ns != 0 && now - connection.began_mono_ns > request_max;
    return too_slow || (idles(connection) && idle > std::chrono::nanoseconds(options_.idle_timeout).count());
}

void Front::work() {
    for (bool came = true;; came = false) {
        Connection* connection = nullptr;
        {
            std::unique_lock lock(mutex_);
            if (came) coming_ = false;
            while (queue_.empty()) {
                if (stopping_ && late_ == 0) return;
                ++idle_workers_;
                ready_.wait(lock);
                --idle_workers_;
                coming_ = false;
            }
            connection = queue_.front();
            queue_.pop_front();
            busy_gauge_.set(static_cast<double>(++busy_));
            find_worker();
        }
        serve(*connection);
    }
}

void Front::serve(Connection& connection) {
    auto arrived = Connection::Arrived::Whole;
    do {
        if (arrived == Connection::Arrived::Whole) {
            const bool shook_hands = connection.shakes_hands();
            const Connection::Next next = connection.serve(api_, stopping_);
            if (shook_hands && (next == Connection::Next::Close || connection.drains())) handshake_failures_.add();
            if (next == Connection::Next::Close) return drop(connection);
            if (next == Connection::Next::Later) return await(connection);
            if (next == Connection::Next::Again) continue;
        }
        if (park(connection)) return;
        arrived = connection.proceed();
    } while (arrived != Connection::Arrived::Over);
    drop(connection);
}

// The connection stays busy, without a worker; who brings the answer may have been quicker.
void Front::await(Connection& connection) {
    {
        const std::lock_guard lock(mutex_);
        busy_gauge_.set(static_cast<double>(--busy_));
        late_gauge_.set(static_cast<double>(++late_));
    }
    connection.when_there([this, &connection] { resume(connection); });
}

// By the thread that brings the answer, which may outlive the front: nothing of it is touched after the lock.
void Front::resume(Connection& connection) {
    const std::lock_guard lock(mutex_);
    late_gauge_.set(static_cast<double>(--late_));
    queue_.push_front(&connection);  // it has waited longest
    find_worker();
    if (stopping_ && late_ == 0) ready_.notify_all();
}

// False: something came meanwhile, and the worker has to look. Else the connection is not the worker's any more.
bool Front::park(Connection& connection) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(connection.missed, false) && !stopping_) return false;
    busy_gauge_.set(static_cast<double>(--busy_));
    if (stopping_ && !connection.sends()) {
        forget(connection);
        return true;
    }
    connection.busy = false;
    connection.idle_since_mono_ns = clock_.mono_ns();
    if (!connection.shakes_hands()) connection.began_mono_ns = connection.has_begun() ? clock_.mono_ns() : 0;
    count_held(connection);
    if (connection.sends()) listen_for_room(connection);
    if (held_ > options_.waiting_bytes_max) wake_poller();
    return true;
}

// Room that came meanwhile is announced, too. Called under the lock.
void Front::listen_for_room(const Connection& connection) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = connection.fd();
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd(), &event);
}

void Front::drop(Connection& connection) {
    const std::lock_guard lock(mutex_);
    busy_gauge_.set(static_cast<double>(--busy_));
    forget(connection);
}

void Front::wake_poller() {
    const uint64_t one = 1;
    const ssize_t woken = ::write(wake_.get(), &one, sizeof one);
    BELFRY_ASSERT(woken == sizeof one);
}

void Front::set_tls(TlsContext context) {
    const std::lock_guard lock(mutex_);
    if (tls_) tls_ = std::move(context);
}

void Front::stop(int64_t deadline_mono_ns) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_.exchange(true)) return;
    }
    wake_poller();
    std::unique_lock lock(mutex_);
    ready_.notify_all();
    const auto left = std::chrono::nanoseconds(std::max<int64_t>(0, deadline_mono_ns - clock_.mono_ns()));
    changed_.wait_for(lock, left, [this] { return connections_.empty(); });
    for (const auto& [fd, connection] : connections_) connection->cut();
    joining_ = true;
    lock.unlock();
    ended_ = true;
    wake_poller();
    poller_.join();
    for (std::thread& worker : workers_) worker.join();
    connections_.clear();
}

}  // namespace belfry::api
