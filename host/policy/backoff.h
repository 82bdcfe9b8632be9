// SPDX-License-Identifier: Apache-2.0
// When to try again: attempts of a delivery, credentials of a provider, unreachable endpoints.
// Threads: [any]; pure functions, randomness comes in.
#pragma once

#include <cstdint>

namespace belfry::policy {

struct AttemptPolicy {
    uint32_t attempts_max = 6;
    int64_t base_ms = 2'000;       // shortest back-off
    int64_t cap_ms = 15 * 60'000;  // longest back-off
};

// Delay after failed attempt number `attempt` (1 = first): exponential with full jitter, on top of the provider's hint
// if there is one. `random` is any 64-bit random number.
int64_t retry_delay_ms(const AttemptPolicy& policy, uint32_t attempt, int64_t hint_ms, uint64_t random);

// Rounds a due time up to 1, 5 or 60 s, the farther the coarser, so that what a page owes shares few lists.
int64_t round_due_ms(int64_t due_unix_ms, int64_t now_unix_ms);

// Pause before the next probe of a refused credential, after `failures` in a row: 1, 2, 5, 10 minutes.
int64_t refused_credential_delay_ms(uint32_t failures);
// The same for trouble that passes (network, 5xx of the token service): 1, 2, 4 ... 30 s.
int64_t trouble_delay_ms(uint32_t failures);

}  // namespace belfry::policy
