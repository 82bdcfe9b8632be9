// SPDX-License-Identifier: Apache-2.0
#include "delivery/gate.h"

#include <algorithm>
#include <limits>

#include "delivery/verdict_action.h"
#include "policy/backoff.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kRampNs = 10 * kNsPerSecond;
constexpr int64_t kRetireEveryNs = kNsPerSecond;
constexpr uint32_t kStreamsUnknown = 200;  // before the first plan names an endpoint
constexpr uint32_t kStragglersMin = 16;
constexpr uint64_t kWindowSlack = 2'000;     // deliveries on their way to and from the loops
constexpr uint32_t kOverloadedPercent = 10;  // of a page's answers, from which the window shrinks
constexpr uint32_t kWidenStep = kShareFull / 64;
constexpr int64_t kShrinkEveryNs = 500 * kNsPerMs;  // pages in flight say the same of one moment
// Failures beside successes are their own, also those of stragglers and retries, which come in pages of failures only.
constexpr int64_t kContradictedNs = 20 * kNsPerSecond;
constexpr int64_t kFailingPauseMaxMs = 5'000;     // it may be one push's fault: others are not to wait long
constexpr int64_t kWidenEveryNs = 50 * kNsPerMs;  // from the least to the whole window in 3 s at best

}  // namespace

Gate::Gate(std::string name, uint32_t number, uint64_t per_minute, Sender& sender, const Clock& clock, Log& log,
           Metrics& metrics)
    : name_(std::move(name)),
      number_(number),
      sender_(sender),
      clock_(clock),
      log_(log, "delivery"),
      pacer_(per_minute),
      origins_(name_, clock, log),
      platforms_(name_, clock, log),
      watch_(name_, clock, log),
      attempts_(metrics.counter("attempts_total", "Requests answered or timed out", {{"provider", name_}})),
      gate_open_(metrics.gauge("provider_open", "1 while work for the provider is claimed", {{"provider", name_}})) {
    for (uint32_t outcome = 1; outcome < kOutcomes; ++outcome) {
        const std::string word(word_of_outcome(static_cast<int32_t>(outcome)));
        outcomes_[outcome] = &metrics.counter("deliveries_total", "Deliveries that ended, by outcome",
                                              {{"provider", name_}, {"outcome", word}});
    }
    gate_open_.set(0);  // until it has a generation
}

std::shared_ptr<Generation> Gate::generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
}

void Gate::switch_to(std::shared_ptr<Generation> next) {
    {
        const std::lock_guard lock(mutex_);
        generation_.swap(next);
        reason_.clear();
        failures_ = failed_run_ = refusals_ = 0;
        accepted_at_ = 0;
        failing_since_ = 0;
    }
    block_ = Block::None;
    blocked_until_ = 0;
    share_ = kShareFull;
    breaker_.reset();
    origins_.reset();
    platforms_.reset();
    pacer_.resume();
    gate_open_.set(1);
}

void Gate::uses(http::EndpointId endpoint) {
    const std::lock_guard lock(mutex_);
    if (std::find(endpoints_.begin(), endpoints_.end(), endpoint) == endpoints_.end()) endpoints_.push_back(endpoint);
}

void Gate::packs(uint32_t deliveries) noexcept {
    uint32_t most = packed_.load(std::memory_order_relaxed);
    while (deliveries > most && !packed_.compare_exchange_weak(most, deliveries, std::memory_order_relaxed)) {
    }
}

uint32_t Gate::free_streams() const {
    const std::lock_guard lock(mutex_);
    if (endpoints_.empty()) return kStreamsUnknown;
    uint64_t sum = 0;
    for (const http::EndpointId endpoint : endpoints_) sum += sender_.credit(endpoint);
    return static_cast<uint32_t>(std::min<uint64_t>(sum, std::numeric_limits<uint32_t>::max()));
}

