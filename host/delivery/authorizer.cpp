// SPDX-License-Identifier: Apache-2.0
#include "delivery/authorizer.h"

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/named_thread.h"
#include "policy/backoff.h"

namespace belfry::delivery {

namespace {

constexpr int64_t kLookAgainMaxNs = 500 * kNsPerMs;  // the clock may be a test's

bool operator_must_act(ErrorCode code) {
    return code == ErrorCode::Unauthenticated || code == ErrorCode::Misconfigured || code == ErrorCode::InvalidArgument;
}

// The provider has no credentials, or not this one.
bool not_offered(ErrorCode code) {
    return code == ErrorCode::Unsupported || code == ErrorCode::NotFound;
}

}  // namespace

Authorizer::Authorizer(plugins::Provider& provider, std::string instance, const Clock& clock, Log& log,
                       std::function<void()> changed)
    : provider_(provider),
      instance_(std::move(instance)),
      clock_(clock),
      log_(log, "delivery"),
      changed_(std::move(changed)),
      thread_(named_thread("authorizer", [this] { run(); })) {}

Authorizer::~Authorizer() {
    stop();
    thread_.join();
}

void Authorizer::stop() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
}

std::shared_ptr<const http::CredentialSlot> Authorizer::slot(uint32_t number) {
    if (number >= slots_.size()) return nullptr;
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[number];
    if (!slot.wanted) {
        slot.wanted = true;
        wake_.notify_one();
    }
    return slot.current;
}

bool Authorizer::usable(const Slot& slot, int64_t now) const {
    return slot.generation > 0 && !slot.rejected && now < slot.usable_until;
}

bool Authorizer::ready() const {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    return std::all_of(slots_.begin(), slots_.end(),
                       [&](const Slot& slot) { return !slot.wanted || usable(slot, now); });
}

bool Authorizer::renewed_since(uint32_t number, uint64_t generation) const {
    if (number >= slots_.size()) return false;
    const std::lock_guard lock(mutex_);
    return slots_[number].generation > generation && !slots_[number].rejected;
}

void Authorizer::reject(uint32_t number, uint64_t generation, std::string_view words) {
    if (number >= slots_.size()) return;
    {
        const std::lock_guard lock(mutex_);
        Slot& slot = slots_[number];
        if (generation != slot.generation || slot.rejected) return;
        slot.rejected = true;
        const int64_t now = clock_.mono_ns();
        slot.next_try = std::max(now, slot.not_again_before);
        if (const int64_t wait_ms = (slot.next_try - now) / kNsPerMs; wait_ms > 0) {
            slot.reason =
                "the provider refused the credential, and another may not be made yet; is this machine's "
                "clock right?";
            log_.warning("credential refused, deliveries wait for the next",
                         {{"provider", instance_}, {"next_try_ms", wait_ms}});
        }
        // A fresh credential that nobody ever accepted: making more of them will not help.
        if (slot.after_rejection && slot.proved < slot.generation) {
            std::string text = "the provider refuses a credential that was just renewed";
            if (!words.empty()) text.append(": ").append(words);
            fail(slot, error(ErrorCode::Unauthenticated, std::move(text)), now);
        }
    }
    wake_.notify_one();
    changed_();
}

void Authorizer::prove(uint32_t number, uint64_t generation) {
    if (number >= slots_.size()) return;
    const std::lock_guard lock(mutex_);
    Slot& slot = slots_[number];
    if (generation <= slot.proved) return;
    slot.proved = generation;
    if (generation == slot.generation && !slot.rejected) recovered(slot);
}

void Authorizer::recovered(Slot& slot) {
    if (slot.failures > 0) log_.info("credential works again", {{"provider", instance_}});
    slot.failures = 0;
}

CredentialStatus Authorizer::status() const {
    const int64_t now = clock_.mono_ns();
    CredentialStatus status;
    status.valid_until_mono_ns = std::numeric_limits<int64_t>::max();
    const std::lock_guard lock(mutex_);
    for (const Slot& slot : slots_) {
        if (!slot.wanted) continue;
        status.needed = true;
        status.valid_until_mono_ns = std::min(status.valid_until_mono_ns, slot.valid_until);
        if (!usable(slot, now)) {
            status.ready = false;
            status.next_try_mono_ns = slot.next_try;
        }
        if (!slot.reason.empty()) {
            status.reason = slot.reason;
            status.operator_must_act = status.operator_must_act || slot.refused;
        }
    }
    return status;
}

