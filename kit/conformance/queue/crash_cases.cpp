// SPDX-License-Identifier: Apache-2.0
// kill -9 at chosen and at random moments.
#include <array>
#include <map>
#include <set>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

using Report = std::function<void(int64_t)>;

void enqueue_forever(Context& context, const Report& report, int64_t first) {
    Queue queue(context);
    for (int64_t i = first;; i += 3) {
        std::vector<NewPush> batch{small_push(std::to_string(i)), slice_push(std::to_string(i + 1)),
                                   small_push(std::to_string(i + 2))};
        batch[2].lane = BELFRY_LANE_HIGH;
        queue.must_enqueue(batch);
        report(i + 2);  // everything up to here is acknowledged
    }
}

// How often each uid is claimable.
std::map<int64_t, int> claimable_uids(Queue& queue) {
    std::map<int64_t, int> seen;
    for (const Claimed& one : drain(queue)) {
        if (one.kind != BELFRY_WORK_BUNDLE) ++seen[std::stoll(one.uid)];
        for (const Member& member : one.members) ++seen[std::stoll(member.uid)];
    }
    return seen;
}

void kill_producer(Context& context) {
    int64_t first = 0;
    for (uint64_t kill = 0; kill < 20 * uint64_t{context.scale}; ++kill) {
        const size_t batches = 1 + context.below(40);
        std::vector<int64_t> reports;
        run_and_kill([&](const Report& report) { enqueue_forever(context, report, first); },
                     [&](const auto& reported) { return reported.size() >= batches; }, &reports);
        require(!reports.empty(), "the producer got an answer before it was killed");
        const int64_t acknowledged = reports.back();
        Queue queue(context);
        const std::map<int64_t, int> seen = claimable_uids(queue);
        for (int64_t uid = first; uid <= acknowledged; ++uid) {
            require(seen.count(uid) == 1, "every acknowledged push is there after kill -9");
            require(queue.lookup(std::to_string(uid)).has_value(), "and is found by its uid");
        }
        for (const auto& [uid, times] : seen) require_equal(times, 1, "how often a push is claimable");
        first = acknowledged + 300;
    }
}

void kill_after_claim(Context& context) {
    {
        Queue queue(context);
        queue.must_enqueue({slice_push("slice", 5, 50), list_push("list", {1, 2, 3}), small_push("small", {9})});
    }
    for (uint64_t kill = 1; kill <= 3; ++kill) {
        std::vector<int64_t> reports;
        const bool killed = run_and_kill(
            [&](const Report& report) {
                Queue queue(context, {}, 50 + kill);
                report(static_cast<int64_t>(queue.claim(BELFRY_LANE_NORMAL, 10).size()));
                std::this_thread::sleep_for(std::chrono::seconds(60));
            },
            [](const auto& reported) { return !reported.empty(); }, &reports);
        require(killed, "the worker was killed while it held items");
        require_equal(reports.at(0), 3, "items the worker held");
    }
    Queue queue(context, {}, 99);
    size_t seen = 0;
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) {
        ++seen;
        require_equal(one.crashes, 3, "crashes counted");
        if (one.uid == "slice") require(one.after == 5 && one.hi == 50, "the slice is as it was");
        if (one.uid == "list") require(one.keys == std::vector<int64_t>{1, 2, 3}, "the list is as it was");
        queue.finish(one);
    }
    require_equal(seen, size_t{3}, "items claimable after the kills");
}

void kill_after_checkpoint(Context& context) {
    {
        Queue queue(context);
        queue.must_enqueue(slice_push("u", 0, 1'000'000));
    }
    for (uint64_t kill = 0; kill < 10 * uint64_t{context.scale}; ++kill) {
        const size_t pages = 1 + context.below(50);
        std::vector<int64_t> reports;
        run_and_kill(
            [&](const Report& report) {
                Queue queue(context, {}, 100 + kill);
                for (;;) {
                    const Claimed claimed = queue.claim_one();
                    Checkpoint page = checkpoint_of(claimed, BELFRY_NEXT_RELEASE);
                    page.cursor = claimed.after + 10;
                    page.planned = 10;
                    queue.page(page);
                    report(page.cursor);
                }
            },
            [&](const auto& reported) { return reported.size() >= pages; }, &reports);
        Queue queue(context, {}, 1000 + kill);
        const Claimed claimed = queue.claim_one();
        require(reports.empty() || claimed.after >= reports.back(), "no committed page is repeated");
        require_equal(queue.lookup("u")->planned, claimed.after, "counters and cursor agree");
        queue.page(checkpoint_of(claimed, BELFRY_NEXT_RELEASE));
    }
}