// Deliveries that may be under way at once: enough to keep every stream busy, at most a second of the rate.
uint32_t Gate::window() const {
    if (const std::shared_ptr<Generation> current = generation(); current != nullptr && current->sends != nullptr)
        return std::max(
            1u, current->sends->threads() * kItemsPerSend * 2 * share_.load(std::memory_order_relaxed) / kShareFull);
    const uint64_t streams = std::max(free_streams(), streams_.load(std::memory_order_relaxed));
    streams_.store(static_cast<uint32_t>(streams), std::memory_order_relaxed);
    uint64_t most = streams * 3 * packed_.load(std::memory_order_relaxed) + kWindowSlack;
    if (const uint64_t per_minute = pacer_.per_minute(); per_minute > 0) most = std::min(most, per_minute / 60);
    most = most * share_.load(std::memory_order_relaxed) / kShareFull;
    return static_cast<uint32_t>(std::max<uint64_t>(most, 1));
}

bool Gate::closed() const {
    if (clock_.mono_ns() < blocked_until_.load(std::memory_order_relaxed)) return true;
    const std::shared_ptr<Generation> current = generation();
    return current == nullptr || (current->authorizer != nullptr && !current->authorizer->ready());
}

uint32_t Gate::room(bool high) const {
    if (closed()) return 0;
    const uint32_t in_flight = in_flight_.load(std::memory_order_relaxed);
    const uint32_t most = most_in_flight(high);
    return in_flight < most ? most - in_flight : 0;
}

uint32_t Gate::most_in_flight(bool high) const {
    return probing() ? kProbePage : high ? window() * 2 : window();
}

uint32_t Gate::page_rows(bool high, uint32_t rows_max) const {
    const uint32_t in_flight = in_flight_.load(std::memory_order_relaxed);
    const uint32_t most = most_in_flight(high);
    return std::clamp<uint32_t>(in_flight < most ? most - in_flight : 0, 1, rows_max);
}

uint32_t Gate::request_deliveries_max() const noexcept {
    const uint64_t per_minute = pacer_.per_minute();
    if (per_minute == 0) return std::numeric_limits<uint32_t>::max();
    return static_cast<uint32_t>(std::clamp<uint64_t>(per_minute / 60, 1, std::numeric_limits<uint32_t>::max()));
}

bool Gate::take_stragglers(uint32_t n) {
    const uint32_t most = std::max(kStragglersMin, streams_.load(std::memory_order_relaxed) / 4);
    uint32_t now = stragglers_.load(std::memory_order_relaxed);
    do {
        if (now + n > most) return false;
    } while (!stragglers_.compare_exchange_weak(now, now + n, std::memory_order_relaxed));
    return true;
}

void Gate::open_now() {
    failures_ = failed_run_ = 0;
    failing_since_ = 0;
    block_ = Block::None;
    gate_open_.set(1);
}

void Gate::note_success() {
    if (!probing()) return;
    {
        const std::lock_guard lock(mutex_);
        if (!probing() || clock_.mono_ns() < blocked_until_.load(std::memory_order_relaxed)) return;
        open_now();
    }
    log_.info("provider works again", {{"provider", name_}});
}

void Gate::note_accepted(const Generation& by) {
    {
        const std::lock_guard lock(mutex_);
        const bool current = &by == generation_.get();
        const bool few = refusals_ <= kOwnRefusalsMax;
        if (current) accepted_at_ = clock_.mono_ns();
        if (current && (few || block_ != Block::Refused)) refusals_ = 0;
        if (current && few && block_ == Block::Refused) {
            blocked_until_ = 0;
            pacer_.resume();
        }
    }
    note_success();
}

void Gate::block(Block why, std::string reason, int64_t pause_ms) {
    const int64_t until = clock_.mono_ns() + pause_ms * kNsPerMs;
    reason_ = std::move(reason);
    last_error_ = reason_;
    last_error_unix_ms_ = clock_.unix_ms();
    block_ = why;
    if (until > blocked_until_) blocked_until_ = until;
    pacer_.pause_until(blocked_until_, kRampNs);
    gate_open_.set(0);
}

