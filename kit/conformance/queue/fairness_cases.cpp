// SPDX-License-Identifier: Apache-2.0
// Who gets how much.
#include <array>
#include <map>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

constexpr uint32_t kPage = 1000;

// One page after another, as a single worker; answers deliveries per uid.
std::map<std::string, int64_t> run_pages(Queue& queue, int pages, uint32_t slices_max) {
    std::map<std::string, int64_t> delivered;
    for (int i = 0; i < pages; ++i) {
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 1);
        if (claimed.empty()) break;
        const Claimed& one = claimed[0];
        Checkpoint page = checkpoint_of(one, BELFRY_NEXT_RELEASE);
        const int64_t width = std::min<int64_t>(kPage, one.hi - one.after - 1);
        page.cursor = one.after + width;
        page.planned = page.cost = static_cast<uint32_t>(width);
        if (width < kPage) page.next = BELFRY_NEXT_FINISH;
        // Less than two pages are not worth a split.
        if (one.live_items < slices_max && one.uid != "single" && one.hi - page.cursor > 2 * kPage) {
            page.split_at = page.cursor + (one.hi - page.cursor) / 2;
            page.split_hi = one.hi;
        }
        delivered[one.uid] += width;
        queue.page(page);
    }
    return delivered;
}

void require_ratio(double found, double wanted, const char* what) {
    const bool close = found > wanted * 0.9 && found < wanted * 1.1;
    require(close,
            std::string(what) + ": found " + std::to_string(found) + ", wanted " + std::to_string(wanted) + " +- 10 %");
}

