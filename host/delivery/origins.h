// SPDX-License-Identifier: Apache-2.0
// What one provider instance remembers of the origins its requests name themselves (Web Push: the push services), so
// that the trouble of one stays its own.
//
//   Open -> Throttled (Retry-After), Refused (credential or settings), Unreachable, Failing (5xx for nearly everybody)
//   -> probed with a handful -> Open by the first success, or paused again, all but throttles for longer each time
//
// Dead tokens are believed per origin and variant, too: a success of one push service says nothing about the 404s of
// another. What is forgotten for lack of room is as if it were never seen: open, and its suspects are kept.
//
// A refusal (AUTH_REFUSED, MISCONFIGURED) costs no attempt, as an operator's mistake must not lose deliveries: they
// wait behind the gate's second number, which is open while nobody refuses or one that did may be asked again, and
// after a reload. An origin that refuses for a whole day costs attempts from then on: its deliveries must end some day.
// Threads: [any]. Owner: Gate.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "delivery/provider_status.h"
#include "http/plan.h"
#include "policy/breaker.h"

namespace belfry::delivery {

constexpr size_t kOriginsMax = 256;      // remembered per provider instance
constexpr uint32_t kOriginProbes = 8;    // requests that ask whether an origin may open again
constexpr size_t kOriginsShownMax = 16;  // of those in trouble, in a status

// An origin by its URL, or, if the request names none, by its plan's endpoint: the engine forgets the numbers of
// origins that pass by. -1: the instance itself.
using OriginId = int64_t;
OriginId origin_id(std::string_view url, http::EndpointId endpoint);

// The origin of a request, and which of the provider's variants wrote it.
struct OriginKey {
    OriginId id = -1;
    uint32_t variant = 0;
    bool operator==(const OriginKey&) const = default;
};

class Origins {
public:
    Origins(std::string instance, const Clock& clock, Log& log);

    struct Permit {
        int64_t wait_ms = 0;         // 0: send it
        bool costs_attempt = false;  // it never worked, or refuses for long: its deliveries must end some day
        bool refused = false;        // an operator must act
        int64_t retry_after_ms = 0;  // if it costs an attempt: not before this
    };
    // May a request go there now?
    Permit ask(OriginId id);
    // May what waits for those that refuse be looked at?
    bool may_ask_refused();
    // An answer that concerns all of the origin. Gives how long it is to be left alone, ms.
    int64_t throttled(OriginId id, std::string_view url, int64_t pause_ms, std::string_view reason);
    // No wait: it has just taken others and refused few, the refusal is this subscription's own.
    Permit refused(OriginId id, std::string_view url, std::string_view reason);
    // Sums of a page: something was accepted; or nothing was answered at all.
    void worked(OriginId id, std::string_view url);
    void silent(OriginId id, std::string_view url, std::string_view reason);
    // Sums of a page: requests that `failed` for no reason of their own (5xx), and all others.
    void failures(OriginId id, std::string_view url, uint32_t failed, uint32_t others, std::string_view reason);
    // It fails everybody, but has worked within the last day: a last attempt is no last one.
    bool fails_everybody(OriginId id) const;
    // It has worked within the last day.
    bool works(OriginId id) const;

    // As DeletionBreaker's, for one origin and variant. Logs when deletions stop.
    void record(const OriginKey& key, std::string_view url, uint32_t accepted, uint32_t suspects, uint32_t others);
    bool may_delete(const OriginKey& key, bool suspect) const;

    // Those in trouble, at most kOriginsShownMax.
    std::vector<OriginStatus> troubled() const;
    // A new generation starts with a clean slate; what worked is remembered.
    void reset();

private:
    struct Origin {
        OriginId id = -1;
        std::string url, reason;
        GateState block = GateState::Open;
        int64_t until = 0;  // mono ns
        int64_t pause_ms = 0;
        uint32_t failures = 0, probes_left = 0;
        uint32_t refusals = 0;               // since it worked last
        int64_t refused_since = 0;           // mono ns; 0: it does not
        int64_t due_since = 0, look_at = 0;  // mono ns: since when its waiting deliveries are let in; not before then
        uint32_t failed_run = 0;             // requests that failed since one was answered otherwise
        bool probing = false;
        int64_t used_at = 0, worked_at = 0;  // mono ns; 0: never
    };
    struct Trust {
        OriginKey key;
        std::string url;
        int64_t used_at = 0;
        policy::DeletionBreaker breaker;
    };
    Origin* find(OriginId id);
    Origin& remember(OriginId id, std::string_view url, int64_t now);
    int64_t block(Origin& origin, GateState why, int64_t pause_ms, std::string_view reason, int64_t now);
    void open(Origin& origin);
    // Closed for longer each time by trouble of the kind `why`.
    void trouble(Origin& origin, GateState why, std::string_view line, std::string_view reason, int64_t now);
    static Permit refusal(const Origin& origin, int64_t wait_ms, int64_t now) noexcept;
    bool works(const Origin& origin, int64_t now) const noexcept;
    bool worked_just_now(const Origin& origin, int64_t now) const noexcept;
    const Trust* trust_of(const OriginKey& key) const;

    const std::string instance_;
    const Clock& clock_;
    const Logger log_;
    std::atomic<uint32_t> blocked_{0};  // origins that are not open
    mutable std::mutex mutex_;          // all below
    std::vector<Origin> origins_;
    std::vector<std::unique_ptr<Trust>> trusts_;
};

}  // namespace belfry::delivery
