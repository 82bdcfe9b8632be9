// SPDX-License-Identifier: Apache-2.0
// What waits for its time, and what is too late.
#include <array>
#include <atomic>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

constexpr int64_t kHourMs = 3'600'000;

void send_at(Context& context) {
    Queue queue(context);
    NewPush push = slice_push("one");
    push.send_at = queue.now() + kHourMs;
    queue.must_enqueue(push);
    require_equal(queue.lookup("one")->state, BELFRY_PUSH_DELAYED, "state before it is due");
    queue.host().advance_ms(kHourMs - 2000);
    queue.upkeep();
    require(queue.claim(BELFRY_LANE_NORMAL, 1).empty(), "nothing is claimable before it is due");
    queue.reopen();
    require(queue.claim(BELFRY_LANE_NORMAL, 1).empty(), "nor after a restart");
    queue.host().advance_ms(1000);
    const uint32_t next_ms = queue.upkeep();
    require(next_ms <= 1000, "upkeep wants to be called again within a second of the due time");
    queue.host().advance_ms(1100);
    queue.upkeep();
    require_equal(queue.claim_one().uid, "one", "what is due");
    require_equal(queue.lookup("one")->state, BELFRY_PUSH_RUNNING, "state when it is due");
}

void many_due_at_once(Context& context) {
    Queue queue(context);
    const uint64_t pushes = 15'000 * uint64_t{context.scale};
    const int64_t due = queue.now() + kHourMs;
    for (uint64_t i = 0; i < pushes;) {
        std::vector<NewPush> batch;
        for (; batch.size() < 500; ++i) {
            batch.push_back(slice_push(std::to_string(i)));
            batch.back().send_at = due;
        }
        queue.must_enqueue(batch);
    }
    require_equal(queue.stats().delayed, static_cast<int64_t>(pushes), "delayed items");
    queue.host().advance_ms(kHourMs + 1000);
    std::atomic<bool> done{false};
    std::atomic<bool> failed{false};
    std::thread mover([&] {
        try {
            queue.upkeep();
        } catch (const std::exception&) {
            failed = true;
        }
        done = true;
    });
    std::vector<double> urgent;
    for (uint64_t i = 0; !done || urgent.size() < 20; ++i) {
        NewPush push = small_push(numbered("urgent-", i));
        push.lane = BELFRY_LANE_HIGH;
        const auto begin = Clock::now();
        queue.must_enqueue(push);
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_HIGH, 1, {}, 1000);
        urgent.push_back(ms_since(begin));
        require_equal(claimed.size(), size_t{1}, "urgent items claimed");
        queue.finish(claimed[0]);
    }
    mover.join();
    require(!failed, "upkeep succeeds");
    require(percentile(urgent, 0.99) < 200, "p99 of an urgent push while the others become due, below 200 ms");
    require_equal(queue.stats().ready[BELFRY_LANE_NORMAL], static_cast<int64_t>(pushes), "items that became claimable");
}

void due_in_the_past(Context& context) {
    Queue queue(context);
    NewPush push = slice_push("past");
    push.send_at = queue.now() - kHourMs;
    queue.must_enqueue(push);
    require_equal(queue.claim_one().uid, "past", "a push whose time has passed is claimable at once");
}

void expires_everywhere(Context& context) {
    Queue queue(context);
    const auto expiring = [&](NewPush push) {
        push.expires = queue.now() + kHourMs;
        queue.must_enqueue(push);
        return push.uid;
    };
    // At claim.
    expiring(slice_push("at-claim"));
    NewPush gated = slice_push("behind-gate");
    gated.items[0].gate = 9;
    expiring(gated);
    expiring(small_push("small"));
    // At a page.
    expiring(slice_push("at-page", 0, 1000));
    Claimed at_page;
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) {
        if (one.uid == "at-page") at_page = one;
        if (one.uid != "at-page") queue.page(checkpoint_of(one, BELFRY_NEXT_RELEASE));
        require(!one.stopped(), "nothing is flagged before it expires");
    }
    // At a retry.
    expiring(slice_push("at-retry"));
    Claimed retry;
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) {
        if (one.uid == "at-retry") retry = one;
        if (one.uid != "at-retry") queue.page(checkpoint_of(one, BELFRY_NEXT_RELEASE));
    }
    Checkpoint owe = checkpoint_of(retry, BELFRY_NEXT_FINISH);
    owe.planned = 2;
    owe.owed.push_back({});
    owe.owed[0].keys = {1, 2};
    owe.owed[0].due = queue.now() + 2 * kHourMs;
    queue.page(owe);
    // While delayed.
    NewPush delayed = slice_push("delayed");
    delayed.send_at = queue.now() + 2 * kHourMs;
    expiring(delayed);

    queue.host().advance_ms(kHourMs + 1000);
    Checkpoint page = checkpoint_of(at_page, BELFRY_NEXT_RELEASE);
    page.cursor = 100;
    require_equal(queue.page(page).code, BELFRY_STOPPED, "code of a page after the push expired");
    const int64_t before = [&] {
        belfry_pulse pulse{};
        queue.beat(queue.node(), &pulse);
        return pulse.changes;
    }();
    queue.upkeep();
    require(!queue.changes(before - 1000).empty(), "expired pushes are in the feed of changes");
    queue.host().advance_ms(2 * kHourMs);
    queue.upkeep();
    std::vector<std::string> stopped;
    for (const Claimed& one : drain(queue)) {
        if (one.kind == BELFRY_WORK_BUNDLE) {
            require((one.members.at(0).flags & BELFRY_MEMBER_STOPPED) != 0, "an expired member is flagged");
            stopped.push_back(one.members[0].uid);
            continue;
        }
        require(one.stopped() && one.state == BELFRY_PUSH_EXPIRED, "items of an expired push are flagged");
        if (one.uid == "at-retry") require(one.keys == std::vector<int64_t>{1, 2}, "the host gets what it must count");
        stopped.push_back(one.uid);
    }
    std::sort(stopped.begin(), stopped.end());
    require(stopped == std::vector<std::string>{"at-claim", "at-retry", "behind-gate", "small"}, "what came flagged");
    for (const char* uid : {"at-claim", "behind-gate", "at-page", "at-retry", "delayed"}) {
        require_equal(queue.lookup(uid)->state, BELFRY_PUSH_EXPIRED, uid);
        require(queue.lookup(uid)->finished > 0, "an expired push ends");
    }
}

constexpr std::array kCases{
    Case{"Q33", "A delayed push is not claimable before its time and is within a second of it", 20, &send_at},
    Case{"Q33b", "Many pushes due at once drain without starving an urgent one", 60, &many_due_at_once},
    Case{"Q34", "A time in the past means now", 20, &due_in_the_past},
    Case{"Q56", "Expiry takes effect at claim, at a page, at a retry and while delayed", 20, &expires_everywhere},
};

}  // namespace

std::span<const Case> time_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
