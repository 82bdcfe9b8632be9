// SPDX-License-Identifier: Apache-2.0
// Cancel, pause, resume.
#include <array>
#include <atomic>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

constexpr int64_t kHourMs = 3'600'000;

void cancel_delayed(Context& context) {
    Queue queue(context);
    NewPush slice = slice_push("slice");
    NewPush list = token_push("list", 3, "tokens");
    slice.send_at = list.send_at = queue.now() + kHourMs;
    queue.must_enqueue({slice, list});
    require_equal(queue.stats().delayed_pushes, 2, "delayed pushes");
    for (const char* uid : {"slice", "list"}) {
        const Steered steered = queue.steer(uid, BELFRY_STEER_CANCEL);
        require_equal(steered.code, BELFRY_OK, "code of the cancellation");
        require_equal(steered.state, BELFRY_PUSH_DELAYED, "state before it");
    }
    queue.reopen();
    queue.host().advance_ms(2 * kHourMs);
    queue.upkeep();
    require(queue.claim(BELFRY_LANE_NORMAL, 5).empty(), "a push cancelled while delayed is never claimed");
    require_equal(queue.stats().delayed, 0, "delayed items");
    require_equal(queue.lookup("slice")->state, BELFRY_PUSH_CANCELLED, "state");
    require(queue.lookup("list")->finished > 0, "it is final");
}

void cancel_running(Context& context) {
    Queue queue(context);
    NewPush push = slice_push("u", 0, 1000);
    push.items.push_back(push.items[0]);
    push.items[1].after = 1000;
    push.items[1].hi = 2000;
    queue.must_enqueue(push);
    const std::vector<Claimed> held = queue.claim(BELFRY_LANE_NORMAL, 1);
    Checkpoint page = checkpoint_of(held.at(0), BELFRY_NEXT_KEEP);
    page.cursor = 10;
    page.planned = 10;
    page.tallies = {{BELFRY_FINAL_ACCEPTED, 8}};
    Owed later;
    later.due = queue.now() + kHourMs;
    later.keys = {3, 4};
    page.owed = {later};
    queue.page(page);
    belfry_pulse pulse{};
    queue.beat(queue.node(), &pulse);

    const Steered steered = queue.steer("u", BELFRY_STEER_CANCEL);
    require_equal(steered.code, BELFRY_OK, "code of the cancellation");
    require_equal(steered.state, BELFRY_PUSH_RUNNING, "state before it");
    require_equal(steered.settled, 8, "settled so far");
    const std::vector<Change> changes = queue.changes(pulse.changes);
    require_equal(changes.size(), size_t{1}, "changes since");
    require_equal(changes[0].uid, "u", "uid of the change");
    require_equal(changes[0].push, held[0].push, "push of the change");
    require_equal(changes[0].state, BELFRY_PUSH_CANCELLED, "state of the change");

    queue.upkeep();
    size_t slices = 0;
    size_t listed = 0;
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) {
        require(one.stopped() && one.state == BELFRY_PUSH_CANCELLED, "whatever is claimed now is flagged");
        slices += one.kind == BELFRY_WORK_SLICE ? 1 : 0;
        listed += one.keys.size();
        Checkpoint end = checkpoint_of(one, BELFRY_NEXT_FINISH);
        if (!one.keys.empty()) end.tallies = {{BELFRY_FINAL_CANCELLED, static_cast<uint32_t>(one.keys.size())}};
        queue.page(end);
    }
    require(slices <= 1, "at most the other slice");
    require_equal(listed, size_t{2}, "what was owed comes back at once, to be counted");
    page = checkpoint_of(held[0], BELFRY_NEXT_KEEP);
    page.cursor = 30;
    page.planned = 20;
    page.tallies = {{BELFRY_FINAL_ACCEPTED, 20}};
    require_equal(queue.page(page).code, BELFRY_STOPPED, "code of the owner's next page");
    require(queue.claim(BELFRY_LANE_NORMAL, 10).empty(), "nothing more is claimable");
    const auto view = queue.lookup("u");
    require_equal(view->state, BELFRY_PUSH_CANCELLED, "state");
    require(view->finished > 0, "a cancelled push ends");
    require_equal(view->settled(), view->planned, "its counters add up to planned");
    require_equal(view->count(BELFRY_FINAL_CANCELLED), 2, "cancelled deliveries");
}

