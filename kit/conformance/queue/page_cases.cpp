// SPDX-License-Identifier: Apache-2.0
// Checkpoints: atomic, fenced, repeatable, and nothing owed is ever lost.
#include <array>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

constexpr int64_t kHourMs = 3'600'000;

void cursor(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 0, 100));
    Claimed claimed = queue.claim_one();
    Checkpoint keep = checkpoint_of(claimed, BELFRY_NEXT_KEEP);
    keep.cursor = 10;
    keep.planned = 10;
    keep.tallies = {{BELFRY_FINAL_ACCEPTED, 10}};
    require_equal(queue.page(keep).code, BELFRY_OK, "code of a page that keeps its item");
    require(queue.claim(BELFRY_LANE_NORMAL, 1).empty(), "a kept item is not claimable");
    Checkpoint release = checkpoint_of(claimed, BELFRY_NEXT_RELEASE);
    release.cursor = 37;
    require_equal(queue.page(release).code, BELFRY_OK, "code of the page that releases it");
    const Claimed again = queue.claim_one();
    require_equal(again.after, 37, "where the next claim goes on");
    require_equal(again.hi, 100, "end of the range");
    require(again.epoch != claimed.epoch, "every claim has another epoch");
    queue.page(checkpoint_of(again, BELFRY_NEXT_RELEASE));
    queue.reopen();
    require_equal(queue.claim_one().after, 37, "the cursor after a restart");
    const auto view = queue.lookup("u");
    require_equal(view->planned, 10, "planned");
    require_equal(view->count(BELFRY_FINAL_ACCEPTED), 10, "accepted");
    require_equal(view->range_left, 63, "key space left");
    require(!view->planned_final, "planned is not final while a slice is left");
}

// Ranges and lists a push still has, by claiming all of it.
struct Left {
    int64_t keys_in_slices = 0;
    std::multiset<int64_t> listed;
};

Left what_is_left(Queue& queue) {
    Left left;
    queue.host().advance_ms(24 * kHourMs);
    queue.upkeep();
    for (;;) {
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 100);
        if (claimed.empty()) return left;
        for (const Claimed& one : claimed) {
            if (one.kind == BELFRY_WORK_SLICE) left.keys_in_slices += one.hi - one.after - 1;
            left.listed.insert(one.keys.begin(), one.keys.end());
        }
    }
}

// Pages of ten keys, of which three are owed; now and then a split. Ends only by being killed.
void page_forever(Context& context, const std::function<void(int64_t)>& report, uint64_t node) {
    Queue queue(context, {}, node);
    for (;;) {
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 1);
        if (claimed.empty() || claimed[0].kind != BELFRY_WORK_SLICE) continue;
        Checkpoint page = checkpoint_of(claimed[0], BELFRY_NEXT_RELEASE);
        const std::vector<int64_t> keys = keys_in(claimed[0].after, claimed[0].hi, 10);
        page.cursor = keys.empty() ? claimed[0].after : keys.back();
        page.planned = static_cast<uint32_t>(keys.size());
        if (keys.size() < 10) {
            page.next = BELFRY_NEXT_FINISH;
        } else if (context.below(4) == 0 && claimed[0].hi - page.cursor > 4) {
            page.split_at = page.cursor + (claimed[0].hi - page.cursor) / 2;
            page.split_hi = claimed[0].hi;
        }
        const size_t owed = std::min<size_t>(3, keys.size());
        if (owed > 0) {
            Owed list;
            list.due = queue.now() + kHourMs + static_cast<int64_t>(context.below(1000));
            list.keys.assign(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(owed));
            page.owed.push_back(list);
        }
        page.tallies = {{BELFRY_FINAL_ACCEPTED, static_cast<uint32_t>(keys.size() - owed)}};
        queue.page(page);
        report(1);
    }
}

void page_is_atomic(Context& context) {
    constexpr int64_t kKeys = 1'000'000;
    {
        Queue queue(context);
        queue.must_enqueue(slice_push("u", 0, kKeys + 1));
    }
    for (uint64_t kill = 0; kill < 6 * uint64_t{context.scale}; ++kill) {
        const size_t pages = 20 + context.below(400);
        std::vector<int64_t> reports;
        context.random.discard(1);  // the child's choices differ from the last one's
        const bool killed = run_and_kill([&](const auto& report) { page_forever(context, report, 100 + kill); },
                                         [&](const auto& reported) { return reported.size() >= pages; }, &reports);
        require(killed, "the process was killed while it paged");
    }
    Queue queue(context, {}, 1000);
    const auto view = queue.lookup("u");
    const Left left = what_is_left(queue);
    const std::set<int64_t> different(left.listed.begin(), left.listed.end());
    require_equal(different.size(), left.listed.size(), "no key is owed twice");
    require_equal(view->planned + left.keys_in_slices, kKeys, "planned + keys left in slices");
    require_equal(view->count(BELFRY_FINAL_ACCEPTED) + static_cast<int64_t>(left.listed.size()), view->planned,
                  "accepted + owed");
}

