// SPDX-License-Identifier: Apache-2.0
// Restarts, full disks, too much work, a second process.
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

void reopened_twenty_times(Context& context) {
    Queue queue(context);
    std::map<std::string, int64_t> cursors;
    for (uint64_t round = 0; round < 20; ++round) {
        const std::string uid = numbered("u", round);
        queue.must_enqueue({slice_push(uid, 0, 1'000'000), small_push(uid + "-small")});
        cursors[uid] = 0;
        for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 50)) {
            if (one.kind != BELFRY_WORK_SLICE) {
                queue.finish(one);
                continue;
            }
            require_equal(one.after, cursors.at(one.uid), "cursor of " + one.uid);
            require_equal(one.crashes, 0, "a clean stop is no crash");
            Checkpoint page = checkpoint_of(one, BELFRY_NEXT_KEEP);
            page.cursor = cursors[one.uid] += 7;
            queue.page(page);
        }
        const auto start = Clock::now();
        queue.reopen();
        require(ms_since(start) < 5000, "it opens within 5 s");
        require_equal(queue.lookup(uid + "-small")->state, BELFRY_PUSH_DONE, "what was done is done");
    }
    require_equal(queue.claim(BELFRY_LANE_NORMAL, 50).size(), size_t{20}, "slices at the end");
}

void back_pressure(Context& context) {
    Queue queue(context, with_member(context, R"("backlog_max":40)"));
    size_t accepted = 0;
    size_t busy = 0;
    for (uint64_t i = 0; i < 100; ++i) {
        const NewPush push = i % 2 == 0 ? slice_push(numbered("u", i)) : small_push(numbered("u", i));
        const belfry_code code = queue.enqueue(push).code;
        require(code == BELFRY_OK || code == BELFRY_BUSY, "a full queue answers BUSY");
        require(code == BELFRY_OK || accepted >= 40, "nothing is refused before the bound");
        ++(code == BELFRY_OK ? accepted : busy);
    }
    require_equal(accepted, size_t{40}, "pushes accepted");
    require_equal(queue.enqueue(slice_push("u0")).code, BELFRY_DUPLICATE, "a known uid is answered even then");
    require(!queue.lookup("u99"), "nothing is kept of a refused push");
    size_t found = 0;
    for (const Claimed& one : drain(queue)) found += one.kind == BELFRY_WORK_BUNDLE ? one.members.size() : 1;
    require_equal(found, accepted, "pushes claimed");
    require_equal(queue.enqueue(slice_push("u99")).code, BELFRY_OK, "code once there is room again");
}

void limit_file_size(rlim_t bytes) {
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    require(::setrlimit(RLIMIT_FSIZE, &limit) == 0, "the file size limit can be set");
}