void cancel_races_claim(Context& context) {
    Queue queue(context);
    uint64_t won = 0;
    const uint64_t rounds = 400 * uint64_t{context.scale};
    for (uint64_t i = 0; i < rounds; ++i) {
        const std::string uid = std::to_string(i);
        queue.must_enqueue(i % 2 == 0 ? list_push(uid, {1}) : small_push(uid, {1}));
        std::atomic<bool> sent{false};
        std::atomic<bool> failed{false};
        const auto worker_us = std::chrono::microseconds(context.below(300));
        const auto steer_us = std::chrono::microseconds(context.below(300));
        std::thread worker([&] {
            try {
                std::this_thread::sleep_for(worker_us);
                for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 1)) {
                    const bool bundle = one.kind == BELFRY_WORK_BUNDLE;
                    const bool stop = bundle ? (one.members.at(0).flags & BELFRY_MEMBER_STOPPED) != 0 : one.stopped();
                    Checkpoint page = checkpoint_of(one, BELFRY_NEXT_FINISH);
                    const int32_t outcome = stop ? BELFRY_FINAL_CANCELLED : BELFRY_FINAL_ACCEPTED;
                    page.tallies = {{outcome, 1, 0, bundle ? one.members[0].index : 0}};
                    sent = !stop;
                    queue.page(page);
                }
            } catch (const std::exception&) {
                failed = true;
            }
        });
        std::this_thread::sleep_for(steer_us);
        const Steered steered = queue.steer(uid, BELFRY_STEER_CANCEL);
        worker.join();
        require(!failed, "claim and page succeed");
        for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 5)) {
            const bool bundle = one.kind == BELFRY_WORK_BUNDLE;
            require(bundle ? (one.members.at(0).flags & BELFRY_MEMBER_STOPPED) != 0 : one.stopped(),
                    "what is claimed after the cancellation is flagged");
            queue.page(checkpoint_of(one, BELFRY_NEXT_FINISH));
        }
        const auto view = queue.lookup(uid);
        require_equal(view->count(BELFRY_FINAL_ACCEPTED), sent ? 1 : 0,
                      "what was sent is reported, what was not is not");
        if (!sent) require_equal(view->state, BELFRY_PUSH_CANCELLED, "state of an unsent push");
        require(steered.code == BELFRY_OK || (steered.code == BELFRY_DUPLICATE && sent), "answer to the cancellation");
        won += sent ? 0u : 1u;
    }
    require(won > 0 && won < rounds, "each side won the race now and then");
}

void cancel_answers(Context& context) {
    Queue queue(context);
    queue.must_enqueue({slice_push("done"), small_push("small-done")});
    drain(queue);
    queue.must_enqueue({slice_push("twice"), small_push("small-twice")});
    require_equal(queue.steer("unknown", BELFRY_STEER_CANCEL).code, BELFRY_NOT_FOUND, "unknown uid");
    require_equal(queue.steer("twice", BELFRY_STEER_CANCEL, "other-app").code, BELFRY_NOT_FOUND, "uid of another app");
    for (const char* uid : {"done", "small-done"}) {
        const Steered steered = queue.steer(uid, BELFRY_STEER_CANCEL);
        require_equal(steered.code, BELFRY_DUPLICATE, "finished push");
        require_equal(steered.state, BELFRY_PUSH_DONE, "its state");
    }
    for (const char* uid : {"twice", "small-twice"}) {
        require_equal(queue.steer(uid, BELFRY_STEER_CANCEL).code, BELFRY_OK, "first cancellation");
        const Steered again = queue.steer(uid, BELFRY_STEER_CANCEL);
        require_equal(again.code, BELFRY_DUPLICATE, "second cancellation");
        require_equal(again.state, BELFRY_PUSH_CANCELLED, "state at the second");
    }
    queue.reopen();
    const Enqueued tombstone = queue.enqueue(slice_push("twice"));
    require_equal(tombstone.code, BELFRY_DUPLICATE, "a late retry of a cancelled push");
    require_equal(tombstone.state, BELFRY_PUSH_CANCELLED, "state in its answer");
    require_equal(queue.enqueue(small_push("small-twice")).state, BELFRY_PUSH_CANCELLED, "the same for a small one");
    for (const Claimed& one : drain(queue)) {
        require(one.kind == BELFRY_WORK_BUNDLE ? (one.members.at(0).flags & BELFRY_MEMBER_STOPPED) != 0 : one.stopped(),
                "a cancelled push is flagged after a restart too");
    }
}