void random_splits(Context& context) {
    Queue queue(context);
    constexpr int64_t kEnd = int64_t{1} << 40;
    queue.must_enqueue(slice_push("u", -1, kEnd));
    std::map<int64_t, int64_t> done;  // from -> to, both ends inside
    for (uint64_t i = 0; i < 2000 * uint64_t{context.scale}; ++i) {
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 1);
        require_equal(claimed.size(), size_t{1}, "claimable items");
        const Claimed& one = claimed[0];
        Checkpoint page = checkpoint_of(one, BELFRY_NEXT_RELEASE);
        page.cost = 1;
        const auto width = static_cast<uint64_t>(one.hi - one.after - 1);
        if (width > 0)
            page.cursor = one.after + static_cast<int64_t>(context.below(std::min<uint64_t>(width, 1000) + 1));
        if (page.cursor > one.after) done[one.after + 1] = page.cursor;
        if (one.hi - page.cursor > 2 && i % 2 == 0) {
            page.split_at =
                page.cursor + 1 + static_cast<int64_t>(context.below(static_cast<uint64_t>(one.hi - page.cursor - 1)));
            page.split_hi = one.hi;
        }
        require_equal(queue.page(page).code, BELFRY_OK, "code of a page with a split");
    }
    for (;;) {
        const std::vector<Claimed> claimed = queue.claim(BELFRY_LANE_NORMAL, 100);
        if (claimed.empty()) break;
        for (const Claimed& one : claimed) {
            if (one.hi - one.after > 1) done[one.after + 1] = one.hi - 1;
        }
    }
    int64_t next = 0;
    for (const auto& [from, to] : done) {
        require_equal(from, next, "ranges follow each other without gap or overlap");
        next = to + 1;
    }
    require_equal(next, kEnd, "ranges end where the push ends");
}

void refused_splits(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 10, 20));
    const Claimed claimed = queue.claim_one();
    const auto split = [&](int64_t cursor, int64_t at, int64_t hi) {
        Checkpoint page = checkpoint_of(claimed, BELFRY_NEXT_KEEP);
        page.cursor = cursor;
        page.split_at = at;
        page.split_hi = hi;
        page.planned = 1;
        return queue.page(page).code;
    };
    require_equal(split(12, 12, 20), BELFRY_BAD_REQUEST, "split at the cursor");
    require_equal(split(12, 5, 20), BELFRY_BAD_REQUEST, "split before the range");
    require_equal(split(12, 20, 20), BELFRY_BAD_REQUEST, "split at the end");
    require_equal(split(12, 15, 18), BELFRY_BAD_REQUEST, "sibling that leaves a gap");
    require_equal(split(12, 15, 25), BELFRY_BAD_REQUEST, "sibling beyond the end");
    require_equal(queue.lookup("u")->planned, 0, "a refused page changes nothing");
    require_equal(queue.lookup("u")->live_items, 1, "live items");
    Checkpoint narrow = checkpoint_of(claimed, BELFRY_NEXT_RELEASE);
    narrow.cursor = 17;
    narrow.split_at = 19;  // one key each side: 18 | 19
    narrow.split_hi = 20;
    const Paged paged = queue.page(narrow);
    require_equal(paged.code, BELFRY_OK, "split of a range of two keys");
    require_equal(paged.live_items, 2, "live items after a split");
    std::vector<Claimed> both = queue.claim(BELFRY_LANE_NORMAL, 5);
    require_equal(both.size(), size_t{2}, "claimable items");
    for (const Claimed& one : both) require_equal(one.hi - one.after, 2, "width of each part");
}

