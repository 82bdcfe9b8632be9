// SPDX-License-Identifier: Apache-2.0
#include "dead_token_gate.h"

#include "strikes.h"

namespace hms {
namespace {

constexpr int64_t kWindowNs = 60LL * 60 * 1'000'000'000;
constexpr uint64_t kSharePercent = 20;  // of the requests in the window; from here on nothing is believed
constexpr uint64_t kFewTokens = 50;     // as many are no mass death
constexpr uint64_t kWorthTelling = 5;   // all-dead answers; fewer may be just that

}  // namespace

DeadTokenGate::Answers DeadTokenGate::window(int64_t newest) const {
    Answers sum;
    for (const Bucket& bucket : buckets_) {
        if (bucket.number < 0 || bucket.number + kBuckets <= newest) continue;
        sum.served += bucket.answers.served;
        sum.all_dead += bucket.answers.all_dead;
        sum.tokens += bucket.answers.tokens;
    }
    return sum;
}

DeadTokenGate::Belief DeadTokenGate::weigh(const Answers& came) {
    const std::lock_guard lock(mutex_);
    const int64_t number = services_.mono_ns() / (kWindowNs / kBuckets);
    Bucket& bucket = buckets_[static_cast<uint64_t>(number) % kBuckets];
    if (bucket.number != number) bucket = {number, {}};
    bucket.answers.served += came.served;
    bucket.answers.all_dead += came.all_dead;
    bucket.answers.tokens += came.tokens;
    if (came.served > 0) last_served_day_ = day_of(services_.unix_ms());
    if (came.all_dead == 0) return Belief::Certain;
    const Answers sum = window(number);
    // One dead device after one that was served is no pattern; a request of many is one by itself.
    const bool single = came.all_dead == 1 && came.tokens == 1;
    const uint64_t others = single ? sum.all_dead - 1 : sum.all_dead;
    Belief belief = sum.tokens > kFewTokens ? Belief::Suspect : Belief::Certain;
    if (others * 100 >= kSharePercent * (sum.served + others)) belief = Belief::TooMany;
    if (sum.served == 0) belief = Belief::Unproven;
    tell(belief, sum);
    return belief;
}

// Once each time that it stays shut.
void DeadTokenGate::tell(Belief belief, const Answers& sum) {
    const bool shut = belief == Belief::Unproven || belief == Belief::TooMany;
    if (shut && !told_ && sum.all_dead >= kWorthTelling) {
        services_.error(
            "HMS calls all tokens of too many requests dead; they are kept, check app, project and credential",
            {{"requests", std::to_string(sum.all_dead)}, {"served", std::to_string(sum.served)}});
        told_ = true;
    }
    if (!shut) told_ = false;
}

uint32_t DeadTokenGate::last_served_day() const {
    const std::lock_guard lock(mutex_);
    return last_served_day_;
}

}  // namespace hms