void Authorizer::run() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
        int64_t look_again = 0;
        const int64_t now = clock_.mono_ns();
        if (const int slot = due(now, look_again); slot >= 0) {
            authorize(static_cast<uint32_t>(slot), lock);
            continue;
        }
        wake_.wait_for(lock,
                       std::chrono::nanoseconds(std::clamp<int64_t>(look_again - now, kNsPerMs, kLookAgainMaxNs)));
    }
}

int Authorizer::due(int64_t now, int64_t& look_again) const {
    look_again = std::numeric_limits<int64_t>::max();
    for (size_t i = 0; i < slots_.size(); ++i) {
        const Slot& slot = slots_[i];
        if (!slot.wanted) continue;
        const int64_t renew =
            slot.generation == 0 || slot.rejected ? slot.next_try : std::max(slot.refresh_at, slot.next_try);
        if (renew <= now) return static_cast<int>(i);
        look_again = std::min(look_again, renew);
    }
    return -1;
}

void Authorizer::authorize(uint32_t number, std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    const int64_t deadline = clock_.mono_ns() + kAuthorizeDeadlineMs * kNsPerMs;
    Result<plugins::NewCredential> made = provider_.authorize(number, deadline);
    lock.lock();
    if (stop_) return;
    Slot& slot = slots_[number];
    const int64_t now = clock_.mono_ns();
    if (made) {
        succeed(slot, std::move(*made), now);
    } else if (not_offered(made.error().code) && slot.generation == 0) {
        slot.wanted = false;
    } else {
        fail(slot, made.error(), now);
    }
    lock.unlock();
    changed_();
    lock.lock();
}

void Authorizer::succeed(Slot& slot, plugins::NewCredential&& made, int64_t now) {
    const int64_t valid = std::max<int64_t>(made.valid_ms, 1'000) * kNsPerMs;
    const int64_t wished = made.refresh_after_ms * kNsPerMs;
    // Without a usable wish: at three quarters of the validity.
    const int64_t refresh = wished > 0 && wished < valid ? wished : valid / 4 * 3;
    slot.after_rejection = slot.rejected;
    slot.rejected = slot.refused = false;
    slot.generation += 1;
    slot.valid_until = now + valid;
    slot.usable_until = slot.valid_until - std::min(kSpareValidityMs * kNsPerMs, valid / 10);
    slot.refresh_at = now + refresh;
    slot.not_again_before = now + made.not_again_before_ms * kNsPerMs;
    slot.next_try = slot.not_again_before;
    // One that replaces a rejected credential has to be accepted by the provider first: see prove.
    if (!slot.after_rejection) recovered(slot);
    slot.reason.clear();
    auto credential = std::make_shared<http::Credential>();
    credential->value = std::move(made.value);
    credential->generation = slot.generation;
    credential->valid_until_mono_ns = slot.valid_until;
    slot.current->set(std::move(credential));
}

void Authorizer::fail(Slot& slot, const Error& why, int64_t now) {
    slot.failures += 1;
    slot.refused = operator_must_act(why.code);
    slot.reason = why.to_string();
    const int64_t delay = slot.refused             ? policy::refused_credential_delay_ms(slot.failures)
                          : why.retry_after_ms > 0 ? why.retry_after_ms
                                                   : policy::trouble_delay_ms(slot.failures);
    slot.next_try = std::max(now + delay * kNsPerMs, slot.not_again_before);
    if (slot.refused) {
        log_.error("credential refused, deliveries wait",
                   {{"provider", instance_}, {"reason", slot.reason}, {"next_try_ms", delay}});
    } else {
        log_.warning("credential not renewed",
                     {{"provider", instance_}, {"reason", slot.reason}, {"next_try_ms", delay}});
    }
}

}  // namespace belfry::delivery
