// SPDX-License-Identifier: Apache-2.0
// Enqueue, claim, finish: everything arrives once, in the right order, whole.
#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

std::string every_byte(size_t n) {
    std::string bytes(n, '\0');
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<char>(i % 256);
    return bytes;
}

void check_body(Queue& queue, const std::string& body) {
    NewPush push = slice_push(numbered("size-", body.size()), 3, 9);
    push.body = body;
    push.expires = queue.now() + 3'600'000;
    push.weight = 4;
    queue.must_enqueue(push);
    const Claimed claimed = queue.claim_one();
    require_equal(claimed.kind, BELFRY_WORK_SLICE, "kind");
    require_equal(claimed.uid, push.uid, "uid");
    require_equal(claimed.app, push.app, "app");
    require_equal(claimed.after, 3, "after");
    require_equal(claimed.hi, 9, "hi");
    require_equal(claimed.attempt, 1, "attempt");
    require_equal(claimed.weight, 4, "weight");
    require_equal(claimed.expires, push.expires, "expires");
    require_equal(claimed.state, BELFRY_PUSH_RUNNING, "state");
    require((claimed.flags & BELFRY_CLAIMED_INITIAL) != 0, "an item that came with its push is INITIAL");
    require(claimed.created > 0 && claimed.ready >= claimed.created, "created and ready times");
    require(queue.blob(claimed.body) == body, "the body comes back byte for byte");
    require_equal(queue.finish(claimed).code, BELFRY_OK, "code of finish");
    require(queue.claim(BELFRY_LANE_NORMAL, 1).empty(), "a finished item is not claimed again");
    require_equal(queue.lookup(push.uid)->state, BELFRY_PUSH_DONE, "state after the last item");
}

void round_trip(Context& context) {
    Queue queue(context);
    constexpr size_t kLargest = 64u << 20;
    const size_t max = std::min<size_t>(queue.table().item_bytes_max, kLargest);
    for (const size_t size : {size_t{0}, size_t{1}, size_t{64} << 10, max}) check_body(queue, every_byte(size));
    if (queue.table().item_bytes_max < kLargest) {
        NewPush push = slice_push("too-large");
        push.body = std::string(queue.table().item_bytes_max + size_t{1}, 'x');
        require_equal(queue.enqueue(push).code, BELFRY_TOO_LARGE, "code of one byte too many");
        require(!queue.lookup("too-large"), "nothing is kept of it");
    }
    queue.must_enqueue(list_push("keys", {5, kKeyEnd - 1, 0}));
    const Claimed keys = queue.claim_one();
    require_equal(keys.kind, BELFRY_WORK_LIST, "kind");
    require(keys.keys == std::vector<int64_t>{5, kKeyEnd - 1, 0} && keys.picks.empty(), "keys in their order");
    queue.finish(keys);
    queue.must_enqueue(small_push("small", {8, 9}));
    const std::vector<Claimed> small = queue.claim(BELFRY_LANE_NORMAL, 2);
    require_equal(small.size(), size_t{1}, "claimable items");
    const bool bundled = small[0].kind == BELFRY_WORK_BUNDLE;
    require((bundled ? small[0].members.at(0).keys : small[0].keys) == std::vector<int64_t>{8, 9},
            "a small push's keys");
    require((bundled ? small[0].members.at(0).uid : small[0].uid) == "small", "a small push's uid");
    queue.finish(small[0]);
    require_equal(queue.lookup("small")->state, BELFRY_PUSH_DONE, "state of a finished small push");
}

void binary(Context& context) {
    Queue queue(context);
    NewPush push = token_push("binary", 3, every_byte(1000));
    push.body = every_byte(700);
    queue.must_enqueue(push);
    const Claimed claimed = queue.claim_one();
    require(claimed.picks == std::vector<uint32_t>{0, 1, 2} && claimed.keys.empty(), "picks");
    require(queue.blob(claimed.body) == push.body, "body with NUL and every byte");
    require(queue.blob(claimed.blob) == push.blobs[0], "token blob with NUL and every byte");
    NewPush small = token_push("small-binary", 2, every_byte(300));
    small.small = true;
    small.body = every_byte(600);
    queue.must_enqueue(small);
    const Claimed bundle = queue.claim_one();
    if (bundle.kind == BELFRY_WORK_BUNDLE) {
        require(bundle.members.at(0).body == small.body, "body of a member");
        require(bundle.members.at(0).blob == small.blobs[0], "token blob of a member");
        require(bundle.members.at(0).picks == std::vector<uint32_t>{0, 1}, "picks of a member");
    } else {
        require(queue.blob(bundle.blob) == small.blobs[0], "token blob of a small push");
    }
    queue.finish(claimed);
    require(!queue.blob(claimed.blob), "a token blob is freed with its last item");
    require(!queue.blob(claimed.body), "a body is freed with its last item");
}

