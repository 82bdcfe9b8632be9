// SPDX-License-Identifier: Apache-2.0
#include "api/front.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace belfry::api {
namespace {

constexpr int kSweepMs = 250;  // how often deadlines are looked at
constexpr int kEventsMax = 256;
// When there is no room for a newcomer, one in so many connections is ended together, so that looking for them is rare.
constexpr size_t kRoomShare = 100;

// Reported when something new arrives; arming again reports what is already there.
void arm(int epoll, int fd, int operation) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.fd = fd;
    ::epoll_ctl(epoll, operation, fd, &event);
}

bool readable_within(int fd, int ms) {
    pollfd wanted{fd, POLLIN, 0};
    return ::poll(&wanted, 1, ms) > 0;
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
      handshake_failures_(metrics.counter("api_tls_failures_total", "Clients that were ended in the TLS handshake")),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      tls_(options.tls) {
    BELFRY_ASSERT(epoll_ && wake_);
    listener_.setBlocking(false);
    epoll_event wake{};
    wake.events = EPOLLIN;
    wake.data.fd = wake_.get();
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &wake);
    listen_for_clients(true);
    poller_ = std::thread([this] { poll_loop(); });
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
    const int listener = listener_.impl()->sockfd();
    std::array<epoll_event, kEventsMax> events{};
    int64_t swept = clock_.mono_ns();
    while (true) {
        const int n = ::epoll_wait(epoll_.get(), events.data(), kEventsMax, kSweepMs);
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
        }
        for (int i = 0; i < n; ++i) {
            const int fd = events[static_cast<size_t>(i)].data.fd;
            if (fd == listener)
                accept_all();
            else if (fd != wake_.get())
                take_ready(fd, (events[static_cast<size_t>(i)].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        }
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
            if (connections_.size() >= options_.connections_max && !make_room()) return listen_for_clients(false);
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

// Ends the connections that have idled longest, so that those who want something are served. Called under the lock.
bool Front::make_room() {
    std::vector<Connection*> idle;
    for (const auto& [fd, connection] : connections_) {
        const bool waits = connection->began_mono_ns == 0 || connection->shakes_hands();
        if (!connection->busy && waits) idle.push_back(connection.get());
    }
    if (idle.empty()) return false;
    const size_t n = std::min(idle.size(), 1 + options_.connections_max / kRoomShare);
    std::nth_element(
        idle.begin(), idle.begin() + static_cast<std::ptrdiff_t>(n - 1), idle.end(),
        [](const Connection* a, const Connection* b) { return a->idle_since_mono_ns < b->idle_since_mono_ns; });
    for (size_t i = 0; i < n; ++i) connections_.erase(idle[i]->fd());
    return true;
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
    arm(epoll_.get(), fd, EPOLL_CTL_ADD);
}

// A request that comes in pieces waits here for its rest: no worker is lent to a slow client. One that has `ended` will
// not get any.
void Front::take_ready(int fd, bool ended) {
    const std::lock_guard lock(mutex_);
    const auto it = connections_.find(fd);
    if (it == connections_.end() || it->second->busy) return;
    const Connection::Arrived arrived = it->second->arrived();
    if (arrived == Connection::Arrived::Part && it->second->began_mono_ns == 0)
        it->second->began_mono_ns = clock_.mono_ns();
    if (arrived != Connection::Arrived::Whole && !ended) return;
    if (!it->second->shakes_hands()) it->second->began_mono_ns = 0;
    it->second->busy = true;
    queue_.push_back(it->second.get());
    if (idle_workers_ < queue_.size() && workers_.size() < options_.threads_max) {
        workers_.emplace_back([this] { work(); });
    }
    ready_.notify_one();
}

void Front::sweep() {
    const int64_t now = clock_.mono_ns();
    const int64_t idle_max = std::chrono::nanoseconds(options_.idle_timeout).count();
    const int64_t head_max = std::chrono::nanoseconds(options_.limits.request_timeout).count();
    const std::lock_guard lock(mutex_);
    for (auto it = connections_.begin(); it != connections_.end();) {
        Connection& connection = *it->second;
        const int64_t deadline = connection.deadline_mono_ns();
        if (connection.busy && deadline != 0 && now > deadline) connection.cut();
        const bool too_slow = connection.began_mono_ns != 0 && now - connection.began_mono_ns > head_max;
        if (!connection.busy && (too_slow || now - connection.idle_since_mono_ns > idle_max)) {
            it = connections_.erase(it);
        } else {
            ++it;
        }
    }
    connections_gauge_.set(static_cast<double>(connections_.size()));
    if (connections_.size() < options_.connections_max) listen_for_clients(true);
}

void Front::work() {
    while (true) {
        Connection* connection = nullptr;
        {
            std::unique_lock lock(mutex_);
            ++idle_workers_;
            ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
            --idle_workers_;
            if (queue_.empty()) return;
            connection = queue_.front();
            queue_.pop_front();
            busy_gauge_.set(static_cast<double>(++busy_));
        }
        serve(*connection);
    }
}

void Front::serve(Connection& connection) {
    while (true) {
        bool last = false;
        {
            const std::lock_guard lock(mutex_);
            last = stopping_;
        }
        const bool shook_hands = connection.shakes_hands();
        const Connection::Next next = connection.serve(api_, last);
        if (next == Connection::Next::Close) {
            if (shook_hands) handshake_failures_.add();
            return drop(connection);
        }
        if (next == Connection::Next::Again) continue;
        const bool more = !connection.shakes_hands() && worth_lingering() &&
                          readable_within(connection.fd(), kLingerMs) &&
                          connection.arrived() == Connection::Arrived::Whole;
        if (!more) return park(connection);
    }
}

bool Front::worth_lingering() {
    const std::lock_guard lock(mutex_);
    return queue_.empty() && !stopping_;
}

void Front::park(Connection& connection) {
    const std::lock_guard lock(mutex_);
    busy_gauge_.set(static_cast<double>(--busy_));
    if (stopping_) {
        connections_.erase(connection.fd());
        changed_.notify_all();
        return;
    }
    connection.busy = false;
    connection.idle_since_mono_ns = clock_.mono_ns();
    // What was read ahead makes no socket readable: the time of its request begins here.
    if (!connection.shakes_hands()) connection.began_mono_ns = connection.has_begun() ? clock_.mono_ns() : 0;
    arm(epoll_.get(), connection.fd(), EPOLL_CTL_MOD);
}

void Front::drop(Connection& connection) {
    const std::lock_guard lock(mutex_);
    busy_gauge_.set(static_cast<double>(--busy_));
    connections_.erase(connection.fd());
    connections_gauge_.set(static_cast<double>(connections_.size()));
    changed_.notify_all();
}

void Front::set_tls(TlsContext context) {
    const std::lock_guard lock(mutex_);
    if (tls_) tls_ = std::move(context);
}

void Front::stop(int64_t deadline_mono_ns) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
        stopping_ = true;
    }
    const uint64_t one = 1;
    const ssize_t woken = ::write(wake_.get(), &one, sizeof one);
    BELFRY_ASSERT(woken == sizeof one);
    poller_.join();
    listener_.close();
    std::unique_lock lock(mutex_);
    std::erase_if(connections_, [](const auto& entry) { return !entry.second->busy; });
    ready_.notify_all();
    const auto left = std::chrono::nanoseconds(std::max<int64_t>(0, deadline_mono_ns - clock_.mono_ns()));
    changed_.wait_for(lock, left, [this] { return connections_.empty(); });
    for (const auto& [fd, connection] : connections_) connection->cut();
    lock.unlock();
    for (std::thread& worker : workers_) worker.join();
    connections_.clear();
}

}  // namespace belfry::api
