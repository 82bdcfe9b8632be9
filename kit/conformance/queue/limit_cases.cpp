// SPDX-License-Identifier: Apache-2.0
// Rate limits: belfry.limiter/1, for queues that offer it. Time passes by moving the host's clock; the real time that
// calls take passes beside it, so policies have emission times far above kSlackMs.
#include <algorithm>
#include <array>
#include <atomic>
#include <belfry/abi.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "conformance/queue/cases.h"
#include "conformance/queue/limits.h"
#include "conformance/runner/lent.h"

namespace belfry::conformance::queue {

namespace {

constexpr int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
// By how much the clock of a store that follows the host's may lag, or differ between two looks.
constexpr int64_t kSlackMs = 10;

// Asks for all there is at each step of a clock, and must be given what the law says, not one more or less.
void exact_rates(Context& context) {
    Limits limits(context);
    struct Line {
        belfry_policy policy;
        uint32_t tries;  // more than there can be; a burst is more than comes back in a step, so none is lost
        uint64_t taken = 0;
    };
    std::array<Line, 3> lines{
        {{policy(7, 10 * kSecond, 10), 9, 0}, {policy(3, kSecond, 40), 33, 0}, {policy(1, 3 * kSecond, 5), 6, 0}}};
    constexpr int64_t kStepMs = 10 * kSecond;
    constexpr int kSteps = 1000;
    int64_t first_before = 0, first_after = 0, last_before = 0, last_after = 0;
    for (int step = 0; step < kSteps; ++step) {
        if (step > 0) limits.advance_ms(kStepMs);
        last_before = limits.now();
        for (uint64_t key = 0; key < lines.size(); ++key)
            lines[key].taken += limits.take({lines[key].policy}, key, lines[key].tries);
        last_after = limits.now();
        if (step == 0) first_before = last_before;
        if (step == 0) first_after = last_after;
    }
    for (const Line& line : lines) {
        const auto lawful = [&](int64_t elapsed_ms) {
            return line.policy.burst + static_cast<uint64_t>(elapsed_ms) * line.policy.rate /
                                           static_cast<uint64_t>(line.policy.interval_ms);
        };
        const std::string rate =
            std::to_string(line.policy.rate) + " in " + std::to_string(line.policy.interval_ms) + " ms";
        require(line.taken <= lawful(last_after - first_before + kSlackMs),
                rate + ": no more than the law allows; taken were " + std::to_string(line.taken));
        require(line.taken >= lawful(last_before - first_after - kSlackMs),
                rate + ": all that the law allows; taken were " + std::to_string(line.taken));
    }
}

void bursts(Context& context) {
    Limits limits(context);
    const std::vector<belfry_policy> ten{policy(10, kHour)}, small{policy(60, kHour, 3)}, large{policy(1, kHour, 12)};
    const auto whole_burst = [&](const char* when) {
        context.step(when);
        const std::vector<Verdict> verdicts = limits.charge(ten, std::vector<belfry_charge>(15, charge_of(1)));
        for (size_t i = 0; i < verdicts.size(); ++i)
            require_equal(verdicts[i].allowed(), i < 10, "verdict " + std::to_string(i) + " of a burst of ten");
        require_equal(limits.take(small, 1, 9), 3, "of a burst smaller than the rate");
        require_equal(limits.take(large, 1, 20), 12, "of a burst larger than the rate");
        require_equal(limits.take(ten, 1, 3), 0, "directly behind a burst");
    };
    whole_burst("a new key");
    require_equal(limits.take(ten, 2, 4), 4, "another key has buckets of its own");
    limits.advance_ms(13 * kHour);
    whole_burst("as soon as the buckets are full again");
    limits.advance_ms(30 * kDay);
    whole_burst("after a month: there is never more than a burst");
    for (uint64_t key = 10; key < 20; ++key) {
        for (uint32_t i = 0; i < 3; ++i)
            require(limits.charge_one(small, charge_of(key)).allowed(), "a burst in calls of one charge");
        require(!limits.charge_one(small, charge_of(key)).allowed(), "a burst in calls of one charge has an end");
    }
}

void all_policies_count(Context& context) {
    Limits limits(context);
    const belfry_policy five = policy(5, 10 * kMinute), eight = policy(8, kDay);
    context.step("denied by the first");
    require_equal(limits.take({five, eight}, 1, 9), 5, "of five and eight");
    require_equal(limits.take({eight}, 1, 9), 3, "a denial by the first took nothing from the second, which has left");
    context.step("denied by the second");
    require_equal(limits.take({eight}, 2, 7), 7, "of eight");
    require_equal(limits.take({five, eight}, 2, 9), 1, "of five and what is left of eight");
    require_equal(limits.take({five}, 2, 9), 4, "a denial by the second took nothing from the first, which has left");
    context.step("in another order, beside others");
    require_equal(limits.take({eight, policy(100, kHour), five}, 3, 9), 5, "the order means nothing");
    require_equal(limits.take({five}, 3, 1), 0, "a bucket is that of key and policy, whatever else a call names");
    context.step("eight policies at once");
    std::vector<belfry_policy> many;
    for (uint32_t i = 0; i < BELFRY_POLICIES_MAX; ++i) many.push_back(policy(20 - i, kDay));
    require_equal(limits.take(many, 4, 30), 20 - (BELFRY_POLICIES_MAX - 1), "the strictest of eight");
    for (uint32_t i = 0; i < BELFRY_POLICIES_MAX; ++i)
        require_equal(limits.take({many[i]}, 4, 30), BELFRY_POLICIES_MAX - 1 - i, "left in a bucket of eight");
}

constexpr uint32_t kStrict = 400, kLoose = 500;

// 16 threads at buckets that nobody refills meanwhile; `of` answers the limiter of a thread.
void race(Context& context, const std::function<Limits&(size_t)>& of) {
    constexpr size_t kCallers = 16;
    constexpr uint32_t kCalls = 20, kEach = 8;
    constexpr uint64_t kKeys = 5;
    const std::vector<belfry_policy> policies{policy(1, kHour, kLoose), policy(1, kHour, kStrict)};
    std::array<std::atomic<uint32_t>, kKeys> taken{};
    const uint64_t seed = context.random();
    run_together(kCallers, [&](size_t caller) {
        std::mt19937_64 random(seed + caller);
        for (uint32_t call = 0; call < kCalls; ++call) {
            std::vector<uint64_t> keys;
            for (uint32_t i = 0; i < kEach * kKeys; ++i) keys.push_back(i % kKeys);
            std::shuffle(keys.begin(), keys.end(), random);
            std::vector<belfry_charge> charges;
            for (const uint64_t key : keys) charges.push_back(charge_of(key, random() | 1));
            const std::vector<Verdict> verdicts = of(caller).charge(policies, charges);
            for (size_t i = 0; i < keys.size(); ++i) taken[keys[i]] += verdicts[i].code == BELFRY_OK ? 1 : 0;
        }
    });
    for (uint64_t key = 0; key < kKeys; ++key) {
        require_equal(taken[key].load(), kStrict, "taken by sixteen callers from a bucket");
        require_equal(of(0).take({policies[0]}, key, 2 * kLoose), kLoose - kStrict, "left in the other bucket");
    }
}

void concurrent_callers(Context& context) {
    Limits limits(context);
    race(context, [&](size_t) -> Limits& { return limits; });
}

void several_nodes(Context& context) {
    Limits first(context, 1);
    if ((first.table().flags & BELFRY_LIMITER_SHARED) == 0) skip("buckets are not declared SHARED");
    Context elsewhere = context;  // a node has a data_dir of its own
    elsewhere.directory += "/second";
    std::filesystem::create_directory(elsewhere.directory);
    Limits second(elsewhere, 2);
    race(context, [&](size_t caller) -> Limits& { return caller % 2 == 0 ? first : second; });
}

void replays(Context& context) {
    Limits limits(context);
    const std::vector<belfry_policy> five{policy(5, kHour)}, both{policy(1, kSecond, 5), policy(5, kHour)};
    const auto page = [](uint64_t key, uint64_t from, uint64_t to) {
        std::vector<belfry_charge> charges;
        for (uint64_t stamp = from; stamp <= to; ++stamp) charges.push_back(charge_of(key, stamp));
        return charges;
    };
    const auto all = [&](const std::vector<belfry_policy>& policies, const std::vector<belfry_charge>& charges,
                         belfry_code code, const char* what) {
        context.step(what);
        for (const Verdict& one : limits.charge(policies, charges)) require_equal(one.code >> 16, code >> 16, what);
    };
    all(five, page(1, 1, 3), BELFRY_OK, "a page is charged");
    all(five, page(1, 1, 3), BELFRY_DUPLICATE, "the page again");
    all(five, page(1, 4, 5), BELFRY_OK, "the rest of the bucket");
    all(five, page(1, 6, 7), BELFRY_BUSY, "beyond it");
    all(five, page(1, 1, 5), BELFRY_DUPLICATE, "what was charged, with an empty bucket");
    all(five, page(1, 6, 7), BELFRY_BUSY, "a denial is no charge: it is denied again");
    all(five, page(2, 1, 5), BELFRY_OK, "the same names, another key");
    context.step("twice in one call");
    const std::vector<Verdict> twice = limits.charge(five, {charge_of(3, 9), charge_of(3, 9), charge_of(3, 10)});
    require(twice[0].code == BELFRY_OK && twice[1].code == BELFRY_DUPLICATE && twice[2].code == BELFRY_OK,
            "the first is charged, its repetition is not, another one is");
    require_equal(limits.take(five, 3, 9), 3, "left, after two of five");
    const std::vector<belfry_policy> wide{policy(100, kHour)};
    all(wide, page(4, 1, BELFRY_CHARGES_KNOWN), BELFRY_OK, "as many as a bucket knows at least");
    all(wide, page(4, 1, BELFRY_CHARGES_KNOWN), BELFRY_DUPLICATE, "all of them again");
    all(both, page(5, 1, 2), BELFRY_OK, "two policies");
    limits.advance_ms(kMinute);
    all(both, page(5, 1, 2), BELFRY_DUPLICATE, "one of the two buckets is full and has forgotten, the other knows");
    require_equal(limits.take({both[1]}, 5, 9), 3, "left, after two of five");
}

void wait_hints(Context& context) {
    Limits limits(context);
    const auto denied = [&](const std::vector<belfry_policy>& policies, uint64_t key, int64_t least, int64_t most) {
        const Verdict verdict = limits.charge_one(policies, charge_of(key));
        require(!verdict.allowed(), "an empty bucket gives nothing");
        require(verdict.wait_ms >= least - kSlackMs && verdict.wait_ms <= most + kSlackMs,
                "a hint from " + std::to_string(least) + " to " + std::to_string(most) + " ms; it was " +
                    std::to_string(verdict.wait_ms));
        return verdict.wait_ms;
    };
    // The time that calls take, with much to spare for a busy machine.
    constexpr int64_t kBusyMs = 20 * kSecond;
    const std::vector<belfry_policy> minute{policy(1, kMinute, 2)};
    require_equal(limits.take(minute, 1, 2), 2, "of two");
    int64_t wait = denied(minute, 1, kMinute - kBusyMs, kMinute);
    context.step("long before the hint");
    limits.advance_ms(wait - 30 * kSecond);
    wait = denied(minute, 1, 30 * kSecond - kBusyMs, 30 * kSecond);
    context.step("at the hint");
    limits.advance_ms(wait + kSlackMs);
    require(limits.charge_one(minute, charge_of(1)).allowed(), "who waits as long as he was told is allowed");
    context.step("two policies: the later one counts");
    const std::vector<belfry_policy> two{policy(1, kMinute), policy(1, 10 * kMinute)};
    require_equal(limits.take(two, 2, 1), 1, "of one");
    wait = denied(two, 2, 10 * kMinute - kBusyMs, 10 * kMinute);
    limits.advance_ms(wait + kSlackMs);
    require(limits.charge_one(two, charge_of(2)).allowed(), "allowed at the hint by both");
    context.step("rates that do not divide their interval");
    for (uint64_t key = 100; key < 120; ++key) {
        const auto rate = static_cast<uint32_t>(1 + context.below(50));
        const std::vector<belfry_policy> any{policy(rate, static_cast<int64_t>((1 + context.below(100)) * 1'000'003),
                                                    static_cast<uint32_t>(1 + context.below(20)))};
        while (limits.charge_one(any, charge_of(key)).allowed()) {
        }
        wait = limits.charge_one(any, charge_of(key)).wait_ms;
        require(wait <= any[0].interval_ms / rate + 1, "a hint is no longer than it takes for one to come back");
        limits.advance_ms(wait + kSlackMs);
        require(limits.charge_one(any, charge_of(key)).allowed(), "allowed at the hint");
    }
}

size_t resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        if (word != "VmRSS:") continue;
        size_t kib = 0;
        status >> kib;
        return kib;
    }
    return 0;
}

