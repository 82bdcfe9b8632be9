// SPDX-License-Identifier: Apache-2.0
#include "http/pool.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "http/connection.h"
#include "http/loop.h"
#include "http/pacer.h"

namespace belfry::http {

namespace {

constexpr uint32_t kBurst = 32;                  // requests in a row on one connection: about a TLS record
constexpr int64_t kOpenEveryNs = 20 * kNsPerMs;  // a further connection only if streams stay scarce for so long
constexpr int64_t kBackoffFirstNs = 100 * kNsPerMs;
constexpr int64_t kBackoffMaxNs = 30 * kNsPerSecond;
constexpr uint32_t kBackoffDoublings = 9;
constexpr uint8_t kReplaysMax = 8;                 // then the exchange goes back as NeverSent
constexpr uint8_t kReplaysAtOnce = 2;              // later ones wait a little
constexpr int64_t kReplayDelayNs = 10 * kNsPerMs;  // doubled each time
constexpr int64_t kUnusedNs = 30 * kNsPerSecond;   // then the pool of a passing endpoint goes
constexpr uint32_t kScarcePercent = 80;            // of streams in use: time for a further connection

enum Phase : uint8_t { kWaiting = 0, kStarted = 1, kDone = 2 };

}  // namespace

Active::Active(Loop& on) : Timer(on.timers()), loop(on) {}

void Active::on_time(int64_t) noexcept {
    loop.withdraw(*this);
}

Pool::Pool(Loop& loop, std::shared_ptr<Endpoint> endpoint)
    : Timer(loop.timers()),
      loop_(loop),
      holds_(std::move(endpoint)),
      endpoint_(*holds_),
      declared_(endpoint_.declared.load(std::memory_order_relaxed)),
      streams_expected_(endpoint_.config.wait_settings ? 1 : Session::kAssumedStreams) {}

Pool::~Pool() = default;

void Pool::enqueue(Active& active, uint32_t from, uint32_t to) {
    push(Range{&active, from, to}, false);
    loop_.touch(*this);
}

void Pool::push(const Range& range, bool front) {
    Queue& queue = range.active->portion->high ? high_ : normal_;
    front ? queue.push_front(range) : queue.push_back(range);
    waiting_ += range.end - range.next;
}

void Pool::forget(const Active& active) {
    const auto of_active = [&](const Range& range) {
        if (range.active != &active) return false;
        waiting_ -= range.end - range.next;
        return true;
    };
    const size_t waited = waiting_;
    std::erase_if(active.portion->high ? high_ : normal_, of_active);
    std::erase_if(delayed_, [&](const Delayed& delayed) { return of_active(delayed.range); });
    if (waiting_ != waited) loop_.touch(*this);  // every pool is asked, and there may be thousands
}

void Pool::replay(Active& active, Exchange& exchange) {
    if (active.withdrawn || exchange.replays >= kReplaysMax) {
        ++tally_.never_sent;
        loop_.finish(active, exchange, Transport::NeverSent);
        return;
    }
    ++tally_.replays;
    ++exchange.replays;
    exchange.phase = kWaiting;
    const auto at = static_cast<uint32_t>(&exchange - active.portion->exchanges.data());
    const Range range{&active, at, at + 1};
    loop_.touch(*this);
    // Never straight into the queues: they may be being served right now.
    const bool at_once = exchange.replays <= kReplaysAtOnce;
    const int64_t wait = at_once ? 0 : kReplayDelayNs << (exchange.replays - kReplaysAtOnce - 1);
    delayed_.push_back({loop_.now() + wait, range});
    ++waiting_;
}

void Pool::release_delayed() {
    for (size_t i = 0; i < delayed_.size();) {
        if (delayed_[i].due > loop_.now()) {
            wake_at_ = std::min(wake_at_, delayed_[i++].due);
            continue;
        }
        --waiting_;
        push(delayed_[i].range, true);
        delayed_[i] = delayed_.back();
        delayed_.pop_back();
    }
}

void Pool::pump() {
    wake_at_ = kNever;
    starved_ = false;
    look_for_mending();
    if (!delayed_.empty()) release_delayed();
    current_ = nullptr;
    const Pacer* later = nullptr;
    serve(high_, true, later);
    serve(normal_, false, later);
    const bool was_invited = std::exchange(invited, false);
    const bool opened = !loop_.stopping() && wants_connection() && open_connection();
    if (was_invited && !opened && !waits_for_place) loop_.invite_next(*this);
    if (!unused() || unused_since_ == 0) unused_since_ = loop_.now();
    if (unused() && endpoint_.passing) wake_at_ = std::min(wake_at_, unused_since_ + kUnusedNs);
    arm(wake_at_);
}

// Ranges whose pacer says "later" stay; others behind them may have another pacer. Those with the same one wait in
// their turn, in the other lane too: small requests would else use up what a large one waits for.
void Pool::serve(Queue& queue, bool high, const Pacer*& later) {
    for (size_t i = 0; i < queue.size();) {
        if (later != nullptr && queue[i].active->portion->pacer == later) {
            ++i;
            continue;
        }
        int64_t paced_until = 0;
        if (!send_range(queue[i], high, paced_until)) {
            starved_ = true;
            return;
        }
        if (queue[i].next < queue[i].end) {
            wake_at_ = std::min(wake_at_, paced_until);
            later = queue[i].active->portion->pacer;
            ++i;
        } else {
            queue.erase(queue.begin() + static_cast<ptrdiff_t>(i));
        }
    }
}

// False if there is no stream for the next exchange.
bool Pool::send_range(Range& range, bool high, int64_t& paced_until) {
    Active& active = *range.active;
    Pacer* pacer = active.portion->pacer;
    while (range.next < range.end) {
        Exchange& exchange = active.portion->exchanges[range.next];
        if (current_ == nullptr || burst_left_ == 0 || current_->room(high) == 0) current_ = pick(high);
        if (current_ == nullptr) return false;
        const int64_t wait = pacer == nullptr ? 0 : pacer->try_take(loop_.now(), high, exchange.deliveries);
        if (wait > 0) {
            paced_until = loop_.now() + wait;
            return true;
        }
        exchange.phase = kStarted;
        const Connection::Sent sent = current_->send(active, exchange);
        if (sent == Connection::Sent::Full) {
            exchange.phase = kWaiting;
            current_ = nullptr;
            continue;
        }
        ++range.next;
        --waiting_;
        --burst_left_;
        if (sent == Connection::Sent::Yes) continue;
        ++tally_.never_sent;
        loop_.finish(active, exchange,
                     sent == Connection::Sent::Malformed ? Transport::Unsendable : Transport::NeverSent);
    }
    return true;
}

Connection* Pool::pick(bool high) {
    Connection* best = nullptr;
    uint32_t most = 0;
    for (const auto& connection : connections_) {
        const uint32_t room = connection->room(high);
        if (room > most) {
            most = room;
            best = connection.get();
        }
    }
    burst_left_ = kBurst;
    return best;
}

bool Pool::wants_connection() const {
    uint32_t limit = 0, used = 0;
    bool unsettled = false;
    for (const auto& connection : connections_) {
        if (connection->retiring()) continue;
        // Such peers allow one stream until they have seen a credential they accept: that is no shortage.
        unsettled |= !connection->settings_seen() || !connection->answered();
        if (!connection->shares_streams()) continue;  // without a spare one: something waits, or it is enough
        limit += connection->limit();
        used += connection->in_flight();
    }
    if (endpoint_.config.wait_settings && unsettled) return false;
    if (starved_) return true;
    return limit > 0 && uint64_t{used} * 100 > uint64_t{limit} * kScarcePercent;
}

// True if one is being opened now.
bool Pool::open_connection() {
    const auto usable = static_cast<uint32_t>(
        std::count_if(connections_.begin(), connections_.end(), [](const auto& c) { return !c->retiring(); }));
    if (usable >= endpoint_.config.connections_max) return false;
    const int64_t not_before = std::max(retry_at_, usable == 0 ? 0 : next_open_at_);
    if (loop_.now() < not_before) {
        wake_at_ = std::min(wake_at_, not_before);
        return false;
    }
    if (!loop_.take_handshake(*this)) return false;
    next_open_at_ = loop_.now() + kOpenEveryNs;
    connections_.push_back(std::make_unique<Connection>(loop_, *this));
    connections_.back()->begin();
    if (starved_ && usable > 0) wake_at_ = std::min(wake_at_, next_open_at_);
    return true;
}

void Pool::look_for_mending() {
    const uint32_t declared = endpoint_.declared.load(std::memory_order_relaxed);
    if (declared == std::exchange(declared_, declared)) return;
    failures_ = 0;
    retry_at_ = 0;
}

void Pool::on_opened(Connection&) {
    ++tally_.handshakes;
    endpoint_.meters.connections.add(1);
    loop_.give_handshake(*this);
    loop_.touch(*this);
}

void Pool::on_first_answer(const Connection& connection) {
    connection.remember_success(addresses);
    if (failures_ > 0) loop_.log().info("endpoint works again", {{"endpoint", endpoint_.origin.authority}});
    failures_ = 0;
    retry_at_ = 0;
    endpoint_.set_connect_error({});
}

void Pool::on_idle() {
    if (endpoint_.passing) loop_.invite_next(*this);  // its place may be had now
}

void Pool::on_closed(Connection& connection, bool was_open, bool useless, const std::string& why) {
    if (was_open) {
        endpoint_.meters.connections.add(-1);
    } else {
        loop_.give_handshake(*this);
    }
    if (useless && !why.empty() && !loop_.stopping()) note_failure(connection, why);
    if (!useless && loop_.log().enabled(LogLevel::Debug)) {
        loop_.log().debug("connection closed", {{"endpoint", endpoint_.origin.authority}, {"why", why}});
    }
    if (current_ == &connection) current_ = nullptr;
    const auto at = std::find_if(connections_.begin(), connections_.end(),
                                 [&](const auto& candidate) { return candidate.get() == &connection; });
    BELFRY_ASSERT(at != connections_.end());
    loop_.bury(std::move(*at));
    connections_.erase(at);
    loop_.connection_gone(*this);
    loop_.touch(*this);
}

void Pool::note_failure(const Connection& connection, const std::string& why) {
    connection.remember_failure(addresses);
    ++tally_.connect_failures;
    const int64_t full = std::min(kBackoffMaxNs, kBackoffFirstNs << std::min(failures_, kBackoffDoublings));
    ++failures_;
    if (failures_ > 1) family = AF_UNSPEC;
    const int64_t wait = full / 2 + static_cast<int64_t>(loop_.random() % static_cast<uint64_t>(full / 2));
    retry_at_ = loop_.now() + wait;
    endpoint_.set_connect_error(why);
    loop_.log().warning("endpoint cannot be used", {{"endpoint", endpoint_.origin.authority},
                                                    {"why", why},
                                                    {"failures", failures_},
                                                    {"next_try_ms", wait / kNsPerMs}});
}

void Pool::retire_all(std::string_view why) {
    for (const auto& connection : connections_) connection->retire(why);
}

void Pool::abandon_all(std::string_view why) {
    // Each leaves the list meanwhile.
    for (size_t i = connections_.size(); i-- > 0;) connections_[i]->abandon(why);
}

void Pool::abandon_unopened(std::string_view why) {
    for (size_t i = connections_.size(); i-- > 0;) {
        if (!connections_[i]->open()) connections_[i]->abandon(why);
    }
}

void Pool::on_time(int64_t now) noexcept {
    if (unused() && endpoint_.passing && now >= unused_since_ + kUnusedNs) return loop_.drop(*this);
    loop_.touch(*this);
}

Connection* Pool::longest_idle() const noexcept {
    Connection* oldest = nullptr;
    if (waiting_ > 0) return nullptr;  // one that has just opened is about to be used
    for (const auto& connection : connections_) {
        if (connection->idle() && (oldest == nullptr || connection->idle_since() < oldest->idle_since()))
            oldest = connection.get();
    }
    return oldest;
}

void Pool::publish() {
    uint32_t free = 0, usable = 0, expected = 0;
    for (const auto& connection : connections_) {
        if (connection->retiring()) continue;
        ++usable;
        if (connection->open()) {
            free += connection->room(false);
            if (connection->settings_seen()) streams_expected_ = std::max(1u, connection->limit());
        } else {
            expected += streams_expected_;
        }
    }
    if (usable < endpoint_.config.connections_max)
        expected += (endpoint_.config.connections_max - usable) * streams_expected_;
    const auto queued = static_cast<uint32_t>(std::min<size_t>(waiting_, UINT32_MAX));
    const auto left = [queued](uint32_t streams) { return streams > queued ? streams - queued : 0; };
    Endpoint::Share& share = endpoint_.shares[loop_.number()];
    share.open.store(left(free), std::memory_order_relaxed);
    share.potential.store(left(free + expected), std::memory_order_relaxed);
    share.opens_at.store(retry_at_, std::memory_order_relaxed);
    const auto add = [](Metric& metric, uint64_t n) {
        if (n != 0) metric.add(static_cast<double>(n));
    };
    EndpointMeters& meters = endpoint_.meters;
    add(meters.handshakes, tally_.handshakes);
    add(meters.connect_failures, tally_.connect_failures);
    add(meters.requests, tally_.requests);
    add(meters.resets, tally_.resets);
    add(meters.goaways, tally_.goaways);
    add(meters.replays, tally_.replays);
    add(meters.timeouts, tally_.timeouts);
    add(meters.never_sent, tally_.never_sent);
    add(meters.answers_2xx, tally_.answers[2]);
    add(meters.answers_3xx, tally_.answers[3]);
    add(meters.answers_4xx, tally_.answers[4]);
    add(meters.answers_5xx, tally_.answers[5]);
    tally_ = {};
}

}  // namespace belfry::http
