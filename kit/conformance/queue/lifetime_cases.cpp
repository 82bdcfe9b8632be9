// SPDX-License-Identifier: Apache-2.0
// Leases, orderly stops, copies made while running, and more uids than any memory holds.
#include <array>
#include <atomic>
#include <filesystem>
#include <set>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

constexpr uint64_t kOther = 77;

constexpr int64_t kLeaseMs = 10'000;

// Seconds with upkeep in each, as a host does it.
void pass(Queue& queue, int64_t ms) {
    for (; ms > 0; ms -= 1000) {
        queue.host().advance_ms(std::min<int64_t>(ms, 1000));
        queue.upkeep();
    }
}

void lease(Context& context) {
    Queue queue(context, with_member(context, R"("lease_s":10)"));
    queue.must_enqueue(slice_push("u", 0, 100));
    belfry_pulse pulse{};
    queue.beat(kOther, &pulse);
    require_equal(queue.claim_as(kOther, BELFRY_LANE_NORMAL, 1).size(), size_t{1}, "claimable items");
    for (int i = 0; i < 5; ++i) {
        pass(queue, kLeaseMs - 1000);
        require(queue.claim(BELFRY_LANE_NORMAL, 1).empty(), "no lease ends before its time");
        require_equal(queue.beat(kOther, &pulse), BELFRY_OK, "code of a beat in time");
    }
    pass(queue, kLeaseMs + 2000);
    require_equal(queue.claim(BELFRY_LANE_NORMAL, 1).size(), size_t{1}, "what a dead node held, two seconds later");
}

// Enqueues and works until told to stop; what it holds then it releases.
class Load {
public:
    explicit Load(Queue& queue) : queue_(queue) {}

    void enqueue(const std::atomic<bool>& stop, std::set<std::string>& acknowledged, const std::string& name) {
        for (uint64_t i = 0; !stop; ++i) {
            const std::string uid = name + std::to_string(i);
            const NewPush push = i % 4 == 0 ? slice_push(uid, 0, 100) : small_push(uid);
            if (queue_.enqueue(push).code == BELFRY_OK) acknowledged.insert(uid);
        }
    }
    void work(const std::atomic<bool>& stop) {
        while (!stop) {
            for (const Claimed& one : queue_.claim(BELFRY_LANE_NORMAL, 8)) {
                const bool release = stop || one.item % 3 == 0;
                Checkpoint page = checkpoint_of(one, release ? BELFRY_NEXT_RELEASE : BELFRY_NEXT_FINISH);
                page.cost = 1;
                queue_.page(page);
            }
        }
    }

private:
    Queue& queue_;
};