void state_expires(Context& context) {
    Limits limits(context);
    const std::vector<belfry_policy> minute{policy(1, kMinute)};
    require_equal(limits.charge_one(minute, charge_of(1, 7)).code, BELFRY_OK, "charged");
    limits.advance_ms(kMinute + kSlackMs);
    require_equal(limits.charge_one(minute, charge_of(1, 7)).code, BELFRY_OK,
                  "a full bucket has forgotten what was charged to it");
    // Each round charges keys that never come again; after a few rounds memory has its size.
    constexpr int kRounds = 14, kWarm = 4;
    constexpr uint64_t kKeys = 10'000, kBatch = 1000;
    // All buckets of the rounds would be above 9 MiB. Sanitizers keep what is freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    constexpr size_t kGrowthKib = 1 << 20;
#else
    constexpr size_t kGrowthKib = 6 << 10;
#endif
    size_t warm = 0;
    uint64_t next = 1'000'000;
    for (int round = 0; round < kRounds; ++round) {
        context.step("round " + std::to_string(round));
        for (uint64_t done = 0; done < kKeys; done += kBatch) {
            std::vector<belfry_charge> charges;
            for (uint64_t i = 0; i < kBatch; ++i, ++next) charges.push_back(charge_of(next, next));
            for (const Verdict& one : limits.charge(minute, charges)) require(one.allowed(), "a new key is allowed");
        }
        limits.queue().upkeep();
        if (round == kWarm) warm = resident_kib();
        limits.advance_ms(kHour);
    }
    const size_t end = resident_kib();
    require(end < warm + kGrowthKib, "memory does not grow with keys that are long over: it grew from " +
                                         std::to_string(warm) + " to " + std::to_string(end) + " KiB");
}

