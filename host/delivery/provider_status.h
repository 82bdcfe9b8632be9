// SPDX-License-Identifier: Apache-2.0
// What can be said about a provider instance now, for /health, the API and `belfry providers`.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "delivery/credential_watch.h"

namespace belfry::delivery {

enum class GateState : uint8_t { Open, NotStarted, NoCredential, Throttled, Refused, Unreachable, Failing };
inline std::string_view name_of(GateState state) {
    switch (state) {
        case GateState::Open:
            return "open";
        case GateState::NotStarted:
            return "not_started";
        case GateState::NoCredential:
            return "no_credential";
        case GateState::Throttled:
            return "throttled";
        case GateState::Refused:
            return "refused";
        case GateState::Unreachable:
            return "unreachable";
        case GateState::Failing:
            return "failing";
    }
    return "open";
}

// Failures of requests (5xx, no answer in time) with next to no other answer are the provider's, not theirs.
constexpr uint32_t kFailedRunMin = 5;        // from so many on
constexpr uint32_t kFailuresPerAnswer = 20;  // and more than so many to one other answer
inline bool mostly_failures(uint32_t failed, uint32_t others) noexcept {
    return uint64_t{others} * kFailuresPerAnswer < failed;
}

// So few refusals, so soon after something was accepted, are their deliveries' own: a credential is refused for all.
constexpr uint32_t kOwnRefusalsMax = 3;
constexpr int64_t kAcceptedLatelyNs = 5 * kNsPerSecond;

// One of the push services behind an instance that is in trouble while others may work.
struct OriginStatus {
    std::string url;  // empty: of a request that names none
    GateState state = GateState::Open;
    std::string reason;
    int64_t closed_ms = 0;  // for how long still; 0: it is probed
    bool deletions_stopped = false;
};

// A part of an instance whose credential or settings are refused (FCM's APNs side) while the others are served.
struct PlatformStatus {
    std::string name, reason;
    int64_t closed_ms = 0;  // until it is tried again
};

struct ProviderStatus {
    std::string name;
    GateState state = GateState::Open;
    std::string reason;     // why it is not open
    int64_t closed_ms = 0;  // for how long still; 0 = open, or until somebody acts
    bool probing = false;   // open to a handful, until one succeeds
    bool operator_must_act = false;
    bool deletions_stopped = false;  // the breaker: nearly every device looked dead
    uint64_t per_minute = 0;         // rate budget; 0 = no limit
    uint32_t window = 0;             // deliveries that may be under way at once now
    uint32_t in_flight = 0;          // deliveries between claim and verdict
    uint32_t stragglers = 0;         // requests that settled pages left behind unanswered
    uint32_t pages = 0;              // page slots it holds
    uint32_t free_streams = 0;
    int64_t connections = -1;               // open now to its hosts; -1: it has named none yet
    uint32_t paused_platforms = 0;          // parts of it that wait (FCM's APNs side)
    std::vector<PlatformStatus> platforms;  // of these, for an operator
    std::vector<OriginStatus> origins;      // in trouble
    int64_t credential_valid_ms = -1;       // -1: needs none
    CredentialReport credentials;           // what will stop it some day
    std::string last_error;                 // also of trouble that has passed; empty: none since the start
    int64_t last_error_unix_ms = 0;
};

}  // namespace belfry::delivery
