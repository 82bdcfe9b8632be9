// SPDX-License-Identifier: Apache-2.0
// A limiter under test as its cases use it, and the cases. L1 to L8 are the published list's.
//
// Threads: [any], like the interface; opened and closed by one thread.
#pragma once

#include <belfry/limiter.h>

#include <span>
#include <vector>

#include "conformance/queue/driver.h"

namespace belfry::conformance::queue {

std::span<const Case> limit_cases();

belfry_policy policy(uint32_t rate, int64_t interval_ms, uint32_t burst);
inline belfry_policy policy(uint32_t rate, int64_t interval_ms) {
    return policy(rate, interval_ms, rate);
}
// stamp 0: unnamed.
belfry_charge charge_of(uint64_t key, uint64_t stamp = 0);

struct Verdict {  // on a charge
    belfry_code code = BELFRY_OK;
    int64_t wait_ms = 0;
    bool allowed() const { return code != BELFRY_BUSY; }
};

class Limits {
public:
    // Skips the case if the plugin offers no limiter.
    explicit Limits(Context& context, uint64_t node = 1);

    Queue& queue() { return queue_; }
    const belfry_limiter& table() const { return table_; }
    int64_t now() const { return queue_.now(); }
    void advance_ms(int64_t by) { queue_.host().advance_ms(by); }

    // One verdict per charge, checked for what always holds.
    std::vector<Verdict> charge(const std::vector<belfry_policy>& policies, const std::vector<belfry_charge>& charges);
    Verdict charge_one(const std::vector<belfry_policy>& policies, const belfry_charge& charge) {
        return this->charge(policies, {charge}).at(0);
    }
    // How many of `tries` unnamed charges of a key are taken, in one call.
    uint32_t take(const std::vector<belfry_policy>& policies, uint64_t key, uint32_t tries);
    // As charge, but a failure of the call itself is its answer.
    belfry_code try_charge(const std::vector<belfry_policy>& policies, const std::vector<belfry_charge>& charges,
                           int64_t deadline_mono_ns, uint32_t* rows, belfry_why* why);

private:
    Queue queue_;
    const belfry_limiter& table_;
};

}  // namespace belfry::conformance::queue