// What the host builds "let through" or "hold back" on: a call that fails as a whole, soon, and leaves nothing crooked.
void no_answer_in_time(Context& context) {
    Limits limits(context);
    const std::vector<belfry_policy> ten{policy(10, kHour)};
    std::vector<belfry_charge> page;
    for (uint64_t stamp = 1; stamp <= 6; ++stamp) page.push_back(charge_of(1, stamp));
    for (int i = 0; i < 3; ++i) {
        uint32_t rows = 0;
        belfry_why why{};
        const auto start = Clock::now();
        const belfry_code code = limits.try_charge(ten, page, limits.queue().host().mono_ns(), &rows, &why);
        require(code == BELFRY_DEADLINE || code == BELFRY_RETRY_LATER,
                "a call whose time is over answers DEADLINE or RETRY_LATER, it was " + said(code, why));
        require(why.text[0] != '\0', "it says why");
        require_equal(rows, 0, "answers of a call that failed");
        require(ms_since(start) < 2000, "it says so at once");
    }
    context.step("the same call again, in time");
    for (const Verdict& one : limits.charge(ten, page)) require(one.allowed(), "what was asked for is allowed");
    require_equal(limits.take(ten, 1, 20), 4, "left of ten, after six that were asked for four times");
}

void impossible_input(Context& context) {
    Limits limits(context);
    const belfry_policy good = policy(3, kHour);
    const auto refused = [&](const std::vector<belfry_policy>& policies, const std::vector<belfry_charge>& charges,
                             const char* what) {
        context.step(what);
        uint32_t rows = 0;
        belfry_why why{};
        const belfry_code code =
            limits.try_charge(policies, charges, limits.queue().host().far_deadline(), &rows, &why);
        require(code == BELFRY_BAD_REQUEST, std::string(what) + " is BAD_REQUEST; it was " + said(code, why));
        require(why.where[0] != '\0' && why.text[0] != '\0', std::string(what) + " is refused by place and reason");
        require_equal(rows, 0, what);
    };
    refused({}, {charge_of(1)}, "no policy");
    refused(std::vector<belfry_policy>(BELFRY_POLICIES_MAX + 1, good), {charge_of(1)}, "nine policies");
    refused({good, policy(0, kHour, 1)}, {charge_of(1)}, "a rate of nothing");
    refused({good, policy(1, 0)}, {charge_of(1)}, "no interval");
    refused({good, policy(1, -5)}, {charge_of(1)}, "a negative interval");
    refused({good, policy(1, kHour, 0)}, {charge_of(1)}, "a burst of nothing");
    refused({good, policy(BELFRY_POLICY_RATE_MAX + 1, kHour)}, {charge_of(1)}, "a rate above its bound");
    refused({good, policy(1, BELFRY_POLICY_INTERVAL_MAX_MS + 1)}, {charge_of(1)}, "an interval above its bound");
    refused({good, policy(1, 31 * kDay, 100)}, {charge_of(1)}, "a bucket that fills for years");
    refused({good}, std::vector<belfry_charge>(BELFRY_CHARGES_MAX + 1, charge_of(1)), "too many charges");
    require_equal(limits.charge({good}, {}).size(), 0, "verdicts about nothing");
    context.step("memory that was lent is used no longer");
    {
        Lent lent;
        uint32_t rows = 0;
        belfry_why why{};
        const auto count = [](void* ctx, belfry_list list) -> int32_t {
            *static_cast<uint32_t*>(ctx) += list.n;
            return 0;
        };
        must(limits.table().charge(limits.queue().instance(), lent.rows<belfry_policy>({good}, 16),
                                   lent.rows<belfry_charge>({charge_of(1, 4), charge_of(2, 4)}, 16),
                                   limits.queue().host().far_deadline(), count, &rows, &why),
             why, "charge");
        require_equal(rows, 2, "verdicts about longer rows");
    }
    require_equal(limits.take({good}, 1, 9), 2, "left of three, of which one was charged and much was refused");
    context.step("as much as a call may have");
    std::vector<belfry_charge> most;
    for (uint64_t i = 0; i < BELFRY_CHARGES_MAX; ++i) most.push_back(charge_of(100 + i, i));
    for (const Verdict& one : limits.charge({policy(1, kHour, 2), policy(1, kDay, 2)}, most))
        require(one.allowed(), "a new key is allowed");
}

constexpr std::array kCases{
    Case{"L1", "Over 10,000 seconds a bucket gives exactly what its rate says, whatever does not divide", 180,
         &exact_rates},
    Case{"L2", "A burst is given at once, in the order asked, and never more than it", 30, &bursts},
    Case{"L3", "All policies of a call apply; what one denies is taken from none", 30, &all_policies_count},
    Case{"L4", "Sixteen callers at once get exactly what one would", 60, &concurrent_callers},
    Case{"L5", "A charge that is repeated under its name is not made again", 30, &replays},
    Case{"L6", "A denial says when the same charge will be allowed, and then it is", 30, &wait_hints},
    Case{"L7", "Full buckets are forgotten, and memory does not grow with them", 180, &state_expires},
    Case{"L8", "A call that cannot be answered in time says so, and its repetition is charged once", 30,
         &no_answer_in_time},
    Case{"L9", "Impossible limits are refused by place and change nothing", 30, &impossible_input},
    Case{"L10", "Nodes on one store share the buckets, if that is declared", 60, &several_nodes},
};

}  // namespace

std::span<const Case> limit_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
