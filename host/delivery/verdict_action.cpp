// SPDX-License-Identifier: Apache-2.0
#include "delivery/verdict_action.h"

#include <algorithm>

namespace belfry::delivery {

namespace {

Scope scope_of(int32_t scope) {
    switch (scope) {
        case BELFRY_SCOPE_PUSH:
            return Scope::Push;
        case BELFRY_SCOPE_PLATFORM:
            return Scope::Platform;
        case BELFRY_SCOPE_ORIGIN:
            return Scope::Origin;
        case BELFRY_SCOPE_INSTANCE:
            return Scope::Instance;
        default:
            return Scope::None;
    }
}

Action final_action(int32_t outcome, bool sample) {
    Action action;
    action.fate = Fate::Final;
    action.outcome = outcome;
    action.sample = sample;
    return action;
}

// Turns `action` into an owed list, unless the push expires before it would be due.
void owe(Action& action, const AttemptState& state, uint32_t attempt, int64_t due_unix_ms) {
    if (state.expires_unix_ms != 0 && due_unix_ms >= state.expires_unix_ms) {
        action.fate = Fate::Final;
        action.outcome = BELFRY_FINAL_EXPIRED;
        return;
    }
    action.fate = Fate::Owed;
    action.attempt = attempt;
    action.due_unix_ms = due_unix_ms;
}

void owe_next_attempt(Action& action, const AttemptState& state, const policy::AttemptPolicy& policy, int64_t hint_ms) {
    if (state.attempt >= policy.attempts_max && !state.provider_fails) {
        action.fate = Fate::Dead;
        action.outcome = BELFRY_FINAL_DEAD;
        action.attempt = state.attempt;
        return;
    }
    const int64_t due = state.now_unix_ms + policy::retry_delay_ms(policy, state.attempt, hint_ms, state.random);
    const uint32_t next = std::min(state.attempt + 1, std::max(state.attempt, policy.attempts_max));
    owe(action, state, next, policy::round_due_ms(due, state.now_unix_ms));
}

Action throttled(const belfry_verdict& verdict, const AttemptState& state) {
    Action action;
    action.sample = true;
    action.pause_ms = verdict.retry_after_ms > 0 ? verdict.retry_after_ms : kThrottleDefaultMs;
    action.throttle = scope_of(verdict.scope);
    const int64_t due = state.now_unix_ms + action.pause_ms;
    // Behind a closed gate the list may be due at once: it is claimed when the gate opens, not when a guess says so.
    const bool gated = action.throttle == Scope::Instance;
    owe(action, state, state.attempt, gated ? state.now_unix_ms : policy::round_due_ms(due, state.now_unix_ms));
    return action;
}

Action operator_must_act(const belfry_verdict& verdict, const AttemptState& state) {
    Action action;
    action.sample = true;
    action.reauthorize = (verdict.flags & BELFRY_VERDICT_REAUTH) != 0;
    if (action.reauthorize && state.credential_renewed) {
        owe(action, state, state.attempt, state.now_unix_ms);
        return action;
    }
    action.refused = verdict.scope == BELFRY_SCOPE_INSTANCE ? Scope::Instance : scope_of(verdict.scope);
    if (action.refused == Scope::Instance) {
        owe(action, state, state.attempt, state.now_unix_ms);
    } else {
        action.pause_ms = verdict.retry_after_ms > 0 ? verdict.retry_after_ms : kRefusedScopeDelayMs;
        owe(action, state, state.attempt, policy::round_due_ms(state.now_unix_ms + action.pause_ms, state.now_unix_ms));
    }
    return action;
}

// A credential that is no longer good says nothing about the delivery: it waits for the next one behind its closed
// gate.
Action wait_for_credential(const AttemptState& state) {
    Action action;
    action.reauthorize = true;
    owe(action, state, state.attempt, state.now_unix_ms);
    return action;
}

Action gone(const belfry_verdict& verdict) {
    Action action = final_action(BELFRY_FINAL_GONE, true);
    action.delete_device = true;
    action.suspect = (verdict.flags & BELFRY_VERDICT_SUSPECT) != 0;
    action.gone_unix_ms = verdict.gone_unix_ms;
    return action;
}

Action refused(const belfry_verdict& verdict) {
    Action action = final_action(BELFRY_FINAL_REFUSED, true);
    action.suspect = (verdict.flags & BELFRY_VERDICT_SUSPECT) != 0;
    if (verdict.scope == BELFRY_SCOPE_PUSH) action.stop = Scope::Push;
    return action;
}

Action by_outcome(const belfry_verdict& verdict, const AttemptState& state, const policy::AttemptPolicy& policy) {
    switch (verdict.outcome) {
        case BELFRY_ACCEPTED:
            return final_action(BELFRY_FINAL_ACCEPTED, false);
        case BELFRY_DEVICE_GONE:
            return gone(verdict);
        case BELFRY_REFUSED:
            return refused(verdict);
        case BELFRY_RETRY: {
            Action action;
            action.sample = true;
            owe_next_attempt(action, state, policy, verdict.retry_after_ms);
            return action;
        }
        case BELFRY_THROTTLED:
            return throttled(verdict, state);
        case BELFRY_AUTH_REFUSED:
        case BELFRY_MISCONFIGURED:
            return operator_must_act(verdict, state);
        case BELFRY_EXPIRED:
            return final_action(BELFRY_FINAL_EXPIRED, false);
        case BELFRY_NOT_SUPPORTED:
            return final_action(BELFRY_FINAL_UNSUPPORTED, true);
        default:
            return final_action(BELFRY_FINAL_INTERNAL, true);
    }
}

}  // namespace

Action action_for(const belfry_verdict& verdict, const AttemptState& state, const policy::AttemptPolicy& policy) {
    const bool expired = state.expires_unix_ms != 0 && state.now_unix_ms >= state.expires_unix_ms;
    const bool wants_resend = (verdict.flags & BELFRY_VERDICT_RESEND) != 0 && state.resent < kResendsMax && !expired;
    if ((verdict.flags & BELFRY_VERDICT_REAUTH) != 0 && wants_resend) {
        if (!state.credential_renewed || !state.may_resend) return wait_for_credential(state);
    }
    if (wants_resend && state.may_resend) {
        Action action;
        action.fate = Fate::Resend;
        action.variant = verdict.variant;
        return action;
    }
    if (wants_resend) {  // later, then: as a further attempt, or a straggler that asks for it each time never ends
        Action action;
        owe_next_attempt(action, state, policy, 0);
        return action;
    }
    Action action = by_outcome(verdict, state, policy);
    if ((verdict.flags & BELFRY_VERDICT_REAUTH) != 0) action.reauthorize = true;
    if ((verdict.flags & BELFRY_VERDICT_LEARN_VARIANT) != 0) {
        action.learn_variant = true;
        action.variant = verdict.variant;
    }
    return action;
}

Action action_without_answer(http::Transport transport, const AttemptState& state,
                             const policy::AttemptPolicy& policy) {
    Action action;
    if (transport == http::Transport::NeverSent) {
        const auto jitter = static_cast<int64_t>(state.random % static_cast<uint64_t>(kReturnDelayMs));
        const int64_t due = state.now_unix_ms + kReturnDelayMs + jitter;
        owe(action, state, state.attempt, policy::round_due_ms(due, state.now_unix_ms));
        return action;
    }
    action.sample = true;
    owe_next_attempt(action, state, policy, 0);
    return action;
}

std::string_view word_of_outcome(int32_t belfry_final_outcome) {
    constexpr std::string_view kWords[] = {
        "unknown",     "accepted",           "gone",        "refused",  "expired", "cancelled", "rate_limited",
        "no_timezone", "skipped_no_payload", "unsupported", "internal", "dead"};
    const auto at = static_cast<size_t>(belfry_final_outcome);
    return belfry_final_outcome > 0 && at < std::size(kWords) ? kWords[at] : kWords[0];
}

}  // namespace belfry::delivery
