// SPDX-License-Identifier: Apache-2.0
// The embedded queue with one deliberate fault in front of its limiter, to prove that the specification notices. Which
// fault is decided when it is built (BELFRY_FAULT); the good plugin is BELFRY_WRAPPED_PLUGIN.
//
// Threads: as limiter.h says.
#include <belfry/limiter.h>
#include <belfry/plugin.h>
#include <belfry/services.h>
#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <belfry/abi.hpp>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

using belfry::Rows;

enum class Fault {
    RoundedRates,    // counts in whole milliseconds
    FirstPolicy,     // looks at one policy
    ChargedDenials,  // charges policy by policy, and keeps what it took when a later one denies
    Racing,          // every thread has buckets of its own
    Nameless,        // knows no names of charges
    ShortHints,      // promises too early a time
    Elephant,        // never forgets a key
    OpenWhenLate     // lets everybody through when there is no time to ask
};
constexpr Fault kFault = Fault::BELFRY_FAULT;

// An instance is the good plugin's own; a case has one at a time.
const belfry_plugin* g_inner = nullptr;
const belfry_limiter* g_limiter = nullptr;
const belfry_host* g_host = nullptr;
std::mutex g_mutex;
std::map<std::string, belfry_charge> g_kept;  // guarded by g_mutex

template <class Row>
std::vector<Row> copied(belfry_list list) {
    const Rows<Row> rows(list);
    std::vector<Row> copies;
    for (size_t i = 0; i < rows.size(); ++i) copies.push_back(rows.known(i));
    return copies;
}

std::vector<belfry_policy> bent(std::vector<belfry_policy> policies) {
    if (kFault == Fault::FirstPolicy && policies.size() > 1) policies.resize(1);
    if (kFault != Fault::RoundedRates) return policies;
    for (belfry_policy& policy : policies) {
        if (policy.rate == 0 || policy.interval_ms < policy.rate) continue;
        policy.interval_ms /= policy.rate;
        policy.rate = 1;
    }
    return policies;
}

std::vector<belfry_charge> bent(std::vector<belfry_charge> charges) {
    static std::atomic<uint8_t> threads{0};
    thread_local const uint8_t thread = threads++;
    for (belfry_charge& charge : charges) {
        if (kFault == Fault::Racing) charge.key[8] ^= thread;
        if (kFault == Fault::Nameless) charge.stamp = 0;
    }
    if (kFault == Fault::Elephant) {
        const std::lock_guard lock(g_mutex);
        for (const belfry_charge& charge : charges) g_kept[std::string(charge.key, charge.key + 16)] = charge;
    }
    return charges;
}

bool is_late(int64_t deadline_mono_ns) {
    const auto* clock = static_cast<const belfry_clock*>(g_host->service(g_host, belfry::str(BELFRY_CLOCK_ID)));
    return clock->mono_ns(g_host) >= deadline_mono_ns;
}

// Each charge alone, each policy alone.
belfry_code charge_by_policy(belfry_instance* i, const std::vector<belfry_policy>& policies,
                             const std::vector<belfry_charge>& charges, int64_t deadline_mono_ns, belfry_emit emit,
                             void* ctx, belfry_why* why) {
    for (uint32_t index = 0; index < charges.size(); ++index) {
        auto answer = belfry::sized<belfry_charged>();
        answer.index = index;
        for (const belfry_policy& policy : policies) {
            const belfry_code code = belfry::collect<belfry_charged>(
                [&](belfry_emit each, void* each_ctx) {
                    return g_limiter->charge(i, belfry::one_row(policy), belfry::one_row(charges[index]),
                                             deadline_mono_ns, each, each_ctx, why);
                },
                [&](const belfry_charged& row) {
                    if (answer.code != BELFRY_BUSY) answer.code = row.code;
                    answer.wait_ms = std::max(answer.wait_ms, row.wait_ms);
                });
            if (code != BELFRY_OK) return code;
        }
        if (emit(ctx, belfry::one_row(answer)) != 0) break;
    }
    return BELFRY_OK;
}

belfry_code charge(belfry_instance* i, belfry_list policies, belfry_list charges, int64_t deadline_mono_ns,
                   belfry_emit emit, void* ctx, belfry_why* why) {
    const std::vector<belfry_policy> rules = bent(copied<belfry_policy>(policies));
    const std::vector<belfry_charge> wanted = bent(copied<belfry_charge>(charges));
    if (kFault == Fault::OpenWhenLate && is_late(deadline_mono_ns)) {
        std::vector<belfry_charged> rows(wanted.size(), belfry::sized<belfry_charged>());
        for (uint32_t index = 0; index < rows.size(); ++index) rows[index].index = index;
        emit(ctx, belfry::list_of(rows));
        return BELFRY_OK;
    }
    if (kFault == Fault::ChargedDenials && rules.size() > 1 && rules.size() <= BELFRY_POLICIES_MAX)
        return charge_by_policy(i, rules, wanted, deadline_mono_ns, emit, ctx, why);
    return belfry::collect<belfry_charged>(
        [&](belfry_emit each, void* each_ctx) {
            return g_limiter->charge(i, belfry::list_of(rules), belfry::list_of(wanted), deadline_mono_ns, each,
                                     each_ctx, why);
        },
        [&](belfry_charged row) {
            if (kFault == Fault::ShortHints && row.wait_ms > 1) row.wait_ms /= 2;
            return emit(ctx, belfry::one_row(row)) == 0;
        });
}

belfry_code create(const belfry_host* host, belfry_str, belfry_str config, belfry_instance** out, belfry_why* why) {
    g_host = host;
    return g_inner->create(host, belfry::str("queue_sqlite"), config, out, why);
}

const void* get_interface(belfry_instance* i, belfry_str id) {
    const void* table = g_inner->get_interface(i, id);
    if (table == nullptr || belfry::view(id) != BELFRY_LIMITER_ID) return table;
    g_limiter = static_cast<const belfry_limiter*>(table);
    static belfry_limiter faulty = *g_limiter;
    faulty.charge = &charge;
    return &faulty;
}

}  // namespace

const belfry_plugin* belfry_plugin_main_draft(const belfry_host* host) {
    void* library = ::dlopen(BELFRY_WRAPPED_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    void* symbol = library == nullptr ? nullptr : ::dlsym(library, BELFRY_ENTRY_SYMBOL);
    if (symbol == nullptr) return nullptr;
    g_inner = reinterpret_cast<const belfry_plugin* (*)(const belfry_host*)>(symbol)(host);
    if (g_inner == nullptr) return nullptr;
    static belfry_plugin plugin = *g_inner;
    plugin.id = belfry::str("broken_limiter");
    plugin.create = &create;
    plugin.get_interface = &get_interface;
    return &plugin;
}