void orderly_stop(Context& context) {
    Queue queue(context);
    Load load(queue);
    for (int round = 0; round < 3; ++round) {
        std::array<std::set<std::string>, 2> acknowledged;
        {
            Background worker([&](const std::atomic<bool>& stop) { load.work(stop); });
            std::array<std::unique_ptr<Background>, 2> callers;
            for (size_t i = 0; i < callers.size(); ++i) {
                callers[i] = std::make_unique<Background>([&, i, round](const std::atomic<bool>& stop) {
                    load.enqueue(stop, acknowledged[i], numbered("u", i) + "." + std::to_string(round) + ".");
                });
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(150));
            for (const auto& caller : callers) caller->finish();
            worker.finish();
        }
        const auto start = Clock::now();
        queue.reopen();
        require(ms_since(start) < 15'000, "it stops and starts within 15 s");
        for (const auto& uids : acknowledged) {
            for (const std::string& uid : uids) require(queue.lookup(uid).has_value(), uid + " is kept");
        }
    }
    const belfry_queue_stats stats = queue.stats();
    require_equal(stats.claimed[BELFRY_LANE_NORMAL], 0, "items still held");
    for (const Claimed& one : drain(queue)) require_equal(one.crashes, 0, "an orderly stop is no crash");
    require_equal(queue.stats().running_pushes, 0, "pushes left when everything was claimed");
}

void copy_under_load(Context& context) {
    Queue queue(context);
    if ((queue.flags() & BELFRY_QUEUE_BACKUP) == 0) skip("the queue does not offer backup");
    std::set<std::string> before;
    std::set<std::string> during;
    for (uint64_t i = 0; i < 300; ++i) {
        before.insert(numbered("before", i));
        queue.must_enqueue(small_push(numbered("before", i)));
    }
    std::filesystem::create_directories(context.directory + "/copy");
    {
        Load load(queue);
        Background worker([&](const std::atomic<bool>& stop) { load.work(stop); });
        Background caller([&](const std::atomic<bool>& stop) { load.enqueue(stop, during, "during"); });
        belfry_why why{};
        require_equal(queue.backup(context.directory + "/copy/queue.db", &why), BELFRY_OK, "code of the backup");
        caller.finish();
        worker.finish();
    }
    for (const auto& uids : {before, during}) {
        for (const std::string& uid : uids) require(queue.lookup(uid).has_value(), uid + " is in the original");
    }
    queue.close();
    std::string config = context.config;
    config.insert(config.find(context.directory + "/") + context.directory.size(), "/copy");
    Queue copy(context, config);
    for (const std::string& uid : before) require(copy.lookup(uid).has_value(), uid + " is in the copy");
    drain(copy);
    require_equal(copy.stats().running_pushes, 0, "pushes of the copy that do not end");
}

void many_uids(Context& context) {
    constexpr uint64_t kBatch = 500;
    // Enough for two whole generations of an index that keeps 65,536 uids in each.
    const uint64_t batches = 300 * uint64_t{context.scale};
    Queue queue(context);
    for (uint64_t batch = 0; batch < batches; ++batch) {
        std::vector<NewPush> pushes;
        for (uint64_t i = 0; i < kBatch; ++i) pushes.push_back(small_push(numbered("u", batch * kBatch + i)));
        queue.must_enqueue(pushes);
        if (batch % 100 == 50) queue.reopen();
        drain(queue);
    }
    for (int i = 0; i < 2000; ++i) {
        const std::string uid = numbered("u", context.random() % (batches * kBatch));
        require_equal(queue.enqueue(small_push(uid)).code, BELFRY_DUPLICATE, "the same request again: " + uid);
        NewPush other = small_push(uid);
        other.fingerprint = 2;
        require_equal(queue.enqueue(other).code, BELFRY_CONFLICT, "another request: " + uid);
        require_equal(queue.lookup(uid)->state, BELFRY_PUSH_DONE, "state of " + uid);
    }
    require_equal(queue.enqueue(small_push("new")).code, BELFRY_OK, "a uid of its own");
}

// Every kind of thing that a queue keeps, in one app.
void fill(Queue& queue, const std::string& app) {
    NewPush tokens = token_push("tokens", 3, "tokens of " + app);
    NewPush delayed = slice_push("delayed");
    delayed.send_at = queue.now() + 3'600'000;
    NewPush letter = list_push("letter", {1, 2});
    for (NewPush push :
         {tokens, delayed, letter, slice_push("paused"), slice_push("held", 0, 100), small_push("small")}) {
        push.app = app;
        queue.must_enqueue(push);
    }
    require_equal(queue.steer("paused", BELFRY_STEER_PAUSE, app).code, BELFRY_OK, "code of the pause");
}

void purge_app(Context& context) {
    Queue queue(context);
    if ((queue.flags() & BELFRY_QUEUE_PURGE_APP) == 0) skip("the queue does not offer purge_app");
    for (const char* app : {"shop", "news"}) fill(queue, app);
    NewPush mine = small_push("together");
    NewPush theirs = mine;
    mine.app = "shop";
    theirs.app = "news";
    queue.must_enqueue({mine, theirs});
    std::vector<Claimed> held;
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 100)) {
        if (one.uid == "held") {
            held.push_back(one);
        } else if (one.uid == "letter") {
            Checkpoint bury = checkpoint_of(one, BELFRY_NEXT_BURY);
            bury.note = "why";
            queue.page(bury);
        } else {
            queue.page(checkpoint_of(one, BELFRY_NEXT_RELEASE));
        }
    }
    require_equal(held.size(), size_t{2}, "items held");
    const belfry_queue_stats before = queue.stats();
    queue.purge_app("shop", 2);
    for (int opening = 0; opening < 2; ++opening) {
        for (const char* uid : {"tokens", "delayed", "letter", "paused", "held", "small", "together"}) {
            require(!queue.lookup(uid, "shop"), std::string(uid) + " is gone");
            require(queue.lookup(uid, "news").has_value(), std::string(uid) + " of the other app is there");
        }
        std::string cursor;
        require(queue.list("shop", 0, 100, &cursor).empty(), "the list is empty");
        require(queue.dead({}, 0, 100, "shop").empty(), "no dead letter is left");
        const belfry_queue_stats stats = queue.stats();
        require_equal(stats.dead * 2, before.dead, "dead letters");
        require_equal(stats.delayed * 2, before.delayed, "delayed items");
        require_equal(stats.parked * 2, before.parked, "parked items");
        require_equal(stats.running_pushes * 2, before.running_pushes, "running pushes");
        require_equal(stats.delayed_pushes * 2, before.delayed_pushes, "delayed pushes");
        if (opening > 0) break;
        for (const Claimed& one : held) {
            const belfry_code wanted = one.app == "shop" ? BELFRY_FENCED : BELFRY_OK;
            require_equal(queue.page(checkpoint_of(one, BELFRY_NEXT_RELEASE)).code, wanted, "a page of " + one.app);
        }
        queue.reopen();
    }
    for (const Claimed& one : drain(queue)) {
        require(one.kind == BELFRY_WORK_BUNDLE || one.app == "news", "no work of the app is claimed");
        for (const Member& member : one.members) require_equal(member.app, "news", "app of a small push");
    }
    fill(queue, "shop");
}

constexpr std::array kCases{
    Case{"Q30", "A lease lives while its node gives signs of life and ends two seconds after its time at most", 20,
         &lease},
    Case{"Q40", "An orderly stop under load loses nothing and counts as no crash", 60, &orderly_stop},
    Case{"A2", "Purging an app leaves nothing of it and everything of the others", 30, &purge_app},
    Case{"K2", "A backup made under load is whole: every push in it ends", 60, &copy_under_load},
    Case{"U1", "Uids stay unique when there are more than memory holds, over restarts", 120, &many_uids},
};

}  // namespace

std::span<const Case> lifetime_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