void batch_in_order(Context& context) {
    Queue queue(context);
    std::vector<NewPush> pushes;
    for (uint64_t i = 0; i < 500; ++i) {
        switch (i % 5) {
            case 0:
                pushes.push_back(slice_push(numbered("u", i)));
                break;
            case 1:
                pushes.push_back(small_push(numbered("u", i)));
                break;
            case 2:
                pushes.push_back(list_push(numbered("u", i), {1, 2}));
                break;
            case 3:
                pushes.push_back(small_push(numbered("u", i - 2)));  // the same push again
                break;
            default:
                pushes.push_back(slice_push(std::string(65, 'x')));  // uid too long
                break;
        }
    }
    const std::vector<Enqueued> answers = queue.enqueue(pushes);
    for (size_t i = 0; i < answers.size(); ++i) {
        const belfry_code wanted = i % 5 == 3 ? BELFRY_DUPLICATE : i % 5 == 4 ? BELFRY_BAD_REQUEST : BELFRY_OK;
        require_equal(answers[i].code, wanted, numbered("code of push ", i));
    }
    size_t found = 0;
    for (const Claimed& claimed : drain(queue)) {
        found += claimed.kind == BELFRY_WORK_BUNDLE ? claimed.members.size() : 1;
    }
    require_equal(found, size_t{300}, "pushes claimed");
}

void many_claimers(Context& context) {
    Queue queue(context);
    const uint64_t items = 20'000 * uint64_t{context.scale};
    for (uint64_t i = 0; i < items;) {
        std::vector<NewPush> batch;
        for (; batch.size() < 500 && i < items; ++i) batch.push_back(list_push(std::to_string(i), {1}));
        queue.must_enqueue(batch);
    }
    std::vector<std::atomic<int>> seen(items);
    std::atomic<uint64_t> finished{0};
    std::atomic<bool> failed{false};
    std::vector<std::thread> claimers;
    for (int t = 0; t < 16; ++t) {
        claimers.emplace_back([&] {
            try {
                while (finished < items && !failed) {
                    std::vector<Checkpoint> checkpoints;
                    for (const Claimed& claimed : queue.claim(BELFRY_LANE_NORMAL, 7, {}, 5)) {
                        ++seen.at(std::stoull(claimed.uid));
                        checkpoints.push_back(checkpoint_of(claimed, BELFRY_NEXT_FINISH));
                    }
                    if (checkpoints.empty()) continue;
                    for (const Paged& paged : queue.page(checkpoints)) require(paged.code == BELFRY_OK, "finish is OK");
                    finished += checkpoints.size();
                }
            } catch (const std::exception&) {
                failed = true;
            }
        });
    }
    for (std::thread& claimer : claimers) claimer.join();
    require(!failed, "every claim and page succeeds");
    for (const std::atomic<int>& count : seen) require_equal(count.load(), 1, "how often an item was claimed");
}

void claim_limit(Context& context) {
    Queue queue(context);
    std::vector<NewPush> pushes;
    for (uint64_t i = 0; i < 1000; ++i) pushes.push_back(slice_push(numbered("u", i)));
    queue.must_enqueue(pushes);
    std::array<std::vector<uint64_t>, 4> taken;
    std::atomic<bool> too_many{false};
    std::vector<std::thread> claimers;
    for (std::vector<uint64_t>& mine : taken) {
        claimers.emplace_back([&queue, &mine, &too_many] {
            try {
                for (;;) {
                    const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 5);
                    if (claimed.empty()) return;
                    for (const Claimed& one : claimed) mine.push_back(one.item);
                }
            } catch (const std::exception&) {
                too_many = true;
            }
        });
    }
    for (std::thread& claimer : claimers) claimer.join();
    require(!too_many, "no claim hands out more than n");
    std::set<uint64_t> items;
    size_t sum = 0;
    for (const std::vector<uint64_t>& mine : taken) {
        items.insert(mine.begin(), mine.end());
        sum += mine.size();
    }
    require_equal(sum, size_t{1000}, "items claimed");
    require_equal(items.size(), size_t{1000}, "different items claimed");
    require(queue.claim(BELFRY_LANE_NORMAL, 0).empty(), "n = 0 claims nothing");
}

void lowest_virtual_time(Context& context) {
    Queue queue(context);
    queue.must_enqueue({slice_push("a"), slice_push("b")});
    const auto page_with_cost = [&](uint32_t cost) {
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 1);
        require_equal(claimed.size(), size_t{1}, "items claimed");
        Checkpoint checkpoint = checkpoint_of(claimed[0], BELFRY_NEXT_RELEASE);
        checkpoint.cost = cost;
        queue.page(checkpoint);
        return claimed[0].uid;
    };
    require_equal(page_with_cost(1000), "a", "first in, first out");
    require_equal(page_with_cost(10), "b", "the other one is behind");
    require_equal(page_with_cost(10), "b", "10 is less than 1000");
    require_equal(page_with_cost(2000), "b", "20 is less than 1000");
    require_equal(page_with_cost(1), "a", "1000 is less than 2020");
}