void fenced(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 0, 100));
    const Claimed claimed = queue.claim_one();
    const auto fenced_page = [&](Checkpoint page, uint64_t node, const char* what) {
        page.planned = 7;
        page.cursor = 50;
        page.tallies = {{BELFRY_FINAL_ACCEPTED, 7}};
        page.owed.push_back({});
        page.owed.back().keys = {1};
        require_equal(queue.page_as(node, {page}).at(0).code, BELFRY_FENCED, what);
        require_equal(queue.lookup("u")->planned, 0, "a fenced page changes nothing");
        require_equal(queue.lookup("u")->live_items, 1, "live items after a fenced page");
    };
    Checkpoint stale = checkpoint_of(claimed, BELFRY_NEXT_FINISH);
    stale.epoch = claimed.epoch + 1;
    fenced_page(stale, queue.node(), "another epoch");
    fenced_page(checkpoint_of(claimed, BELFRY_NEXT_FINISH), queue.node() + 5, "another node");
    queue.page(checkpoint_of(claimed, BELFRY_NEXT_RELEASE));
    fenced_page(checkpoint_of(claimed, BELFRY_NEXT_FINISH), queue.node(), "after the release");
    const Claimed again = queue.claim_one();
    require_equal(again.after, 0, "cursor after fenced pages");
    fenced_page(checkpoint_of(claimed, BELFRY_NEXT_FINISH), queue.node(), "epoch of an earlier claim");
    queue.finish(again);
    require_equal(queue.page(checkpoint_of(again, BELFRY_NEXT_FINISH)).code, BELFRY_FENCED, "after the finish");
    Checkpoint unknown = checkpoint_of(again, BELFRY_NEXT_FINISH);
    unknown.item = 123'456'789;
    require_equal(queue.page(unknown).code, BELFRY_FENCED, "an item that never was");
}

void fenced_after_reap(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 0, 100));
    belfry_pulse pulse{};
    constexpr uint64_t kDead = 77;
    queue.beat(kDead, &pulse);
    const std::vector<Claimed> claimed = queue.claim_as(kDead, BELFRY_LANE_NORMAL, 1);
    require_equal(claimed.size(), size_t{1}, "claimable items");
    queue.upkeep();
    require(queue.claim(BELFRY_LANE_NORMAL, 1).empty(), "a live node keeps what it holds");
    // A lease is what an observer saw pass, not what a clock jumped over.
    for (int second = 0; second < 60; ++second) {
        queue.host().advance_ms(1000);
        queue.upkeep();  // beats as another node first
    }
    const Claimed again = queue.claim_one();
    require_equal(again.crashes, 1, "crashes after its owner died");
    const Paged late = queue.page_as(kDead, {checkpoint_of(claimed[0], BELFRY_NEXT_FINISH)}).at(0);
    require_equal(late.code, BELFRY_FENCED, "the late page of the dead owner");
    require_equal(queue.beat(kDead, &pulse), BELFRY_FENCED, "the dead node's next beat");
    require_equal(queue.finish(again).code, BELFRY_OK, "code of the new owner's page");
}

void last_item_closes(Context& context) {
    Queue queue(context);
    for (uint64_t round = 0; round < 50 * uint64_t{context.scale}; ++round) {
        const std::string uid = numbered("u", round);
        NewPush push = slice_push(uid, 0, 10);
        push.items.push_back(push.items[0]);
        push.items[1].after = 10;
        push.items[1].hi = 20;
        queue.must_enqueue(push);
        const std::vector<Claimed> both = queue.claim(BELFRY_LANE_NORMAL, 2);
        require_equal(both.size(), size_t{2}, "claimable items");
        std::atomic<int> ok{0};
        std::vector<std::thread> workers;
        for (const Claimed& one : both) {
            workers.emplace_back([&queue, &ok, &one] {
                std::vector<Paged> answers;
                belfry_why why{};
                const Checkpoint page = checkpoint_of(one, BELFRY_NEXT_FINISH);
                if (queue.try_page(queue.node(), {page}, &answers, &why) == BELFRY_OK && answers[0].code == BELFRY_OK)
                    ++ok;
            });
        }
        for (std::thread& worker : workers) worker.join();
        require_equal(ok.load(), 2, "both finish");
        const auto view = queue.lookup(uid);
        require_equal(view->state, BELFRY_PUSH_DONE, "state after both finished at once");
        require(view->finished > 0 && view->planned_final, "a finished push has its time and final plan");
    }
}