void pause_and_resume(Context& context) {
    Queue queue(context);
    NewPush push = slice_push("u", 0, 1000);
    push.items.push_back(push.items[0]);
    push.items[1].after = 1000;
    push.items[1].hi = 2000;
    queue.must_enqueue(push);
    const Claimed held = queue.claim(BELFRY_LANE_NORMAL, 1).at(0);
    require_equal(queue.steer("u", BELFRY_STEER_PAUSE).code, BELFRY_OK, "pause");
    require_equal(queue.steer("u", BELFRY_STEER_PAUSE).code, BELFRY_DUPLICATE, "second pause");
    require_equal(queue.lookup("u")->state, BELFRY_PUSH_PAUSED, "state");
    require(queue.claim(BELFRY_LANE_NORMAL, 5).empty(), "a paused push is not claimable");
    Checkpoint page = checkpoint_of(held, BELFRY_NEXT_KEEP);
    page.cursor = 10;
    Owed now;
    now.keys = {1};
    page.owed = {now};
    require_equal(queue.page(page).code, BELFRY_PAUSED, "code of the owner's next page");
    require_equal(queue.page(checkpoint_of(held, BELFRY_NEXT_KEEP)).code, BELFRY_FENCED, "it is no longer the owner");
    require_equal(queue.stats().parked, 3, "parked items");
    require_equal(queue.stats().ready[BELFRY_LANE_NORMAL], 0, "ready items");
    queue.reopen();
    queue.upkeep();
    require(queue.claim(BELFRY_LANE_NORMAL, 5).empty(), "a paused push stays paused over a restart");
    require_equal(queue.steer("u", BELFRY_STEER_RESUME).code, BELFRY_OK, "resume");
    require_equal(queue.steer("u", BELFRY_STEER_RESUME).code, BELFRY_DUPLICATE, "second resume");
    int64_t lowest = 5000;
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 5);
    for (const Claimed& one : all) {
        if (one.kind == BELFRY_WORK_SLICE) lowest = std::min(lowest, one.after);
    }
    require_equal(all.size(), size_t{3}, "items after the resume");
    require_equal(lowest, 10, "the cursor of the parked slice");
    require_equal(queue.lookup("u")->state, BELFRY_PUSH_RUNNING, "state");
    for (const Claimed& one : all) queue.finish(one);
    require_equal(queue.lookup("u")->state, BELFRY_PUSH_DONE, "state at the end");
}

void pause_delayed(Context& context) {
    Queue queue(context);
    for (const char* uid : {"u", "v"}) {
        NewPush push = slice_push(uid);
        push.send_at = queue.now() + kHourMs;
        queue.must_enqueue({push});
    }
    require_equal(queue.steer("u", BELFRY_STEER_PAUSE).code, BELFRY_OK, "pause of a delayed push");
    require_equal(queue.steer("v", BELFRY_STEER_PAUSE).code, BELFRY_OK, "pause of another");
    require_equal(queue.steer("v", BELFRY_STEER_RESUME).code, BELFRY_OK, "resume before its time");
    require_equal(queue.lookup("v")->state, BELFRY_PUSH_DELAYED, "it waits again");
    queue.host().advance_ms(2 * kHourMs);
    queue.upkeep();
    require_equal(queue.claim_one().uid, "v", "only the resumed one becomes claimable");
    require_equal(queue.steer("u", BELFRY_STEER_RESUME).code, BELFRY_OK, "resume after its time");
    queue.upkeep();
    require_equal(queue.claim_one().uid, "u", "the other follows");
}

void cancel_paused(Context& context) {
    Queue queue(context);
    queue.must_enqueue(list_push("u", {1, 2}));
    queue.steer("u", BELFRY_STEER_PAUSE);
    require_equal(queue.steer("u", BELFRY_STEER_CANCEL).code, BELFRY_OK, "cancel of a paused push");
    const Claimed one = queue.claim_one();
    require(one.stopped() && one.keys.size() == 2, "its items come flagged, to be counted");
    queue.page(checkpoint_of(one, BELFRY_NEXT_FINISH));
    require_equal(queue.stats().parked, 0, "parked items");
    require_equal(queue.lookup("u")->state, BELFRY_PUSH_CANCELLED, "state");
}

constexpr std::array kCases{
    Case{"Q37", "A push cancelled while delayed is never claimed", 20, &cancel_delayed},
    Case{"Q38", "After a cancellation nothing deliverable is claimed, owners learn it, counters add up", 20,
         &cancel_running},
    Case{"Q39", "A cancellation that races a claim ends as unsent or as sent and reported", 60, &cancel_races_claim},
    Case{"Q39b", "Cancelling twice, too late or something unknown is answered; a cancelled uid stays taken", 20,
         &cancel_answers},
    Case{"P1", "A paused push is parked whole and goes on where it was", 20, &pause_and_resume},
    Case{"P2", "A delayed push can be paused and resumed before and after its time", 20, &pause_delayed},
    Case{"P3", "A paused push can be cancelled", 20, &cancel_paused},
};

}  // namespace

std::span<const Case> steer_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