void Gate::note_answers(uint32_t accepted, uint32_t overloaded) {
    if (accepted > 0) worked_at_.store(clock_.mono_ns(), std::memory_order_relaxed);
    if (overloaded > 0) {
        if (uint64_t{overloaded} * 100 >= (uint64_t{accepted} + overloaded) * kOverloadedPercent) shrink_window();
        return;
    }
    const uint32_t share = share_.load(std::memory_order_relaxed);
    if (accepted == 0 || share == kShareFull) return;
    const int64_t now = clock_.mono_ns();
    int64_t last = std::max(widened_at_.load(std::memory_order_relaxed), shrunk_at_.load(std::memory_order_relaxed));
    if (now < last + kWidenEveryNs) return;
    widened_at_.store(now, std::memory_order_relaxed);
    share_.store(std::min(kShareFull, share + kWidenStep), std::memory_order_relaxed);
}

void Gate::shrink_window() {
    const int64_t now = clock_.mono_ns();
    int64_t last = shrunk_at_.load(std::memory_order_relaxed);
    if (last != 0 && now < last + kShrinkEveryNs) return;
    if (!shrunk_at_.compare_exchange_strong(last, now, std::memory_order_relaxed)) return;
    share_.store(std::max(kShareLeast, share_.load(std::memory_order_relaxed) / 2), std::memory_order_relaxed);
}

void Gate::note_throttled(int64_t pause_ms) {
    shrink_window();
    const std::lock_guard lock(mutex_);
    const bool news = clock_.mono_ns() >= blocked_until_;
    block(Block::Throttled, "the provider asks to slow down", pause_ms);
    if (news) log_.warning("provider throttles, paused", {{"provider", name_}, {"pause_ms", pause_ms}});
}

bool Gate::note_refused(const Generation& by, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    if (&by != generation_.get()) return true;
    const int64_t now = clock_.mono_ns();
    const bool closed = block_ == Block::Refused && now < blocked_until_;
    refusals_ = block_ == Block::Refused && !closed ? 1 : refusals_ + 1;
    // Requests that were under way when it was refused first are the same failure.
    if (closed) return true;
    const bool accepts = accepted_at_ != 0 && now - accepted_at_ < kAcceptedLatelyNs;
    if (block_ != Block::Refused && accepts && refusals_ <= kOwnRefusalsMax) return false;
    failures_ = block_ == Block::Refused ? failures_ + 1 : 1;
    const int64_t pause_ms = policy::refused_credential_delay_ms(failures_);
    block(Block::Refused, std::string(reason), pause_ms);
    log_.error("provider refuses our credential or settings; deliveries wait, an operator must act",
               {{"provider", name_}, {"reason", reason}, {"next_try_ms", pause_ms}});
    return true;
}

void Gate::note_unreachable() {
    const std::lock_guard lock(mutex_);
    if (clock_.mono_ns() < blocked_until_ || block_ == Block::Refused) return;
    std::string reason;
    for (const http::EndpointId endpoint : endpoints_) {
        if (reason.empty()) reason = sender_.last_connect_error(endpoint);
    }
    if (reason.empty()) return;  // held up by the pace or by full streams, not by the network
    failures_ = block_ == Block::Unreachable ? failures_ + 1 : 1;
    const int64_t pause_ms = policy::trouble_delay_ms(failures_);
    log_.warning("provider cannot be reached, deliveries wait",
                 {{"provider", name_}, {"reason", reason}, {"next_try_ms", pause_ms}});
    block(Block::Unreachable, std::move(reason), pause_ms);
}

void Gate::note_failures(uint32_t failed, uint32_t others) {
    if (failed == 0 && others == 0) return;
    const bool fails = mostly_failures(failed, others);
    if (!fails && block_.load(std::memory_order_relaxed) == Block::Failing) note_success();
    const std::lock_guard lock(mutex_);
    failed_run_ = fails ? failed_run_ + std::min(failed, kFailedRunMin) : 0;
    if (failed_run_ < kFailedRunMin) return;
    failed_run_ = kFailedRunMin;
    const int64_t now = clock_.mono_ns();
    const int64_t worked_at = worked_at_.load(std::memory_order_relaxed);
    if (worked_at != 0 && now - worked_at < kContradictedNs) return;
    if (now < blocked_until_ || block_ == Block::Refused) return;
    if (failing_since_ == 0) failing_since_ = now;
    failures_ = block_ == Block::Failing ? failures_ + 1 : 1;
    const int64_t pause_ms = std::min(policy::trouble_delay_ms(failures_), kFailingPauseMaxMs);
    std::string reason = last_error_;
    log_.warning("provider fails nearly every request, deliveries wait",
                 {{"provider", name_}, {"reason", reason}, {"next_try_ms", pause_ms}});
    block(Block::Failing, std::move(reason), pause_ms);
}