void never_done_early(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 0, 1000));
    const auto state = [&] { return queue.lookup("u")->state; };
    Claimed first = queue.claim_one();
    Checkpoint split = checkpoint_of(first, BELFRY_NEXT_KEEP);
    split.cursor = 100;
    split.split_at = 500;
    split.split_hi = 1000;
    queue.page(split);
    Checkpoint end = checkpoint_of(first, BELFRY_NEXT_FINISH);
    Owed later;
    later.due = queue.now() + kHourMs;
    later.keys = {1, 2};
    Owed mine;
    mine.flags = BELFRY_OWED_MINE;
    mine.keys = {3};
    end.owed = {later, mine};
    const Paged paged = queue.page(end);
    require_equal(state(), BELFRY_PUSH_RUNNING, "state with a slice and two lists left");
    queue.finish(queue.claim_one());
    require_equal(state(), BELFRY_PUSH_RUNNING, "state with two lists left");
    require(queue.lookup("u")->planned_final, "planned is final when the last slice ended");
    Checkpoint straggler;
    straggler.item = paged.mine.at(0).item;
    straggler.epoch = paged.mine[0].epoch;
    require_equal(queue.page(straggler).code, BELFRY_OK, "code of a straggler list's page");
    queue.upkeep();
    require_equal(state(), BELFRY_PUSH_RUNNING, "state with a list that is not due");
    queue.host().advance_ms(2 * kHourMs);
    queue.upkeep();
    require_equal(state(), BELFRY_PUSH_RUNNING, "state with a claimable list");
    queue.finish(queue.claim_one());
    require_equal(state(), BELFRY_PUSH_DONE, "state when nothing is left");
}

void owed_comes_back(Context& context) {
    Queue queue(context);
    queue.must_enqueue({slice_push("u", 0, 10'000), token_push("t", 50, "tokens")});
    const std::vector<Claimed> both = queue.claim(BELFRY_LANE_NORMAL, 2);
    const int64_t due = queue.now() + kHourMs;
    std::multiset<int64_t> owed;
    for (int page = 0; page < 40; ++page) {
        Checkpoint checkpoint = checkpoint_of(both.at(0), page == 39 ? BELFRY_NEXT_FINISH : BELFRY_NEXT_KEEP);
        Owed list;
        list.due = due;
        list.gate = 4;
        list.attempt = 3;
        list.flags = BELFRY_OWED_LIMITS_PASSED;
        for (int64_t i = 0; i < 60; ++i) list.keys.push_back(page * 60 + i);
        owed.insert(list.keys.begin(), list.keys.end());
        checkpoint.owed.push_back(list);
        queue.page(checkpoint);
    }
    Checkpoint tokens = checkpoint_of(both.at(1), BELFRY_NEXT_FINISH);
    Owed picks;
    picks.due = due;
    picks.picks = {7, 9};
    picks.blob = both[1].blob;
    tokens.owed.push_back(picks);
    queue.page(tokens);
    queue.host().advance_ms(kHourMs - 5000);
    queue.upkeep();
    require(queue.claim(BELFRY_LANE_NORMAL, 10, {4}).empty(), "nothing comes before it is due");
    queue.host().advance_ms(6000);
    queue.upkeep();
    size_t lists = 0;
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 100, {4})) {
        if (one.uid == "t") {
            require(one.picks == std::vector<uint32_t>{7, 9}, "picks of the retry");
            require(queue.blob(one.blob) == std::string("tokens"), "the token blob lives as long as its lists");
            continue;
        }
        ++lists;
        require_equal(one.kind, BELFRY_WORK_LIST, "kind of what was owed");
        require_equal(one.attempt, 3, "attempt");
        require_equal(one.gate, 4, "gate");
        require_equal(one.flags, uint32_t{BELFRY_CLAIMED_LIMITS_PASSED}, "flags");
        require(one.keys.size() <= 1000, "a list has at most 1000 entries");
        for (const int64_t key : one.keys) {
            const auto found = owed.find(key);
            require(found != owed.end(), "a key that was owed, once");
            owed.erase(found);
        }
    }
    require(owed.empty(), "everything owed came back");
    require(lists <= 20, "due lists of one push and attempt are merged");
}

void stragglers(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 0, 100));
    const Claimed claimed = queue.claim_one();
    Checkpoint page = checkpoint_of(claimed, BELFRY_NEXT_RELEASE);
    page.cursor = 50;
    page.planned = 50;
    Owed now;
    now.keys = {1};
    Owed mine;
    mine.flags = BELFRY_OWED_MINE;
    mine.keys = {2, 3};
    mine.attempt = 1;
    Owed other = mine;
    other.keys = {4};
    page.owed = {mine, now, other};
    page.request = 99;
    const Paged paged = queue.page(page);
    require_equal(paged.mine.size(), size_t{2}, "answers for lists born claimed");
    require_equal(paged.mine[0].owed, 0, "which owed list");
    require_equal(paged.mine[1].owed, 2, "which owed list");
    const Paged repeated = queue.page(page);
    require_equal(repeated.code, BELFRY_OK, "code of the repeated checkpoint");
    require_equal(repeated.mine.size(), size_t{2}, "answers to the repeated checkpoint");
    require_equal(repeated.mine[1].item, paged.mine[1].item, "item in the repeated answer");
    require_equal(repeated.mine[1].epoch, paged.mine[1].epoch, "epoch in the repeated answer");
    require_equal(queue.lookup("u")->planned, 50, "a repeated checkpoint counts once");
    require_equal(queue.claim(BELFRY_LANE_NORMAL, 10).size(), size_t{2},
                  "claimable: the slice and the list that is not mine");
    Checkpoint late;
    late.item = paged.mine[0].item;
    late.epoch = paged.mine[0].epoch;
    late.tallies = {{BELFRY_FINAL_ACCEPTED, 2}};
    require_equal(queue.page_as(queue.node() + 1, {late}).at(0).code, BELFRY_FENCED, "another node's page");
    require_equal(queue.page(late).code, BELFRY_OK, "the owner's page");
    queue.reopen();
    std::multiset<int64_t> keys;
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) keys.insert(one.keys.begin(), one.keys.end());
    require(keys == std::multiset<int64_t>{1, 4}, "after a restart a straggler list is claimable like any other");
}