void equal_and_weighted(Context& context) {
    {
        Queue queue(context);
        queue.must_enqueue({slice_push("big", -1, 10'000'000), slice_push("small", -1, 100'000)});
        auto delivered = run_pages(queue, 190, 64);
        require_ratio(static_cast<double>(delivered["big"]) / static_cast<double>(delivered["small"]), 1,
                      "a push of 10 M against one of 100 k while both live");
        require(queue.lookup("small")->state == BELFRY_PUSH_RUNNING, "both were alive");
        queue.steer("big", BELFRY_STEER_CANCEL);
        queue.steer("small", BELFRY_STEER_CANCEL);
        drain(queue);
        NewPush heavy = slice_push("heavy");
        heavy.weight = 3;
        queue.must_enqueue({heavy, slice_push("light")});
        delivered = run_pages(queue, 800, 16);
        require_ratio(static_cast<double>(delivered["heavy"]) / static_cast<double>(delivered["light"]), 3,
                      "weight 3 against weight 1");
        queue.steer("heavy", BELFRY_STEER_CANCEL);
        queue.steer("light", BELFRY_STEER_CANCEL);
        drain(queue);
        queue.must_enqueue(slice_push("many"));
        run_pages(queue, 70, 64);
        require(queue.lookup("many")->live_items >= 60, "the push was split into many slices");
        queue.must_enqueue(slice_push("single"));
        delivered = run_pages(queue, 1000, 64);
        require_ratio(static_cast<double>(delivered["many"]) / static_cast<double>(delivered["single"]), 1,
                      "64 slices against a single one");
    }
}

void latecomers(Context& context) {
    Queue queue(context);
    queue.must_enqueue({slice_push("old"), slice_push("paused")});
    run_pages(queue, 20, 1);
    queue.steer("paused", BELFRY_STEER_PAUSE);
    run_pages(queue, 1000, 1);
    queue.must_enqueue(slice_push("late"));
    auto delivered = run_pages(queue, 200, 1);
    require_ratio(static_cast<double>(delivered["late"]) / static_cast<double>(delivered["old"]), 1,
                  "a push that joins late gets its share at once");
    queue.host().advance_ms(60'000);
    queue.steer("paused", BELFRY_STEER_RESUME);
    delivered = run_pages(queue, 300, 1);
    require_ratio(static_cast<double>(delivered["paused"]) / static_cast<double>(delivered["old"]), 1,
                  "a push that was paused has no arrears");
    require_ratio(static_cast<double>(delivered["late"]) / static_cast<double>(delivered["old"]), 1, "the third push");
}

void behind_a_gate(Context& context) {
    Queue queue(context);
    NewPush gated = slice_push("gated");
    gated.items[0].gate = 4;
    queue.must_enqueue({slice_push("open"), gated});
    std::map<std::string, int64_t> before = run_pages(queue, 500, 1);
    require_equal(before["gated"], 0, "deliveries behind a closed gate");
    int64_t open = 0;
    int64_t opened = 0;
    for (int i = 0; i < 200; ++i) {
        const Claimed one = queue.claim(BELFRY_LANE_NORMAL, 1, {4}).at(0);
        Checkpoint page = checkpoint_of(one, BELFRY_NEXT_RELEASE);
        page.cost = kPage;
        (one.uid == "open" ? open : opened) += kPage;
        queue.page(page);
    }
    require_ratio(static_cast<double>(opened) / static_cast<double>(open), 1, "a gate that opens brings no arrears");
}

void urgent_under_backlog(Context& context) {
    Queue queue(context);
    std::vector<NewPush> bulk;
    for (uint64_t i = 0; i < 1000; ++i) bulk.push_back(slice_push(numbered("bulk-", i)));
    queue.must_enqueue(bulk);
    std::vector<double> times;
    for (uint64_t i = 0; i < 300; ++i) {
        run_pages(queue, 5, 1);
        NewPush push = small_push(numbered("urgent-", i));
        push.lane = BELFRY_LANE_HIGH;
        const auto start = Clock::now();
        queue.must_enqueue(push);
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_HIGH, 1, {}, 1000);
        require_equal(claimed.size(), size_t{1}, "urgent items claimed");
        queue.finish(claimed[0]);
        times.push_back(ms_since(start));
    }
    require(percentile(times, 0.99) < 100, "p99 of an urgent push below 100 ms");
}

void survives_restart(Context& context) {
    Queue queue(context);
    queue.must_enqueue({slice_push("a"), slice_push("b")});
    run_pages(queue, 100, 1);
    queue.reopen();
    queue.must_enqueue(slice_push("late"));
    auto delivered = run_pages(queue, 300, 1);
    require_ratio(static_cast<double>(delivered["a"]) / static_cast<double>(delivered["late"]), 1,
                  "after a restart a new push has no head start");
    require_ratio(static_cast<double>(delivered["b"]) / static_cast<double>(delivered["late"]), 1,
                  "the other old push");
}

void more_than_memory_holds(Context& context) {
    Queue queue(context, with_member(context, R"("shelf_items":32)"));
    const uint64_t pushes = 1000;
    for (uint64_t i = 0; i < pushes;) {
        std::vector<NewPush> batch;
        for (; batch.size() < 100; ++i) {
            batch.push_back(i % 3 == 0 ? small_push(std::to_string(i)) : list_push(std::to_string(i), {1}));
            batch.back().items[0].gate = static_cast<uint32_t>(i % 4);
        }
        queue.must_enqueue(batch);
    }
    queue.steer("998", BELFRY_STEER_CANCEL);
    queue.steer("997", BELFRY_STEER_PAUSE);
    require(!queue.claim(BELFRY_LANE_NORMAL, 1, {}).empty(), "claimable items");
    queue.reopen();
    std::map<std::string, int> seen;
    for (const Claimed& one : drain(queue, {1, 2, 3})) {
        if (one.kind != BELFRY_WORK_BUNDLE) ++seen[one.uid];
        for (const Member& member : one.members) ++seen[member.uid];
        if (one.uid == "998") require(one.stopped(), "the cancelled one is flagged");
    }
    require_equal(seen.size(), size_t{pushes - 1}, "pushes claimed, all but the paused one");
    for (const auto& [uid, times] : seen) require_equal(times, 1, "how often " + uid + " was claimed");
    queue.steer("997", BELFRY_STEER_RESUME);
    require_equal(queue.claim_one(BELFRY_LANE_NORMAL, {1, 2, 3}).uid, "997", "the paused one follows");
}

constexpr std::array kCases{
    Case{"Q42", "Equal pushes get equal shares, weights their ratio, many slices no more than one", 120,
         &equal_and_weighted},
    Case{"Q43", "A late or resumed push gets its share at once and no arrears", 120, &latecomers},
    Case{"Q43b", "A gate that opens brings no arrears", 120, &behind_a_gate},
    Case{"Q43c", "Shares survive a restart", 120, &survives_restart},
    Case{"Q44", "An urgent push is quick while a thousand slices wait", 120, &urgent_under_backlog},
    Case{"F1", "A backlog larger than the queue keeps in memory is claimed whole", 120, &more_than_memory_holds},
};

}  // namespace

std::span<const Case> fairness_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
