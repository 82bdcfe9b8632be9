// SPDX-License-Identifier: Apache-2.0
// A uid stands for one push, for as long as promised.
#include <array>
#include <atomic>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

constexpr int64_t kHourMs = 3'600'000;

void same_fingerprint(Context& context) {
    Queue queue(context);
    for (const bool small : {false, true}) {
        NewPush push = small ? small_push("small") : slice_push("large");
        queue.must_enqueue(push);
        const Enqueued again = queue.enqueue(push);
        require_equal(again.code, BELFRY_DUPLICATE, "code of the same request");
        require_equal(again.state, BELFRY_PUSH_RUNNING, "state in the answer");
        require_equal(drain(queue).size(), size_t{1}, "items of two equal requests");
        require_equal(queue.enqueue(push).state, BELFRY_PUSH_DONE, "state of a finished push");
    }
}

void other_fingerprint(Context& context) {
    Queue queue(context);
    for (const bool small : {false, true}) {
        NewPush push = small ? small_push("small") : slice_push("large");
        queue.must_enqueue(push);
        push.fingerprint = 2;
        require_equal(queue.enqueue(push).code, BELFRY_CONFLICT, "code of another request under the same uid");
        push.app = "other";
        require_equal(queue.enqueue(push).code, BELFRY_OK, "code of the same uid in another app");
    }
}

void concurrent_same_uid(Context& context) {
    Queue queue(context);
    for (const bool small : {false, true}) {
        std::atomic<int> accepted{0}, duplicates{0}, others{0};
        std::vector<std::thread> callers;
        for (int t = 0; t < 4; ++t) {
            callers.emplace_back([&] {
                for (int i = 0; i < 250; ++i) {
                    std::vector<Enqueued> answers;
                    belfry_why why{};
                    const NewPush push = small ? small_push("small") : slice_push("large");
                    const bool ok = queue.try_enqueue({push}, &answers, &why) == BELFRY_OK;
                    const belfry_code code = ok ? answers[0].code : BELFRY_INTERNAL;
                    ++(code == BELFRY_OK ? accepted : code == BELFRY_DUPLICATE ? duplicates : others);
                }
            });
        }
        for (std::thread& caller : callers) caller.join();
        require_equal(accepted.load(), 1, "accepted of 1000 equal requests");
        require_equal(others.load(), 0, "answers that are neither OK nor DUPLICATE");
    }
    require_equal(drain(queue).size(), size_t{2}, "items claimed");
}

void duplicate_in_batch(Context& context) {
    Queue queue(context);
    NewPush other = small_push("small");
    other.fingerprint = 2;
    const std::vector<Enqueued> answers =
        queue.enqueue({small_push("small"), small_push("small"), slice_push("large"), slice_push("large"), other});
    require_equal(answers[0].code, BELFRY_OK, "first of two");
    require_equal(answers[1].code, BELFRY_DUPLICATE, "second of two");
    require_equal(answers[2].code, BELFRY_OK, "first of two large ones");
    require_equal(answers[3].code, BELFRY_DUPLICATE, "second of two large ones");
    require_equal(answers[4].code, BELFRY_CONFLICT, "another request in the same batch");
    require_equal(drain(queue).size(), size_t{2}, "items claimed");
}