void counters(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 0, 100));
    const Claimed claimed = queue.claim_one();
    for (uint32_t i = 0; i < 4; ++i) {
        Checkpoint page = checkpoint_of(claimed, i == 3 ? BELFRY_NEXT_FINISH : BELFRY_NEXT_KEEP);
        page.planned = 10;
        page.tallies = {{BELFRY_FINAL_ACCEPTED, 5, 1}, {BELFRY_FINAL_GONE, 2, 1}, {BELFRY_FINAL_ACCEPTED, 3, 2}};
        page.samples = {{numbered("{\"n\":", 2 * i) + "}"}, {numbered("{\"n\":", 2 * i + 1) + "}"}};
        queue.page(page);
    }
    const auto check = [&] {
        const auto view = queue.lookup("u");
        require_equal(view->planned, 40, "planned");
        require_equal(view->settled(), 40, "sum of all counters");
        require_equal(view->count(BELFRY_FINAL_ACCEPTED), 32, "accepted");
        require_equal(view->count(BELFRY_FINAL_GONE), 8, "gone");
        require_equal(view->tallies.size(), size_t{3}, "a counter per gate and outcome");
        require_equal(view->samples.size(), size_t{5}, "error samples kept");
        require_equal(view->samples[4].text, "{\"n\":4}", "the first five samples, in order");
    };
    check();
    queue.reopen();
    check();
}

void lane_change(Context& context) {
    Queue queue(context);
    queue.must_enqueue(slice_push("u", 0, 1000));
    const Claimed claimed = queue.claim_one();
    Checkpoint split = checkpoint_of(claimed, BELFRY_NEXT_KEEP);
    split.split_at = 500;
    split.split_hi = 1000;
    queue.page(split);
    Checkpoint move = checkpoint_of(claimed, BELFRY_NEXT_RELEASE);
    move.lane = BELFRY_LANE_LOW;
    require_equal(queue.page(move).code, BELFRY_OK, "code of a page that moves its push");
    require(queue.claim(BELFRY_LANE_NORMAL, 5).empty(), "nothing is left in the old lane");
    require_equal(queue.claim(BELFRY_LANE_LOW, 5).size(), size_t{2}, "items in the new lane");
    require_equal(queue.lookup("u")->lane, BELFRY_LANE_LOW, "lane of the push");
}

constexpr std::array kCases{
    Case{"Q18", "A page moves the cursor and the next claim goes on exactly behind it", 20, &cursor},
    Case{"Q19", "Cursor, owed lists, split and counters of a page commit together or not at all", 120, &page_is_atomic},
    Case{"Q20", "Splits leave no gap and no overlap", 120, &random_splits},
    Case{"Q21", "A split that would leave a gap is refused and changes nothing; two keys can be split", 20,
         &refused_splits},
    Case{"Q22", "A page with a stale epoch or of another node changes nothing and is fenced", 20, &fenced},
    Case{"Q22b", "Items of a dead node come back, and its late page is fenced", 20, &fenced_after_reap},
    Case{"Q23", "The last item to finish closes the push, also when two finish at once", 120, &last_item_closes},
    Case{"Q24", "A push never reads done while anything of it is left", 20, &never_done_early},
    Case{"Q36", "What is owed comes back when due, with its attempt, gate and flags, merged", 20, &owed_comes_back},
    Case{"M1", "Straggler lists are born claimed; a repeated checkpoint is answered like the first", 20, &stragglers},
    Case{"M2", "Counters add up per gate and outcome, the first five samples are kept", 20, &counters},
    Case{"M3", "A page can move its push to another lane", 20, &lane_change},
};

}  // namespace

std::span<const Case> page_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