bool Gate::fails_everybody() const {
    const int64_t since = failing_since_.load(std::memory_order_relaxed);
    return since != 0 && clock_.mono_ns() < since + kPatienceNs;
}

void Gate::note_error(std::string_view reason) {
    const std::lock_guard lock(mutex_);
    last_error_.assign(reason);
    last_error_unix_ms_ = clock_.unix_ms();
}

bool Gate::may_delete(const OriginKey& origin, bool suspect) const {
    if (origin.id >= 0) return origins_.may_delete(origin, suspect);
    return suspect ? breaker_.may_delete_suspects(clock_.mono_ns() / kNsPerMs) : breaker_.may_delete_definite();
}

void Gate::retire_connections(http::EndpointId endpoint) {
    const int64_t now = clock_.mono_ns();
    int64_t last = retired_at_.load(std::memory_order_relaxed);
    if (last != 0 && now < last + kRetireEveryNs) return;
    if (retired_at_.compare_exchange_strong(last, now, std::memory_order_relaxed)) sender_.retire(endpoint);
}

GateState Gate::state_of(Block block) {
    switch (block) {
        case Block::None:
            return GateState::Open;
        case Block::Throttled:
            return GateState::Throttled;
        case Block::Refused:
            return GateState::Refused;
        case Block::Unreachable:
            return GateState::Unreachable;
        case Block::Failing:
            return GateState::Failing;
    }
    return GateState::Open;
}

ProviderStatus Gate::status() const {
    ProviderStatus status;
    status.name = name_;
    status.deletions_stopped = breaker_.open();
    status.per_minute = pacer_.per_minute();
    status.in_flight = in_flight_;
    status.stragglers = stragglers_;
    status.pages = pages_;
    status.free_streams = free_streams();
    status.window = probing() ? kProbePage : window();
    const int64_t now = clock_.mono_ns();
    const std::shared_ptr<Generation> current = generation();
    if (current != nullptr && current->authorizer != nullptr) {
        const CredentialStatus credential = current->authorizer->status();
        if (credential.needed)
            status.credential_valid_ms = std::max<int64_t>(0, credential.valid_until_mono_ns - now) / kNsPerMs;
        status.operator_must_act = credential.operator_must_act;
        if (!credential.ready) {
            status.state = GateState::NoCredential;
            status.reason = credential.reason;
            status.closed_ms = std::max<int64_t>(0, credential.next_try_mono_ns - now) / kNsPerMs;
        }
    }
    if (current == nullptr) status.state = GateState::NotStarted;
    const std::lock_guard lock(mutex_);
    for (const http::EndpointId endpoint : endpoints_)
        status.connections = std::max<int64_t>(status.connections, 0) + sender_.connections(endpoint);
    status.paused_platforms = platforms_.paused();
    status.platforms = platforms_.troubled();
    status.last_error = last_error_;
    status.last_error_unix_ms = last_error_unix_ms_;
    if (block_ != Block::None && status.state == GateState::Open) {
        status.probing = now >= blocked_until_;
        status.state = state_of(block_);
        status.reason = reason_;
        status.closed_ms = std::max<int64_t>(0, blocked_until_ - now) / kNsPerMs;
    }
    status.credentials = watch_.report();
    const auto& certificate = status.credentials.certificate_valid_ms;
    status.operator_must_act = status.operator_must_act || (certificate && *certificate <= 0);
    status.origins = origins_.troubled();
    for (const OriginStatus& origin : status.origins) {
        status.deletions_stopped = status.deletions_stopped || origin.deletions_stopped;
        status.operator_must_act = status.operator_must_act || origin.state == GateState::Refused;
    }
    status.operator_must_act =
        status.operator_must_act || block_ == Block::Refused || status.deletions_stopped || !status.platforms.empty();
    return status;
}

}  // namespace belfry::delivery
