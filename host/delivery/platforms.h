// SPDX-License-Identifier: Apache-2.0
// Parts of one provider instance that wait while the others go on: the devices of a platform (FCM's APNs side).
//
//   served -> paused for a while (throttled)
//          -> refused (credential or settings of that part): paused, tried again with a page after each pause -> served
//             by the first success
//
// As at origins, a few refusals beside successes of the same platform are their deliveries' own, and a part that
// refuses for a whole day is paused no longer: each of its deliveries costs attempts then, and ends some day.
// Platforms are known by the hash of their names. Devices whose platform nobody named share one that is never paused:
// nothing says that they have anything in common.
// Threads: [any]. Owner: Gate.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "delivery/provider_status.h"

namespace belfry::delivery {

constexpr size_t kPlatformsMax = 16;  // remembered per provider instance

class Platforms {
public:
    Platforms(std::string instance, const Clock& clock, Log& log);

    // Rows of the platform are deferred. Unix ms, 0 = not paused.
    void pause(uint32_t platform, int64_t until_unix_ms);
    int64_t paused_until(uint32_t platform, int64_t now_unix_ms) const;

    struct Refusal {
        bool own = false;            // it has just taken others: nothing is wrong but this delivery
        bool costs_attempt = false;  // it refuses for long: its deliveries must end some day
    };
    // Credential or settings are refused for all of the platform, which waits for `wait_ms`.
    Refusal refused(uint32_t platform, std::string_view reason, int64_t wait_ms);
    // Something was accepted there.
    void worked(uint32_t platform);

    std::vector<PlatformStatus> troubled() const;
    uint32_t paused() const;
    // A new generation starts with a clean slate.
    void reset();

private:
    struct Part {
        uint32_t platform = 0;
        int64_t pause_unix_ms = 0;                        // rows wait until then
        int64_t refused_since = 0, until = 0;             // mono ns; 0: it does not; when it may be tried again
        int64_t used_at = 0, worked_at = 0, told_at = 0;  // mono ns; 0: never
        int64_t first_refused = 0, last_refused = 0;      // mono ns, of refusals without an hour between them; 0: none
        uint32_t refusals = 0;                            // since it worked, or was tried again
        std::string reason;
    };
    Part& remember(uint32_t platform, int64_t now);

    const std::string instance_;
    const Clock& clock_;
    const Logger log_;
    std::atomic<uint32_t> pauses_{0};  // ever made
    mutable std::mutex mutex_;         // all below
    std::array<Part, kPlatformsMax> parts_;
};

}  // namespace belfry::delivery
