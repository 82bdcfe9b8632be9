// SPDX-License-Identifier: Apache-2.0
#include "http/loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "base/assert.h"
#include "base/named_thread.h"
#include "http/connection.h"
#include "http/signal_shield.h"

namespace belfry::http {

namespace {

constexpr int kEventsPerTurn = 256;
constexpr int kPassesPerTurn = 4;     // pump and flush again what they caused themselves
constexpr size_t kInput = 16 * 1024;  // one TLS record
constexpr int64_t kWaitMaxMs = 60'000;
constexpr int64_t kUnsentDefaultNs = 5 * kNsPerSecond;

enum Phase : uint8_t { kWaiting = 0, kDone = 2 };

}  // namespace

Loop::Loop(unsigned number, const EngineOptions& options, EndpointTable& endpoints, Resolver& resolver,
           const Clock& clock, Log& log)
    : number_(number),
      options_(options),
      endpoints_(endpoints),
      resolver_(resolver),
      clock_(clock),
      log_(log, "http"),
      door_(std::make_shared<Door>()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      random_state_(static_cast<uint64_t>(clock.mono_ns()) * 2 + 1),
      input_(kInput) {
    BELFRY_ASSERT(epoll_.get() >= 0);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;  // the door
    BELFRY_ASSERT(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, door_->fd(), &event) == 0);
    now_ = clock_.mono_ns();
    const SignalShield shield;
    thread_ = named_thread("http", [this] { run(); });
}

Loop::~Loop() {
    join();
}

void Loop::join() {
    if (thread_.joinable()) thread_.join();
}

bool Loop::submit(Portion& portion) {
    const size_t n = portion.exchanges.size();
    portion.loop_ = this;
    load_.fetch_add(n, std::memory_order_relaxed);
    if (door_->post(portion)) return true;
    load_.fetch_sub(n, std::memory_order_relaxed);
    return false;
}

void Loop::recalled(Portion& portion) {
    portion.recalled_.store(true, std::memory_order_relaxed);
    static_cast<void>(door_->post(Notice{}));  // a loop that has ended has finished everything
}

void Loop::retire(EndpointId id) {
    Notice notice;
    notice.kind = Notice::Kind::Retire;
    notice.number = static_cast<uint64_t>(id);
    static_cast<void>(door_->post(std::move(notice)));
}

void Loop::stop(int64_t deadline_mono_ns) {
    Notice notice;
    notice.kind = Notice::Kind::Stop;
    notice.number = static_cast<uint64_t>(deadline_mono_ns);
    static_cast<void>(door_->post(std::move(notice)));
}

void Loop::run() {
    while (!stop_done()) turn();
    close_up();
}

int Loop::wait_ms() const {
    if (!to_read_.empty() || !to_flush_.empty() || !touched_.empty()) return 0;
    const int64_t due = std::min(timers_.next_due(), stop_deadline_);
    if (due == kNever) return kWaitMaxMs;
    const int64_t ns = due - clock_.mono_ns();
    return ns <= 0 ? 0 : static_cast<int>(std::min(kWaitMaxMs, (ns + kNsPerMs - 1) / kNsPerMs));
}

void Loop::turn() {
    epoll_event events[kEventsPerTurn];
    const int n = epoll_wait(epoll_.get(), events, kEventsPerTurn, wait_ms());
    BELFRY_ASSERT(n >= 0 || errno == EINTR);
    now_ = clock_.mono_ns();
    unix_s_ = clock_.unix_ms() / 1000;
    bool called = false;
    for (int i = 0; i < n; ++i) {
        if (events[i].data.ptr == nullptr) {
            called = true;
        } else {
            static_cast<Connection*>(events[i].data.ptr)->on_socket(events[i].events);
        }
    }
    read_now_.swap(to_read_);
    for (Connection* connection : read_now_) {
        if (connection == nullptr) continue;
        connection->read_listed = false;
        if (connection->open()) connection->read();
    }
    read_now_.clear();
    if (called) handle_door();
    timers_.run(now_);
    pump_and_flush();
    settle_turn();
}

void Loop::pump_and_flush() {
    for (int pass = 0; pass < kPassesPerTurn && (!touched_.empty() || !to_flush_.empty()); ++pass) {
        touched_now_.swap(touched_);
        for (Pool* pool : touched_now_) {
            pool->touched = false;
            pool->pump();
        }
        flush_now_.swap(to_flush_);
        for (Connection* connection : flush_now_) {
            if (connection == nullptr) continue;
            connection->flush_listed = false;
            connection->flush();
        }
        flush_now_.clear();
        for (Pool* pool : touched_now_) pool->publish();
        touched_now_.clear();
    }
}

void Loop::settle_turn() {
    heads_.reset();
    while (tell_owners()) {
    }
    graveyard_.clear();
    if (!dropped_.empty()) forget_dropped();
}

// Owners may recall, but nothing else that comes back here at once.
bool Loop::tell_owners() {
    if (exceptions_.empty() && completed_.empty()) return false;
    for (const Finished& finished : exceptions_) {
        Portion& portion = *finished.active->portion;
        if (portion.owner != nullptr) portion.owner->on_exception(portion, *finished.exchange);
    }
    exceptions_.clear();
    for (Active* active : completed_) {
        Portion& portion = *active->portion;
        release(*active);
        if (portion.owner != nullptr) portion.owner->on_complete(portion);
    }
    completed_.clear();
    return true;
}

void Loop::handle_door() {
    door_->take(portions_in_, notices_in_);
    for (Portion* portion : portions_in_) accept(*portion);
    portions_in_.clear();
    bool recalled = false;
    for (Notice& notice : notices_in_) {
        recalled |= notice.kind == Notice::Kind::Recalled;
        handle(std::move(notice));
    }
    notices_in_.clear();
    if (recalled) check_recalls();
}

void Loop::handle(Notice&& notice) {
    switch (notice.kind) {
        case Notice::Kind::Recalled:
            return;
        case Notice::Kind::Retire:
            if (Pool* pool = find_pool(static_cast<EndpointId>(notice.number))) pool->retire_all("retired by request");
            return;
        case Notice::Kind::Resolved: {
            const auto lookup = lookups_.find(notice.number);
            if (lookup == lookups_.end()) return;
            Connection* connection = lookup->second;
            lookups_.erase(lookup);
            connection->on_resolved(std::move(notice));
            return;
        }
        case Notice::Kind::Stop:
            begin_stop(static_cast<int64_t>(notice.number));
            return;
    }
}

Active& Loop::activate(Portion& portion) {
    if (spare_actives_.empty()) spare_actives_.push_back(std::make_unique<Active>(*this));
    actives_.push_back(std::move(spare_actives_.back()));
    spare_actives_.pop_back();
    Active& active = *actives_.back();
    active.portion = &portion;
    active.remaining = portion.exchanges.size();
    active.withdrawn = false;
    active.place = actives_.size() - 1;
    return active;
}

void Loop::release(Active& active) {
    active.arm(kNever);
    const size_t place = active.place;
    spare_actives_.push_back(std::move(actives_[place]));
    if (place + 1 != actives_.size()) {
        actives_[place] = std::move(actives_.back());
        actives_[place]->place = place;
    }
    actives_.pop_back();
}

void Loop::accept(Portion& portion) {
    Active& active = activate(portion);
    if (active.remaining == 0) {
        completed_.push_back(&active);
        return;
    }
    const int64_t until = portion.unsent_until_mono_ns == 0 ? now_ + kUnsentDefaultNs : portion.unsent_until_mono_ns;
    const bool useless = stopping_ || until <= now_ || portion.recalled_.load(std::memory_order_relaxed);
    const auto n = static_cast<uint32_t>(portion.exchanges.size());
    for (uint32_t from = 0; from < n && !useless;) {
        const EndpointId id = portion.exchanges[from].endpoint;
        uint32_t to = from + 1;
        while (to < n && portion.exchanges[to].endpoint == id) ++to;
        if (Pool* pool = pool_of(id)) {
            pool->enqueue(active, from, to);
        } else {
            for (uint32_t i = from; i < to; ++i) finish(active, portion.exchanges[i], Transport::Unsendable);
        }
        from = to;
    }
    useless ? withdraw(active) : active.arm(until);
}

Pool* Loop::find_pool(EndpointId id) noexcept {
    const size_t slot = EndpointTable::slot_of(id);
    if (id < 0 || slot >= pools_.size() || !pools_[slot]) return nullptr;
    return pools_[slot]->endpoint().id == id ? pools_[slot].get() : nullptr;
}

Pool* Loop::pool_of(EndpointId id) {
    if (Pool* known = find_pool(id)) return known;
    std::shared_ptr<Endpoint> endpoint = endpoints_.join(id);
    if (!endpoint) return nullptr;
    const size_t slot = EndpointTable::slot_of(id);
    if (slot >= pools_.size()) pools_.resize(slot + 1);
    BELFRY_ASSERT(!pools_[slot]);  // a slot is given again only when no loop has a pool for it
    pools_[slot] = std::make_unique<Pool>(*this, std::move(endpoint));
    return pools_[slot].get();
}

void Loop::drop(Pool& pool) {
    dropped_.push_back(&pool);
}

void Loop::forget_dropped() {
    for (Pool* pool : dropped_) {
        if (!pool->unused()) continue;
        const std::shared_ptr<Endpoint> endpoint = pool->shared_endpoint();
        pool->publish();
        std::erase(touched_, pool);
        std::erase(handshakes_[1].waiting, pool);
        pools_[EndpointTable::slot_of(endpoint->id)].reset();
        endpoints_.leave(*endpoint);
    }
    dropped_.clear();
}

void Loop::check_recalls() {
    for (const auto& active : actives_) {
        if (!active->withdrawn && active->portion->recalled_.load(std::memory_order_relaxed)) withdraw(*active);
    }
}

void Loop::withdraw(Active& active) {
    if (active.withdrawn) return;
    active.withdrawn = true;
    active.arm(kNever);
    for (const auto& pool : pools_) {
        if (pool) pool->forget(active);
    }
    for (Exchange& exchange : active.portion->exchanges) {
        if (exchange.phase != kWaiting) continue;
        if (Pool* pool = pool_of(exchange.endpoint)) {
            ++pool->tally().never_sent;
            touch(*pool);
        }
        finish(active, exchange, Transport::NeverSent);
    }
}

void Loop::finish(Active& active, Exchange& exchange, Transport transport) {
    exchange.phase = kDone;
    if (transport != Transport::Answered || exchange.status < 200 || exchange.status > 299) {
        exceptions_.push_back({&active, &exchange});
    }
    exchange.settle(transport);
    Portion& portion = *active.portion;
    portion.finished.store(portion.finished.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    load_.fetch_sub(1, std::memory_order_relaxed);
    if (--active.remaining == 0) completed_.push_back(&active);
}

void Loop::touch(Pool& pool) {
    if (pool.touched) return;
    pool.touched = true;
    touched_.push_back(&pool);
}

void Loop::want_flush(Connection& connection) {
    if (connection.flush_listed) return;
    connection.flush_listed = true;
    to_flush_.push_back(&connection);
}

void Loop::want_read(Connection& connection) {
    if (connection.read_listed) return;
    connection.read_listed = true;
    to_read_.push_back(&connection);
}

void Loop::bury(std::unique_ptr<Connection> connection) {
    for (auto* list : {&to_flush_, &flush_now_, &to_read_, &read_now_}) {
        std::replace(list->begin(), list->end(), connection.get(), static_cast<Connection*>(nullptr));
    }
    graveyard_.push_back(std::move(connection));
}

bool Loop::watch(Connection& connection, int fd, bool output, bool known) {
    epoll_event event{};
    event.events = EPOLLIN | (output ? EPOLLOUT : 0u);
    event.data.ptr = &connection;
    return epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0;
}

uint64_t Loop::look_up(Connection& connection, const Origin& origin, bool untrusted) {
    const uint64_t ticket = next_ticket_++;
    if (!resolver_.resolve(origin.host, origin.port, untrusted, ticket, door_)) return 0;
    lookups_[ticket] = &connection;
    return ticket;
}

bool Loop::take_handshake(Pool& pool) {
    const bool passing = pool.endpoint().passing;
    Handshakes& handshakes = handshakes_[passing ? 1 : 0];
    const bool place =
        handshakes.running < std::max(1u, options_.handshakes_max) &&
        (!passing || passing_connections_ < std::max(1u, options_.passing_connections_max) || close_one_idle(true));
    if (place) {
        ++handshakes.running;
        if (passing) ++passing_connections_;
        return true;
    }
    if (!std::exchange(pool.waits_for_place, true)) handshakes.waiting.push_back(&pool);
    return false;
}

void Loop::give_handshake(const Pool& pool) {
    --handshakes_[pool.endpoint().passing ? 1 : 0].running;
    invite_next(pool);
}

void Loop::connection_gone(const Pool& pool) {
    if (!pool.endpoint().passing) return;
    --passing_connections_;
    invite_next(pool);
}

void Loop::invite_next(const Pool& pool) {
    std::deque<Pool*>& waiting = handshakes_[pool.endpoint().passing ? 1 : 0].waiting;
    if (waiting.empty()) return;
    Pool* next = waiting.front();
    waiting.pop_front();
    next->waits_for_place = false;
    next->invited = true;
    touch(*next);
}

bool Loop::close_one_idle(bool passing_only) {
    Connection* oldest = nullptr;
    for (const auto& pool : pools_) {
        if (!pool || (passing_only && !pool->endpoint().passing)) continue;
        Connection* candidate = pool->longest_idle();
        if (candidate != nullptr && (oldest == nullptr || candidate->idle_since() < oldest->idle_since()))
            oldest = candidate;
    }
    if (oldest == nullptr) return false;
    oldest->abandon("idle, and others need its place");
    return true;
}

uint32_t Loop::random() noexcept {
    // xorshift64*: only spreads retries.
    random_state_ ^= random_state_ >> 12;
    random_state_ ^= random_state_ << 25;
    random_state_ ^= random_state_ >> 27;
    return static_cast<uint32_t>((random_state_ * 0x2545F4914F6CDD1Dull) >> 32);
}

void Loop::begin_stop(int64_t deadline) {
    stopping_ = true;
    stop_deadline_ = deadline;
    for (const auto& active : actives_) withdraw(*active);
    for (const auto& pool : pools_) {
        if (!pool) continue;
        pool->retire_all("stopping");
        pool->abandon_unopened("stopping");
    }
}

bool Loop::stop_done() {
    if (!stopping_) return false;
    if (clock_.mono_ns() >= stop_deadline_) return true;
    if (!actives_.empty()) return false;
    return std::none_of(pools_.begin(), pools_.end(), [](const auto& pool) { return pool && pool->has_connections(); });
}

void Loop::close_up() {
    for (const auto& pool : pools_) {
        if (pool) pool->abandon_all("stopping");
    }
    settle_turn();
    door_->close();
    handle_door();
    settle_turn();
    for (const auto& pool : pools_) {
        if (pool) pool->publish();
    }
}

}  // namespace belfry::http
