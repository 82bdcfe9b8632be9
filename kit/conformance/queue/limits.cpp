// SPDX-License-Identifier: Apache-2.0
#include "conformance/queue/limits.h"

#include <belfry/abi.hpp>
#include <cstring>
#include <optional>

namespace belfry::conformance::queue {

namespace {

const belfry_limiter& limiter_of(const Queue& queue) {
    const void* table = queue.other_interface(BELFRY_LIMITER_ID);
    if (table == nullptr) skip("the queue offers no " BELFRY_LIMITER_ID);
    const auto& limiter = *static_cast<const belfry_limiter*>(table);
    require(limiter.size >= sizeof limiter && limiter.charge != nullptr, "the limiter's table is complete");
    return limiter;
}

uint64_t mixed(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

}  // namespace

belfry_policy policy(uint32_t rate, int64_t interval_ms, uint32_t burst) {
    auto row = sized<belfry_policy>();
    row.rate = rate;
    row.interval_ms = interval_ms;
    row.burst = burst;
    return row;
}

belfry_charge charge_of(uint64_t key, uint64_t stamp) {
    auto row = sized<belfry_charge>();
    const uint64_t halves[2] = {mixed(key + 1), mixed(~key)};
    std::memcpy(row.key, halves, sizeof halves);
    row.stamp = stamp;
    return row;
}

Limits::Limits(Context& context, uint64_t node) : queue_(context, {}, node), table_(limiter_of(queue_)) {}

std::vector<Verdict> Limits::charge(const std::vector<belfry_policy>& policies,
                                    const std::vector<belfry_charge>& charges) {
    std::vector<std::optional<Verdict>> found(charges.size());
    belfry_why why{};
    const belfry_code code = collect<belfry_charged>(
        [&](belfry_emit emit, void* ctx) {
            return table_.charge(queue_.instance(), list_of(policies), list_of(charges), queue_.host().far_deadline(),
                                 emit, ctx, &why);
        },
        [&](const belfry_charged& row) {
            require(row.index < found.size(), "answers are about charges of the call");
            require(!found[row.index], "a charge is answered once");
            const bool denied = row.code == BELFRY_BUSY;
            require(denied || row.code == BELFRY_OK || row.code == BELFRY_DUPLICATE,
                    "a charge is answered OK, DUPLICATE or BUSY");
            require(denied == (row.wait_ms > 0), "who is denied is told to wait, and nobody else");
            found[row.index] = Verdict{row.code, row.wait_ms};
        });
    must(code, why, "charge");
    std::vector<Verdict> verdicts;
    for (const std::optional<Verdict>& one : found) {
        require(one.has_value(), "every charge is answered");
        verdicts.push_back(*one);
    }
    return verdicts;
}

uint32_t Limits::take(const std::vector<belfry_policy>& policies, uint64_t key, uint32_t tries) {
    uint32_t taken = 0;
    for (const Verdict& one : charge(policies, std::vector<belfry_charge>(tries, charge_of(key)))) {
        require(one.code != BELFRY_DUPLICATE, "a charge without a name is never taken for an earlier one");
        if (one.allowed()) ++taken;
    }
    return taken;
}

belfry_code Limits::try_charge(const std::vector<belfry_policy>& policies, const std::vector<belfry_charge>& charges,
                               int64_t deadline_mono_ns, uint32_t* rows, belfry_why* why) {
    *rows = 0;
    return collect<belfry_charged>(
        [&](belfry_emit emit, void* ctx) {
            return table_.charge(queue_.instance(), list_of(policies), list_of(charges), deadline_mono_ns, emit, ctx,
                                 why);
        },
        [&](const belfry_charged&) { ++*rows; });
}

}  // namespace belfry::conformance::queue
