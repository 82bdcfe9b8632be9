// SPDX-License-Identifier: Apache-2.0
// belfry.limiter/1 as the host calls it: what a call means is written in plugin_api/include/belfry/limiter.h. Optional:
// a Generation of a queue has one if its plugin does.
//
// A call that succeeded answered every charge exactly once, with OK, DUPLICATE or BUSY, or with INTERNAL for one that
// the plugin left out or answered otherwise. A call that failed (Unavailable, DeadlineExceeded, StoreFull ...) answered
// none: whether what it was about is sent or waits is the caller's to decide. Threads: [work], at most
// table.concurrency at once; more callers wait. Owner: a Generation.
#pragma once

#include <belfry/limiter.h>

#include <cstdint>
#include <span>
#include <string>

#include "plugins/call.h"

namespace belfry::plugins {

class Limiter {
public:
    // As Queue::missing.
    static std::string missing(const belfry_limiter& table);

    Limiter(const belfry_limiter* table, belfry_instance* instance, Faults& faults);

    // BELFRY_LIMITER_* flag.
    bool offers(uint32_t flag) const noexcept { return (table_.flags & flag) != 0; }

    template <class Fn>  // const belfry_charged&
    Status charge(std::span<const belfry_policy> policies, std::span<const belfry_charge> charges,
                  int64_t deadline_mono_ns, Fn&& fn) {
        return door_.each<belfry_charged>(
            kCharge, charges.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.charge(i, list_of(policies), list_of(charges), deadline_mono_ns, emit, ctx, why);
            },
            [&](const belfry_charged& row) { fn(sound(row)); });
    }

private:
    static constexpr const char* kCharge = "limiter.charge";
    belfry_charged sound(belfry_charged row);

    const belfry_limiter table_;
    Door door_;
};

}  // namespace belfry::plugins
