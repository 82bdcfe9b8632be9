// SPDX-License-Identifier: Apache-2.0
// The C++ SDK for limiters: what a queue class derives from beside belfry::Queue to offer belfry.limiter/1, too.
//
//   class Acme final : public belfry::Queue<Acme>, public belfry::Limiter { ... };
#pragma once

#include <belfry/limiter.h>

#include <belfry/plugin.hpp>
#include <cstdint>

namespace belfry {

class Limiter {
public:
    // Shadow these in the derived class: BELFRY_LIMITER_* flags, calls at once (0 = any number).
    static constexpr uint32_t kLimiterFlags = 0;
    static constexpr uint32_t kLimiterConcurrency = 0;

    Limiter() = default;
    Limiter(const Limiter&) = delete;
    Limiter& operator=(const Limiter&) = delete;
    virtual ~Limiter() = default;
    // limiter.h says what it means. To fail as a whole throw Refused before the first row.
    virtual void charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges, int64_t deadline_mono_ns,
                        const Emit<belfry_charged>& emit) = 0;
};

namespace sdk {

template <class T>
struct LimiterTable {
    static belfry_code charge(belfry_instance* i, belfry_list policies, belfry_list charges, int64_t deadline_mono_ns,
                              belfry_emit e, void* c, belfry_why* w) noexcept {
        return walled(w, [&] {
            self<T>(i).charge(Rows<belfry_policy>(policies), Rows<belfry_charge>(charges), deadline_mono_ns, {e, c});
        });
    }
    static belfry_limiter make() noexcept {
        belfry_limiter table = sized<belfry_limiter>();
        table.flags = T::kLimiterFlags;
        table.concurrency = T::kLimiterConcurrency;
        table.charge = charge;
        return table;
    }
};

}  // namespace sdk

}  // namespace belfry
