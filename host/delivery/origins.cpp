// SPDX-License-Identifier: Apache-2.0
#include "delivery/origins.h"

#include <algorithm>
#include <cstring>

#include "audience/hashes.h"
#include "policy/backoff.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kDayNs = 24 * 3600 * kNsPerSecond;
// What waits while an origin is probed comes back after half of its last pause, within these: each time its requests
// are written anew.
constexpr int64_t kProbeWaitMinMs = 6'000, kProbeWaitMaxMs = 30'000;
// Trouble whose pause is over and that nobody asked about for so long is shown no more.
constexpr int64_t kShownNs = 15 * 60 * kNsPerSecond;
// What waits for any that refuses is let in for so long once one may be asked again, and again after a while if nothing
// of it came (its work may be behind other work): what comes of the others' goes back at once, which must not go on.
constexpr int64_t kLetInNs = 2 * kNsPerSecond, kLetInAgainNs = 30 * kNsPerSecond;

}  // namespace

OriginId origin_id(std::string_view url, http::EndpointId endpoint) {
    if (url.empty()) return endpoint;
    const audience::Hash16 hash = audience::hash_of({url});
    OriginId id = 0;
    std::memcpy(&id, hash.data(), sizeof id);
    constexpr OriginId kMark = OriginId{1} << 62;  // no endpoint's number
    return (id & (kMark - 1)) | kMark;
}

Origins::Origins(std::string instance, const Clock& clock, Log& log)
    : instance_(std::move(instance)), clock_(clock), log_(log, "delivery") {}

Origins::Origin* Origins::find(OriginId id) {
    const auto found =
        std::find_if(origins_.begin(), origins_.end(), [&](const Origin& origin) { return origin.id == id; });
    return found == origins_.end() ? nullptr : &*found;
}

// In place of the one not used for longest, an open one if there is any.
Origins::Origin& Origins::remember(OriginId id, std::string_view url, int64_t now) {
    Origin* origin = find(id);
    if (origin == nullptr && origins_.size() < kOriginsMax) origin = &origins_.emplace_back();
    if (origin == nullptr) {
        origin = &*std::min_element(origins_.begin(), origins_.end(), [](const Origin& a, const Origin& b) {
            const bool a_open = a.block == GateState::Open, b_open = b.block == GateState::Open;
            return a_open != b_open ? a_open : a.used_at < b.used_at;
        });
        if (origin->block != GateState::Open) blocked_.fetch_sub(1, std::memory_order_relaxed);
        *origin = Origin{};
    }
    origin->id = id;
    if (origin->url.empty()) origin->url = url;
    origin->used_at = now;
    return *origin;
}

Origins::Permit Origins::ask(OriginId id) {
    if (blocked_.load(std::memory_order_relaxed) == 0) return {};
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    Origin* const origin = find(id);
    if (origin == nullptr || origin->block == GateState::Open) return {};
    origin->used_at = now;
    Permit permit;
    const bool troubled = origin->block == GateState::Unreachable || origin->block == GateState::Failing;
    permit.costs_attempt = troubled && !works(*origin, now);
    if (now >= origin->until) {  // the pause is over, or the probes of a while ago told nothing
        const int64_t wait_ms = std::clamp(origin->pause_ms / 2, kProbeWaitMinMs, kProbeWaitMaxMs);
        origin->probing = true;
        origin->probes_left = kOriginProbes;
        origin->until = now + wait_ms * kNsPerMs;
    }
    if (origin->probing && origin->probes_left > 0) {
        --origin->probes_left;
        return {};
    }
    permit.wait_ms = std::max<int64_t>((origin->until - now) / kNsPerMs, kProbeWaitMinMs);
    return origin->block == GateState::Refused ? refusal(*origin, permit.wait_ms, now) : permit;
}

Origins::Permit Origins::refusal(const Origin& origin, int64_t wait_ms, int64_t now) noexcept {
    return {wait_ms, now - origin.refused_since > kDayNs, true, wait_ms};
}

bool Origins::may_ask_refused() {
    if (blocked_.load(std::memory_order_relaxed) == 0) return true;
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    bool refuses = false, may = false;
    for (Origin& origin : origins_) {
        if (origin.block != GateState::Refused) continue;
        refuses = true;
        if (now < origin.look_at) continue;
        const bool due = now >= origin.until || (origin.probing && origin.probes_left > 0);
        if (!due) {
            origin.due_since = 0;
            continue;
        }
        if (origin.due_since == 0) origin.due_since = now;
        if (now - origin.due_since < kLetInNs) {
            may = true;
        } else {
            origin.due_since = 0;
            origin.look_at = now + kLetInAgainNs;
        }
    }
    return may || !refuses;
}

