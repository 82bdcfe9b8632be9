// SPDX-License-Identifier: Apache-2.0
#include "policy/backoff.h"

#include <algorithm>

namespace belfry::policy {

int64_t retry_delay_ms(const AttemptPolicy& policy, uint32_t attempt, int64_t hint_ms, uint64_t random) {
    const uint32_t doublings = std::min<uint32_t>(attempt, 30);
    const int64_t window = std::min(policy.cap_ms, policy.base_ms << doublings);
    const auto jitter = static_cast<int64_t>(random % static_cast<uint64_t>(window + 1));
    return hint_ms > 0 ? hint_ms + jitter : std::max(policy.base_ms, jitter);
}

int64_t round_due_ms(int64_t due_unix_ms, int64_t now_unix_ms) {
    const int64_t ahead = due_unix_ms - now_unix_ms;
    if (ahead <= 0) return due_unix_ms;
    const int64_t grid = ahead <= 30'000 ? 1'000 : ahead <= 300'000 ? 5'000 : 60'000;
    return (due_unix_ms + grid - 1) / grid * grid;
}

int64_t refused_credential_delay_ms(uint32_t failures) {
    constexpr int64_t kMinutes[] = {1, 2, 5, 10};
    return kMinutes[std::min<uint32_t>(std::max(failures, 1u), 4) - 1] * 60'000;
}

int64_t trouble_delay_ms(uint32_t failures) {
    const uint32_t doublings = std::min<uint32_t>(std::max(failures, 1u) - 1, 5);
    return std::min<int64_t>(1'000LL << doublings, 30'000);
}

}  // namespace belfry::policy