void lanes_are_independent(Context& context) {
    Queue queue(context);
    for (const int32_t lane : {BELFRY_LANE_LOW, BELFRY_LANE_HIGH, BELFRY_LANE_NORMAL}) {
        NewPush push = slice_push(numbered("lane-", static_cast<uint64_t>(lane)));
        push.lane = lane;
        queue.must_enqueue(push);
    }
    for (const int32_t lane : {BELFRY_LANE_NORMAL, BELFRY_LANE_LOW, BELFRY_LANE_HIGH}) {
        const Claimed claimed = queue.claim_one(lane);
        require_equal(claimed.lane, lane, "lane of the item");
        require_equal(claimed.uid, numbered("lane-", static_cast<uint64_t>(lane)), "uid");
    }
}

void empty_claim(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("held"));
    queue.claim_one();
    NewPush gated = slice_push("gated");
    gated.items[0].gate = 9;
    queue.must_enqueue(gated);
    const belfry_queue_stats before = queue.stats();
    std::vector<double> times;
    for (int i = 0; i < 2000; ++i) {
        const auto start = Clock::now();
        require(queue.claim(BELFRY_LANE_NORMAL, 10, {8}).empty(), "nothing is claimable");
        times.push_back(ms_since(start));
    }
    const belfry_queue_stats after = queue.stats();
    require_equal(after.ready[BELFRY_LANE_NORMAL], before.ready[BELFRY_LANE_NORMAL], "ready items");
    require_equal(after.claimed[BELFRY_LANE_NORMAL], before.claimed[BELFRY_LANE_NORMAL], "claimed items");
    require(percentile(times, 0.99) < 2, "p99 of an empty claim below 2 ms");
}

void wakes_at_once(Context& context) {
    Queue queue(context);
    for (int round = 0; round < 5; ++round) {
        std::atomic<bool> waiting{false};
        std::vector<Claimed> claimed;
        Clock::time_point woke;
        std::thread claimer([&] {
            waiting = true;
            claimed = queue.claim(BELFRY_LANE_HIGH, 1, {}, 10'000);
            woke = Clock::now();
        });
        while (!waiting) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        NewPush push = slice_push(numbered("u", static_cast<uint64_t>(round)));
        push.lane = BELFRY_LANE_HIGH;
        queue.must_enqueue(push);
        const Clock::time_point enqueued = Clock::now();
        claimer.join();
        require_equal(claimed.size(), size_t{1}, "items claimed");
        require(std::chrono::duration<double, std::milli>(woke - enqueued).count() < 50, "claim wakes within 50 ms");
        queue.finish(claimed[0]);
    }
    const auto start = Clock::now();
    require(queue.claim(BELFRY_LANE_HIGH, 1, {}, 50).empty(), "nothing is claimable");
    require(ms_since(start) >= 45, "an empty claim waits as long as it was told");
}

void gates(Context& context) {
    Queue queue(context);
    NewPush push = slice_push("gated");
    push.items[0].gate = 7;
    queue.must_enqueue({push, slice_push("mixed")});
    require_equal(queue.claim_one(BELFRY_LANE_NORMAL, {3}).uid, "mixed", "only gate 0 and open gates");
    const Claimed gated = queue.claim_one(BELFRY_LANE_NORMAL, {3, 7});
    require_equal(gated.gate, 7, "gate of the item");
    queue.page(checkpoint_of(gated, BELFRY_NEXT_RELEASE));
    require(queue.claim(BELFRY_LANE_NORMAL, 5, {1}).empty(), "a released item waits behind its gate again");
    queue.steer("gated", BELFRY_STEER_CANCEL);
    const Claimed stopped = queue.claim_one(BELFRY_LANE_NORMAL, {1});
    require(stopped.stopped(), "items of a cancelled push come whatever their gate, flagged");
}

constexpr std::array kCases{
    Case{"Q1", "Every kind of work makes the round trip, with bodies from nothing to the maximum", 60, &round_trip},
    Case{"Q2", "Bodies and token blobs keep every byte and are freed with their last item", 20, &binary},
    Case{"Q3", "A batch of 500 is answered push by push, in order", 20, &batch_in_order},
    Case{"Q12", "Sixteen concurrent claimers get every item exactly once", 60, &many_claimers},
    Case{"Q13", "No claim hands out more than asked for, whoever claims at the same time", 20, &claim_limit},
    Case{"Q14", "Inside a lane the item with the lowest virtual time comes first", 20, &lowest_virtual_time},
    Case{"Q15", "A claim sees only its own lane", 20, &lanes_are_independent},
    Case{"Q16", "A claim that finds nothing is fast and changes nothing", 30, &empty_claim},
    Case{"Q17", "A waiting claim wakes at once when something is enqueued", 30, &wakes_at_once},
    Case{"G1", "Only items of gate 0 and of open gates are claimed, stopped ones whatever their gate", 20, &gates},
};

}  // namespace

std::span<const Case> claim_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