void poison(Context& context) {
    {
        Queue queue(context);
        queue.must_enqueue({list_push("poison", {1, 2, 3}), slice_push("healthy", 0, 1'000'000)});
    }
    uint32_t held = 0;
    for (uint64_t kill = 1; kill <= 8; ++kill) {
        std::vector<int64_t> reports;
        run_and_kill(
            [&](const Report& report) {
                Queue queue(context, {}, kill);
                int64_t found = 0;
                for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) {
                    if (one.uid == "poison") found = 1;
                    if (one.uid != "healthy") continue;
                    Checkpoint page = checkpoint_of(one, BELFRY_NEXT_KEEP);  // it gets on with its work
                    page.cursor = one.after + 10;
                    queue.page(page);
                }
                report(found);
                std::this_thread::sleep_for(std::chrono::seconds(60));
            },
            [](const auto& reported) { return !reported.empty(); }, &reports);
        held += static_cast<uint32_t>(reports.at(0));
    }
    Queue queue(context, {}, 99);
    require(held >= 5 && held <= 6, "an item is buried after about five unclean ends of its owner, not before");
    const std::vector<Dead> dead = queue.dead("poison");
    require_equal(dead.size(), size_t{1}, "dead letters of the poison");
    require(!dead[0].note.empty(), "a dead letter says why");
    require_equal(dead[0].entries, 3, "entries of the dead letter");
    require_equal(queue.lookup("poison")->count(BELFRY_FINAL_DEAD), 3, "counted as dead");
    require_equal(queue.lookup("poison")->planned, 3, "planned");
    const Claimed healthy = queue.claim_one();
    require_equal(healthy.uid, "healthy", "an item that gets on is not buried");
    require_equal(queue.replay({dead[0].id}), 1, "replayed");
    require(queue.claim_one().keys == std::vector<int64_t>{1, 2, 3}, "the buried item kept its payload");
}

void kill_mover(Context& context) {
    const uint64_t lists = 2000;
    int64_t due = 0;
    {
        Queue queue(context);
        due = queue.now() + 60'000;
        for (uint64_t i = 0; i < lists;) {
            std::vector<NewPush> batch;
            for (; batch.size() < 200; ++i) {
                batch.push_back(list_push(std::to_string(i), {static_cast<int64_t>(i)}));
                batch.back().send_at = due;
            }
            queue.must_enqueue(batch);
        }
    }
    for (uint64_t kill = 0; kill < 5; ++kill) {
        const uint64_t us = 500 + context.below(12'000);
        std::vector<int64_t> reports;
        Clock::time_point start;
        run_and_kill(
            [&](const Report& report) {
                Queue queue(context, {}, 10 + kill);
                queue.host().advance_ms(120'000);
                report(1);
                queue.upkeep();
                std::this_thread::sleep_for(std::chrono::seconds(60));
            },
            [&](const auto& reported) {
                if (reported.empty()) {
                    start = Clock::now();
                    return false;
                }
                return ms_since(start) * 1000 > static_cast<double>(us);
            },
            &reports);
    }
    Queue queue(context, {}, 99);
    queue.host().advance_ms(120'000);
    queue.upkeep();
    const std::map<int64_t, int> seen = claimable_uids(queue);
    require_equal(seen.size(), size_t{lists}, "pushes that became claimable");
    for (const auto& [uid, times] : seen) require_equal(times, 1, "how often a moved push is claimable");
    require_equal(queue.stats().delayed, 0, "delayed items");
}

constexpr std::array kCases{
    Case{"Q10", "After kill -9 of the producer every acknowledged push is there, any other at most once", 120,
         &kill_producer},
    Case{"Q26", "kill -9 right after a claim loses and repeats nothing", 30, &kill_after_claim},
    Case{"Q27", "kill -9 right after a checkpoint repeats nothing of it", 120, &kill_after_checkpoint},
    Case{"Q32", "An item that is held over unclean ends again and again is buried whole", 30, &poison},
    Case{"Q35", "kill -9 while due work is moved neither loses nor doubles any", 120, &kill_mover},
};

}  // namespace

std::span<const Case> crash_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