int64_t Origins::block(Origin& origin, GateState why, int64_t pause_ms, std::string_view reason, int64_t now) {
    if (origin.block == GateState::Open) blocked_.fetch_add(1, std::memory_order_relaxed);
    origin.block = why;
    origin.until = now + pause_ms * kNsPerMs;
    origin.pause_ms = pause_ms;
    origin.probing = false;
    origin.reason = reason;
    return pause_ms;
}

int64_t Origins::throttled(OriginId id, std::string_view url, int64_t pause_ms, std::string_view reason) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    Origin& origin = remember(id, url, now);
    const bool news = origin.block == GateState::Open;
    // Of answers to requests that were under way together the longest wait counts, and a refusal more than that.
    const bool longer = now + pause_ms * kNsPerMs > origin.until && origin.block != GateState::Refused;
    if (!news && !origin.probing && !longer) return std::max<int64_t>((origin.until - now) / kNsPerMs, 1);
    if (news)
        log_.warning("origin throttles, paused",
                     {{"provider", instance_}, {"origin", origin.url}, {"pause_ms", pause_ms}});
    return block(origin, GateState::Throttled, pause_ms, reason, now);
}

Origins::Permit Origins::refused(OriginId id, std::string_view url, std::string_view reason) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    Origin& origin = remember(id, url, now);
    // Requests that were under way when it refused first are the same failure.
    if (origin.block == GateState::Refused && !origin.probing && now < origin.until)
        return refusal(origin, std::max<int64_t>((origin.until - now) / kNsPerMs, 1), now);
    const bool few = ++origin.refusals <= kOwnRefusalsMax;
    if (origin.block == GateState::Open && few && worked_just_now(origin, now)) return {};
    if (origin.refused_since == 0) origin.refused_since = now;
    origin.due_since = origin.look_at = 0;
    origin.failures = origin.block == GateState::Refused ? origin.failures + 1 : 1;
    const int64_t pause_ms = policy::refused_credential_delay_ms(origin.failures);
    log_.error("origin refuses our credential or settings; its deliveries wait, an operator must act",
               {{"provider", instance_}, {"origin", origin.url}, {"reason", reason}, {"next_try_ms", pause_ms}});
    return refusal(origin, block(origin, GateState::Refused, pause_ms, reason, now), now);
}

void Origins::silent(OriginId id, std::string_view url, std::string_view reason) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    Origin& origin = remember(id, url, now);
    trouble(origin, GateState::Unreachable, "origin cannot be reached, its deliveries wait", reason, now);
}

void Origins::failures(OriginId id, std::string_view url, uint32_t failed, uint32_t others, std::string_view reason) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    Origin& origin = remember(id, url, now);
    origin.failed_run = mostly_failures(failed, others) ? std::min(origin.failed_run + failed, kFailedRunMin) : 0;
    const bool was_away = origin.block == GateState::Failing || origin.block == GateState::Unreachable;
    if (was_away && !mostly_failures(failed, others)) open(origin);
    if (origin.failed_run < kFailedRunMin) return;
    trouble(origin, GateState::Failing, "origin fails nearly every request, its deliveries wait", reason, now);
}

void Origins::trouble(Origin& origin, GateState why, std::string_view line, std::string_view reason, int64_t now) {
    if (origin.block == GateState::Refused || (origin.block != GateState::Open && !origin.probing)) return;
    if (worked_just_now(origin, now)) return;
    origin.failures = origin.block == why ? origin.failures + 1 : 1;
    const int64_t pause_ms = policy::trouble_delay_ms(origin.failures);
    log_.warning(line,
                 {{"provider", instance_}, {"origin", origin.url}, {"reason", reason}, {"next_try_ms", pause_ms}});
    block(origin, why, pause_ms, reason, now);
}

void Origins::worked(OriginId id, std::string_view url) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    Origin& origin = remember(id, url, now);
    origin.worked_at = now;
    origin.refusals = origin.failed_run = 0;
    origin.refused_since = 0;
    // A throttle lasts as long as it was told to; a success shows that nothing else is wrong with the origin itself.
    open(origin);
}