void store_full(Context& context) {
    ::signal(SIGXFSZ, SIG_IGN);
    Queue queue(context);
    if ((queue.flags() & BELFRY_QUEUE_MULTI_NODE) != 0) skip("another process writes this queue's files");
    queue.must_enqueue(slice_push("running", 0, 1'000'000));
    const Claimed held = queue.claim_one();
    limit_file_size(3u << 20);
    std::set<std::string> accepted;
    belfry_code code = BELFRY_OK;
    belfry_why why{};
    for (uint64_t i = 0; i < 1000 && code == BELFRY_OK; ++i) {
        NewPush push = slice_push(numbered("u", i));
        push.body = std::string(20'000, 'x');
        std::vector<Enqueued> answers;
        code = queue.try_enqueue({push}, &answers, &why);
        if (code == BELFRY_OK) accepted.insert(push.uid);
    }
    require(code == BELFRY_STORE_FULL, "an enqueue that does not fit is STORE_FULL, not " + said(code, why));
    require(why.text[0] != '\0', "a full store says so");
    for (int i = 0; i < 20; ++i) {
        std::vector<Enqueued> answers;
        NewPush push = slice_push("too much");
        push.body = std::string(4'000'000, 'x');  // more than any file may have
        require(queue.try_enqueue({push}, &answers, &why) != BELFRY_OK, "it stays full");
    }
    require(queue.lookup("running").has_value(), "reading goes on");
    std::vector<Paged> pages;
    Checkpoint page = checkpoint_of(held, BELFRY_NEXT_KEEP);
    page.cursor = 10;
    page.planned = 10;
    const belfry_code paged = queue.try_page(queue.node(), {page}, &pages, &why);
    const int64_t planned = paged == BELFRY_OK && pages[0].code == BELFRY_OK ? 10 : 0;
    require_equal(queue.lookup("running")->planned, planned, "a page is applied whole or not at all");

    limit_file_size(RLIM_INFINITY);
    const auto start = Clock::now();
    std::vector<Enqueued> answers;
    while (queue.try_enqueue({slice_push("after")}, &answers, &why) != BELFRY_OK) {
        require(ms_since(start) < 10'000, "it recovers by itself within 10 s");
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    accepted.insert("after");
    page.cursor = 20;
    page.planned = 20 - static_cast<uint32_t>(planned);
    page.next = BELFRY_NEXT_FINISH;
    require_equal(queue.page(page).code, BELFRY_OK, "the owner kept its item");
    require_equal(queue.lookup("running")->planned, 20, "planned");
    queue.reopen();
    std::set<std::string> found;
    for (const Claimed& one : drain(queue)) require(found.insert(one.uid).second, "nothing is claimed twice");
    require(found == accepted, "exactly the acknowledged pushes are there");
}

void second_opener(Context& context) {
    Queue queue(context);
    if ((queue.flags() & BELFRY_QUEUE_MULTI_NODE) != 0) skip("several hosts may use this queue");
    FakeHost host(context, "second");
    belfry_why why{};
    const belfry_code code = Instance::try_start(host, context.plugin, context.config, &why);
    require(code == BELFRY_CONFIG || code == BELFRY_RETRY_LATER, "a second opener is refused");
    require(why.text[0] != '\0', "and told why");
    queue.must_enqueue(slice_push("u"));
    require_equal(queue.claim_one().uid, "u", "the first one works on");
}

void bad_configuration(Context& context) {
    FakeHost host(context, "state");
    for (const char* config : {"", "[]", "{", R"({"no_such_key":1})", R"({"path":7})"}) {
        belfry_why why{};
        const belfry_code code = Instance::try_start(host, context.plugin, config, &why);
        require(code == BELFRY_CONFIG || code == BELFRY_BAD_REQUEST, std::string("refused: ") + config);
        require(why.text[0] != '\0', "a refusal says why");
    }
}

void bad_calls(Context& context) {
    Queue queue(context);
    queue.must_enqueue(list_push("u", {1, 2, 3}));
    const Claimed claimed = queue.claim_one();
    const auto refused = [&](const Checkpoint& page, const char* what) {
        const belfry_code code = queue.page(page).code;
        require_equal(code, BELFRY_BAD_REQUEST, what);
    };
    refused(checkpoint_of(claimed, 0), "next = 0");
    refused(checkpoint_of(claimed, 77), "unknown next");
    Checkpoint page = checkpoint_of(claimed, BELFRY_NEXT_FINISH);
    page.owed.push_back({});
    page.owed[0].keys.resize(1001);
    refused(page, "an owed list of more than 1000 entries");
    page.owed[0].keys.clear();
    page.owed[0].picks = {1};
    page.owed[0].blob = 999;
    refused(page, "picks into a blob that is not the item's");
    NewPush push = list_push("long", std::vector<int64_t>(1001, 1));
    require_equal(queue.enqueue(push).code, BELFRY_BAD_REQUEST, "a list of more than 1000 entries");
    push = slice_push("lane");
    push.lane = 9;
    require_equal(queue.enqueue(push).code, BELFRY_BAD_REQUEST, "an unknown lane");
    push = slice_push("range", 5, 5);
    require_equal(queue.enqueue(push).code, BELFRY_BAD_REQUEST, "an empty range");
    push = token_push("blob", 2, "x");
    push.items[0].blob = 3;
    require_equal(queue.enqueue(push).code, BELFRY_BAD_REQUEST, "picks into a blob that is not there");
    require_equal(queue.enqueue(slice_push("range")).code, BELFRY_OK, "a refused push does not take its uid");
    require_equal(queue.finish(claimed).code, BELFRY_OK, "refused pages left the item alone");
}

constexpr std::array kCases{
    Case{"Q41", "Twenty restarts in a row lose nothing and repeat nothing", 30, &reopened_twenty_times},
    Case{"Q49", "At its bound the queue answers BUSY, loses nothing and recovers", 20, &back_pressure},
    Case{"Q50", "A full disk is a clean error; what was acknowledged stays, later calls succeed", 60, &store_full},
    Case{"E1", "A second process is refused", 20, &second_opener},
    Case{"E2", "Bad configuration is refused with a reason", 20, &bad_configuration},
    Case{"E3", "Impossible input is refused and changes nothing", 20, &bad_calls},
};

}  // namespace

std::span<const Case> trouble_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
