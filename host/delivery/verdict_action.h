// SPDX-License-Identifier: Apache-2.0
// The one place where a provider's verdict, or the lack of an answer, becomes what the host does.
//
// Threads: [any]; pure functions.
// Not here: doing it (page, gates, authorizer, settler).
#pragma once

#include <belfry/provider.h>
#include <belfry/queue.h>

#include <cstdint>
#include <string_view>

#include "http/plan.h"
#include "policy/backoff.h"

namespace belfry::delivery {

constexpr uint32_t kResendsMax = 2;               // per attempt
constexpr int64_t kThrottleDefaultMs = 60'000;    // a throttle without a hint
constexpr int64_t kRefusedScopeDelayMs = 60'000;  // AUTH for a part of an instance: how long that part waits
constexpr int64_t kReturnDelayMs = 500;           // unsent requests: due again after this and up to as much jitter

// What is known about a delivery when its verdict comes.
struct AttemptState {
    uint32_t attempt = 1;             // the one that was made
    uint32_t resent = 0;              // how often within this attempt
    bool may_resend = true;           // the page still has time for it
    bool provider_fails = false;      // everybody, not only this delivery: it is not given up for that
    bool credential_renewed = false;  // the credential it used was replaced meanwhile
    int64_t now_unix_ms = 0;          // the store's clock
    int64_t expires_unix_ms = 0;      // 0 = never
    uint64_t random = 0;
};

// What happens to the delivery.
enum class Fate : uint8_t {
    Final,  // `outcome` is counted
    Owed,   // goes to a list: `attempt`, `due_unix_ms`
    Dead,   // last attempt failed: dead letter, outcome dead
    Resend  // once more now, as `variant`
};

// What happens to more than the delivery.
enum class Scope : uint8_t { None, Push, Platform, Origin, Instance };

struct Action {
    Fate fate = Fate::Final;
    int32_t outcome = 0;   // belfry_final, for Final and Dead
    uint32_t attempt = 0;  // of the owed list
    int64_t due_unix_ms = 0;
    uint32_t variant = 0;  // Resend, and what is learnt
    bool learn_variant = false;
    bool delete_device = false, suspect = false;
    int64_t gone_unix_ms = 0;      // 0 = not known
    Scope stop = Scope::None;      // Push: refused for all its deliveries through this provider
    Scope throttle = Scope::None;  // this scope waits for pause_ms
    Scope refused = Scope::None;   // credential or settings are wrong for this scope: pause_ms, alarm
    int64_t pause_ms = 0;
    bool behind_origin = false;  // Owed: until the origin that refused may be asked again, whatever due_unix_ms says
    bool reauthorize = false;    // the credential that was used is no longer good
    bool sample = false;         // worth showing among the push's first errors
};

Action action_for(const belfry_verdict& verdict, const AttemptState& state, const policy::AttemptPolicy& policy);
// NeverSent or Unknown.
Action action_without_answer(http::Transport transport, const AttemptState& state, const policy::AttemptPolicy& policy);

// "accepted", "gone", ... : the words of counters, events, metrics and API. "unknown" for anything else.
std::string_view word_of_outcome(int32_t belfry_final_outcome);

}  // namespace belfry::delivery