void Origins::open(Origin& origin) {
    if (origin.block == GateState::Open || (origin.block == GateState::Throttled && !origin.probing)) return;
    origin.block = GateState::Open;
    origin.probing = false;
    origin.failures = 0;
    origin.reason.clear();
    blocked_.fetch_sub(1, std::memory_order_relaxed);
    log_.info("origin works again", {{"provider", instance_}, {"origin", origin.url}});
}

// A client chooses the path of its subscription, so a few refusals, or silence, beside successes are the subscriptions'
// own.
bool Origins::worked_just_now(const Origin& origin, int64_t now) const noexcept {
    return origin.worked_at != 0 && now - origin.worked_at < kAcceptedLatelyNs;
}

bool Origins::works(const Origin& origin, int64_t now) const noexcept {
    return origin.worked_at != 0 && now - origin.worked_at < kDayNs;
}

bool Origins::works(OriginId id) const {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    return std::any_of(origins_.begin(), origins_.end(),
                       [&](const Origin& origin) { return origin.id == id && works(origin, now); });
}

bool Origins::fails_everybody(OriginId id) const {
    if (blocked_.load(std::memory_order_relaxed) == 0) return false;
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    return std::any_of(origins_.begin(), origins_.end(), [&](const Origin& origin) {
        return origin.id == id && origin.block == GateState::Failing && works(origin, now);
    });
}

const Origins::Trust* Origins::trust_of(const OriginKey& key) const {
    const auto found =
        std::find_if(trusts_.begin(), trusts_.end(), [&](const auto& trust) { return trust->key == key; });
    return found == trusts_.end() ? nullptr : found->get();
}

void Origins::record(const OriginKey& key, std::string_view url, uint32_t accepted, uint32_t suspects,
                     uint32_t others) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    auto found = std::find_if(trusts_.begin(), trusts_.end(), [&](const auto& trust) { return trust->key == key; });
    if (found == trusts_.end()) {
        if (trusts_.size() >= kOriginsMax) {
            trusts_.erase(std::min_element(trusts_.begin(), trusts_.end(),
                                           [](const auto& a, const auto& b) { return a->used_at < b->used_at; }));
        }
        trusts_.push_back(std::make_unique<Trust>());
        found = std::prev(trusts_.end());
        (*found)->key = key;
        (*found)->url = url;
    }
    (*found)->used_at = now;
    if (!(*found)->breaker.record(now / kNsPerMs, accepted, suspects, others)) return;
    log_.error("nearly every device looks dead; deletions stopped, check the provider's credential and project",
               {{"provider", instance_}, {"origin", url}});
}

bool Origins::may_delete(const OriginKey& key, bool suspect) const {
    const int64_t now_ms = clock_.mono_ns() / kNsPerMs;
    const std::lock_guard lock(mutex_);
    const Trust* const trust = trust_of(key);
    if (trust == nullptr) return !suspect;
    return suspect ? trust->breaker.may_delete_suspects(now_ms) : trust->breaker.may_delete_definite();
}

std::vector<OriginStatus> Origins::troubled() const {
    const int64_t now = clock_.mono_ns();
    std::vector<OriginStatus> all;
    const std::lock_guard lock(mutex_);
    for (const Origin& origin : origins_) {
        if (origin.block == GateState::Open || all.size() == kOriginsShownMax) continue;
        if (now > origin.until && now - origin.used_at > kShownNs) continue;
        const int64_t closed_ms = std::max<int64_t>(0, origin.until - now) / kNsPerMs;
        all.push_back({origin.url, origin.block, origin.reason, origin.probing ? 0 : closed_ms, false});
    }
    for (const std::unique_ptr<Trust>& trust : trusts_) {
        if (!trust->breaker.open()) continue;
        const auto shown =
            std::find_if(all.begin(), all.end(), [&](const OriginStatus& status) { return status.url == trust->url; });
        if (shown != all.end()) {
            shown->deletions_stopped = true;
        } else if (all.size() < kOriginsShownMax) {
            all.push_back({trust->url, GateState::Open, {}, 0, true});
        }
    }
    return all;
}

void Origins::reset() {
    const std::lock_guard lock(mutex_);
    for (Origin& origin : origins_) {
        origin.block = GateState::Open;
        origin.probing = false;
        origin.failures = 0;
        origin.refused_since = origin.due_since = origin.look_at = 0;
        origin.reason.clear();
    }
    trusts_.clear();
    blocked_.store(0, std::memory_order_relaxed);
}

}  // namespace belfry::delivery