void window(Context& context) {
    Queue queue(context, with_member(context, R"("uid_window_hours":24)"));
    for (const bool small : {false, true}) {
        const NewPush push = small ? small_push("small") : slice_push("large");
        queue.must_enqueue(push);
        queue.host().advance_ms(100 * kHourMs);
        queue.upkeep();
        require_equal(queue.enqueue(push).code, BELFRY_DUPLICATE, "code while the push is not final");
        drain(queue);
        queue.host().advance_ms(24 * kHourMs - 60'000);
        queue.upkeep();
        require_equal(queue.enqueue(push).code, BELFRY_DUPLICATE, "code a minute before the window ends");
        queue.reopen();
        require_equal(queue.enqueue(push).code, BELFRY_DUPLICATE, "the same after a restart");
        queue.host().advance_ms(120'000);
        queue.upkeep();
        require_equal(queue.enqueue(push).code, BELFRY_OK, "code after the window");
        require_equal(drain(queue).size(), size_t{1}, "items of the second push");
    }
}

void window_under_load(Context& context) {
    Queue queue(context, with_member(context, R"("uid_window_hours":24)"));
    const uint64_t rounds = 400 * uint64_t{context.scale};
    std::vector<int64_t> finished_at;
    for (uint64_t i = 0; i < rounds; ++i) {
        const NewPush push = i % 2 == 0 ? small_push(std::to_string(i)) : list_push(std::to_string(i), {1});
        queue.must_enqueue(push);
        drain(queue);
        finished_at.push_back(queue.now());
        queue.host().advance_ms(static_cast<int64_t>(context.below(2 * kHourMs)));
        if (i % 5 == 0) queue.upkeep();
        const uint64_t old = i - context.below(std::min<uint64_t>(i + 1, 40));
        if (queue.now() - finished_at[old] > 24 * kHourMs - 60'000) continue;
        const NewPush again = old % 2 == 0 ? small_push(std::to_string(old)) : list_push(std::to_string(old), {1});
        require_equal(queue.enqueue(again).code, BELFRY_DUPLICATE, "code of a uid inside its window");
        require(queue.claim(BELFRY_LANE_NORMAL, 1).empty(), "nothing is sent twice");
    }
}

void odd_uids(Context& context) {
    Queue queue(context);
    const std::vector<std::string> odd{"x",
                                       std::string(64, 'y'),
                                       "it's \"quoted\" `x` \\ %s %n",
                                       "{tag}{}",
                                       "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 \xf0\x9f\x94\x94",
                                       "a\nb\tc",
                                       "\xff\xfe",
                                       "'; DROP TABLE push; --",
                                       "X",
                                       " x"};
    for (const std::string& uid : odd) {
        require_equal(queue.enqueue(slice_push(uid)).code, BELFRY_OK, "code of an odd uid");
        require_equal(queue.claim_one().uid, uid, "uid of the item");
        require(queue.lookup(uid).has_value() && queue.lookup(uid)->uid == uid, "an odd uid is found again");
        require_equal(queue.enqueue(slice_push(uid)).code, BELFRY_DUPLICATE, "code of its repetition");
        require_equal(queue.steer(uid, BELFRY_STEER_CANCEL).code, BELFRY_OK, "code of its cancellation");
        drain(queue);
    }
    for (const std::string& refused : {std::string(), std::string(65, 'z'), std::string("a\0b", 3)}) {
        require_equal(queue.enqueue(slice_push(refused)).code, BELFRY_BAD_REQUEST, "code of an impossible uid");
        require_equal(queue.enqueue(small_push(refused)).code, BELFRY_BAD_REQUEST, "code of an impossible small uid");
    }
    require(!queue.lookup("never seen"), "an unknown uid is not found");
}

constexpr std::array kCases{
    Case{"Q4", "The same request under the same uid is a duplicate and is sent once", 20, &same_fingerprint},
    Case{"Q5", "Another request under the same uid conflicts, in another app it does not", 20, &other_fingerprint},
    Case{"Q6", "Of a thousand concurrent requests with one uid exactly one is accepted", 30, &concurrent_same_uid},
    Case{"Q7", "Duplicates inside one batch are folded", 20, &duplicate_in_batch},
    Case{"Q8", "A uid is free again after its window and not before", 20, &window},
    Case{"Q9", "Uids stay unique while old ones leave the window under load", 30, &window_under_load},
    Case{"Q55", "Odd uids are kept byte for byte, impossible ones refused", 20, &odd_uids},
};

}  // namespace

std::span<const Case> uid_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
