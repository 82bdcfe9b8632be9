// SPDX-License-Identifier: Apache-2.0
// Small pushes, whether a queue packs them or not: each keeps its own counters, retries and fate.
#include <algorithm>
#include <array>
#include <map>
#include <thread>

#include "conformance/queue/cases.h"

namespace belfry::conformance::queue {

namespace {

// Where a small push is, after a claim: alone or in a bundle.
struct Place {
    const Claimed* claimed = nullptr;
    const Member* member = nullptr;
    uint32_t index() const { return member == nullptr ? 0 : member->index; }
    bool stopped() const {
        return member == nullptr ? claimed->stopped() : (member->flags & BELFRY_MEMBER_STOPPED) != 0;
    }
};

std::map<std::string, Place> places(const std::vector<Claimed>& all) {
    std::map<std::string, Place> found;
    for (const Claimed& one : all) {
        if (one.kind != BELFRY_WORK_BUNDLE) found[one.uid] = {&one, nullptr};
        for (const Member& member : one.members) {
            require(found.count(member.uid) == 0, "a member is in one bundle only");
            found[member.uid] = {&one, &member};
        }
    }
    return found;
}

std::vector<NewPush> small_pushes(size_t n) {
    std::vector<NewPush> pushes;
    for (size_t i = 0; i < n; ++i) {
        pushes.push_back(small_push(numbered("u", i), {static_cast<int64_t>(i)}));
        pushes.back().body = numbered("body-", i);
    }
    return pushes;
}

// A checkpoint per claimed item, by item.
std::map<uint64_t, Checkpoint> checkpoints(const std::vector<Claimed>& all) {
    std::map<uint64_t, Checkpoint> found;
    for (const Claimed& one : all) found[one.item] = checkpoint_of(one, BELFRY_NEXT_FINISH);
    return found;
}

void own_counters(Context& context) {
    Queue queue(context);
    queue.must_enqueue(small_pushes(300));
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 1000);
    const auto where = places(all);
    require_equal(where.size(), size_t{300}, "small pushes claimed");
    auto pages = checkpoints(all);
    for (const auto& [uid, place] : where) {
        Checkpoint& page = pages[place.claimed->item];
        const uint32_t n = static_cast<uint32_t>(std::stoul(uid.substr(1))) % 7 + 1;
        page.tallies.push_back({BELFRY_FINAL_ACCEPTED, n, 3, place.index()});
        page.samples.push_back({"{\"of\":\"" + uid + "\"}", BELFRY_FINAL_REFUSED, 3, place.index()});
        if (place.member == nullptr) page.planned += n;
        if (place.member != nullptr) page.planned_of.push_back({0, n, 0, place.index()});
    }
    for (const auto& [item, page] : pages) require_equal(queue.page(page).code, BELFRY_OK, "code of a page");
    queue.reopen();
    for (size_t i = 0; i < 300; ++i) {
        const auto view = queue.lookup(numbered("u", i));
        require(view.has_value(), "every small push is found");
        require_equal(view->state, BELFRY_PUSH_DONE, "state");
        require_equal(view->planned, static_cast<int64_t>(i % 7 + 1), "planned of its own");
        require_equal(view->count(BELFRY_FINAL_ACCEPTED), static_cast<int64_t>(i % 7 + 1), "accepted of its own");
        require_equal(view->samples.at(0).text, "{\"of\":\"" + numbered("u", i) + "\"}", "sample of its own");
        require(view->planned_final, "planned is final");
    }
    require_equal(queue.stats().running_pushes, 0, "running pushes");
}

void own_retries(Context& context) {
    Queue queue(context);
    std::vector<NewPush> pushes = small_pushes(5);
    pushes.push_back(token_push("tokens", 4, "token-blob"));
    pushes.back().small = true;
    pushes.back().body = "body-t";
    queue.must_enqueue(pushes);
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 100);
    const auto where = places(all);
    auto pages = checkpoints(all);
    const auto owe = [&](const std::string& uid, std::vector<int64_t> keys, std::vector<uint32_t> picks) {
        const Place& place = where.at(uid);
        Owed owed;
        owed.member = place.index();
        owed.keys = std::move(keys);
        owed.picks = std::move(picks);
        owed.blob = place.member == nullptr ? place.claimed->blob : 0;
        Checkpoint& page = pages[place.claimed->item];
        const auto n = static_cast<uint32_t>(owed.keys.size() + owed.picks.size());
        if (place.member == nullptr) page.planned += n;
        if (place.member != nullptr) page.planned_of.push_back({0, n, 0, place.index()});
        page.owed.push_back(owed);
    };
    owe("u2", {2}, {});
    owe("tokens", {}, {1, 3});
    for (const auto& [item, page] : pages) require_equal(queue.page(page).code, BELFRY_OK, "code of a page");
    require_equal(queue.lookup("u1")->state, BELFRY_PUSH_DONE, "state of one that owes nothing");
    require_equal(queue.lookup("u2")->state, BELFRY_PUSH_RUNNING, "state of one that owes");
    require_equal(queue.enqueue(pushes[2]).code, BELFRY_DUPLICATE, "its uid stays taken");
    queue.reopen();
    const std::vector<Claimed> retries = queue.claim(BELFRY_LANE_NORMAL, 10);
    require_equal(retries.size(), size_t{2}, "retries");
    for (const Claimed& one : retries) {
        require_equal(one.kind, BELFRY_WORK_LIST, "kind of a retry");
        require_equal(one.attempt, 2, "attempt");
        require((one.flags & BELFRY_CLAIMED_INITIAL) == 0, "what was owed is part of planned already");
        const bool tokens = one.uid == "tokens";
        require(queue.blob(one.body) == std::string(tokens ? "body-t" : "body-2"), "body of the retry");
        if (tokens) require(queue.blob(one.blob) == std::string("token-blob"), "token blob of the retry");
        require(tokens ? one.picks == std::vector<uint32_t>{1, 3} : one.keys == std::vector<int64_t>{2}, "its entries");
        Checkpoint page = checkpoint_of(one, BELFRY_NEXT_FINISH);
        page.tallies = {{BELFRY_FINAL_ACCEPTED, tokens ? 2u : 1u}};
        queue.page(page);
    }
    for (const char* uid : {"u2", "tokens"}) {
        const auto view = queue.lookup(uid);
        require_equal(view->state, BELFRY_PUSH_DONE, "state after the retry");
        require_equal(view->settled(), view->planned, "counters add up to planned");
    }
}

void cancel_one_of_many(Context& context) {
    Queue queue(context);
    queue.must_enqueue(small_pushes(20));
    require_equal(queue.steer("u7", BELFRY_STEER_CANCEL).code, BELFRY_OK, "cancel one");
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 100);
    belfry_pulse pulse{};
    queue.beat(queue.node(), &pulse);
    require_equal(queue.steer("u8", BELFRY_STEER_CANCEL).code, BELFRY_OK, "cancel one that is being sent");
    const std::vector<Change> changes = queue.changes(pulse.changes);
    require_equal(changes.size(), size_t{1}, "changes since");
    require_equal(changes[0].uid, "u8", "the owner learns which");
    const auto where = places(all);
    require_equal(where.size(), size_t{20}, "members claimed");
    auto pages = checkpoints(all);
    for (const auto& [uid, place] : where) {
        require_equal(place.stopped(), uid == "u7", "only the cancelled one is flagged: " + uid);
        const int32_t outcome = uid == "u7" || uid == "u8" ? BELFRY_FINAL_CANCELLED : BELFRY_FINAL_ACCEPTED;
        pages[place.claimed->item].tallies.push_back({outcome, 1, 0, place.index()});
    }
    for (const auto& [item, page] : pages) queue.page(page);
    for (size_t i = 0; i < 20; ++i) {
        const bool cancelled = i == 7 || i == 8;
        const auto view = queue.lookup(numbered("u", i));
        require_equal(view->state, cancelled ? BELFRY_PUSH_CANCELLED : BELFRY_PUSH_DONE, "state");
        require_equal(view->count(BELFRY_FINAL_ACCEPTED), cancelled ? 0 : 1, "accepted");
    }
}

void pause_one_of_many(Context& context) {
    Queue queue(context);
    queue.must_enqueue(small_pushes(6));
    require_equal(queue.steer("u3", BELFRY_STEER_PAUSE).code, BELFRY_OK, "pause one");
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 100);
    require_equal(places(all).size(), size_t{5}, "the paused one is not handed out");
    for (const Claimed& one : all) queue.finish(one);
    require_equal(queue.lookup("u3")->state, BELFRY_PUSH_PAUSED, "its state");
    require_equal(queue.lookup("u2")->state, BELFRY_PUSH_DONE, "state of another");
    queue.reopen();
    require_equal(queue.steer("u3", BELFRY_STEER_RESUME).code, BELFRY_OK, "resume it");
    const Claimed one = queue.claim_one();
    require_equal(one.uid, "u3", "it is claimable again");
    require(one.keys == std::vector<int64_t>{3}, "with its entries");
    require(queue.blob(one.body) == std::string("body-3"), "and its body");
    queue.finish(one);
    require_equal(queue.lookup("u3")->state, BELFRY_PUSH_DONE, "state at the end");
}

// The holder of a bundle may put it back, or die: a member that was paused meanwhile must not get lost.
void pause_one_of_a_held_bundle(Context& context) {
    for (const bool dies : {false, true}) {
        Queue queue(context);
        const std::string prefix = dies ? "died-" : "released-";
        std::vector<NewPush> pushes = small_pushes(3);
        for (NewPush& push : pushes) push.uid = prefix + push.uid;
        queue.must_enqueue(pushes);
        const std::string uid = pushes[1].uid;
        const std::vector<Claimed> held = queue.claim(BELFRY_LANE_NORMAL, 100);
        const belfry_code paused = queue.steer(uid, BELFRY_STEER_PAUSE).code;
        require(paused == BELFRY_OK || paused == BELFRY_BUSY, "pausing answers OK, or BUSY if it cannot now");
        if (dies) {
            queue.reopen();
        } else {
            for (const Claimed& one : held) queue.page(checkpoint_of(one, BELFRY_NEXT_RELEASE));
        }
        if (paused == BELFRY_OK) {
            require_equal(queue.lookup(uid)->state, BELFRY_PUSH_PAUSED, "state while it is paused");
            require_equal(queue.steer(uid, BELFRY_STEER_RESUME).code, BELFRY_OK, "resume");
        }
        const std::vector<Claimed> again = queue.claim(BELFRY_LANE_NORMAL, 100);
        require(places(again).count(uid) == 1, "it is handed out again, as nobody has sent it");
        for (const Claimed& one : again) queue.finish(one);
        require_equal(queue.lookup(uid)->state, BELFRY_PUSH_DONE, "state at the end");
    }
}

void straggler_of_a_member(Context& context) {
    Queue queue(context);
    queue.must_enqueue(small_pushes(3));
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 100);
    const auto where = places(all);
    const Place& place = where.at("u1");
    Owed mine;
    mine.flags = BELFRY_OWED_MINE;
    mine.attempt = 1;
    mine.member = place.index();
    mine.keys = {1};
    Checkpoint page = checkpoint_of(*place.claimed, BELFRY_NEXT_KEEP);
    page.owed = {mine};
    const Paged paged = queue.page(page);
    require_equal(paged.mine.size(), size_t{1}, "the straggler's item");
    // The late answer comes while the bundle is still being sent, then one more list is owed.
    Checkpoint late;
    late.item = paged.mine[0].item;
    late.epoch = paged.mine[0].epoch;
    require_equal(queue.page(late).code, BELFRY_OK, "code of the straggler's page");
    require_equal(queue.lookup("u1")->state, BELFRY_PUSH_RUNNING, "not done before its bundle is");
    Checkpoint end = checkpoint_of(*place.claimed, BELFRY_NEXT_FINISH);
    mine.flags = 0;
    end.owed = {mine};
    require_equal(queue.page(end).code, BELFRY_OK, "code of the bundle's last page");
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) {
        if (one.uid == "u1") require(queue.blob(one.body) == std::string("body-1"), "the body is still there");
        queue.finish(one);
    }
    require_equal(queue.lookup("u1")->state, BELFRY_PUSH_DONE, "state at the end");
    require_equal(queue.stats().running_pushes, 0, "running pushes at the end");
}

// The list's owner knows neither the blob nor which member it was: it is one push's list now.
void straggler_with_tokens(Context& context) {
    Queue queue(context);
    std::vector<NewPush> pushes = small_pushes(2);
    pushes.push_back(token_push("tokens", 4, "token-blob"));
    pushes.back().small = true;
    queue.must_enqueue(pushes);
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 100);
    const auto where = places(all);
    auto pages = checkpoints(all);
    const Place& place = where.at("tokens");
    Owed mine;
    mine.flags = BELFRY_OWED_MINE;
    mine.attempt = 1;
    mine.member = place.index();
    mine.picks = {1, 3};
    pages[place.claimed->item].owed = {mine};
    std::vector<Paged> answers;
    for (const auto& [item, page] : pages) {
        answers.push_back(queue.page(page));
        require_equal(answers.back().code, BELFRY_OK, "code of a page");
    }
    const auto held =
        std::find_if(answers.begin(), answers.end(), [](const Paged& paged) { return !paged.mine.empty(); });
    require(held != answers.end(), "the straggler's item");
    Checkpoint late;
    late.item = held->mine[0].item;
    late.epoch = held->mine[0].epoch;
    Owed retry;
    retry.picks = {3};
    late.owed = {retry};
    require_equal(queue.page(late).code, BELFRY_OK, "code of the straggler's page");
    const Claimed again = queue.claim_one();
    require_equal(again.uid, "tokens", "its retry");
    require(again.picks == std::vector<uint32_t>{3}, "its entries");
    require(queue.blob(again.blob) == std::string("token-blob"), "its tokens");
    queue.finish(again);
    require_equal(queue.lookup("tokens")->state, BELFRY_PUSH_DONE, "state at the end");
}

void cancelled_before_a_kill(Context& context) {
    {
        Queue queue(context);
        queue.must_enqueue(small_pushes(3));
        queue.steer("u1", BELFRY_STEER_CANCEL);
    }
    std::vector<int64_t> reports;
    const bool killed = run_and_kill(
        [&](const std::function<void(int64_t)>& report) {
            Queue queue(context, {}, 50);
            report(static_cast<int64_t>(queue.claim(BELFRY_LANE_NORMAL, 10).size()));
            std::this_thread::sleep_for(std::chrono::seconds(60));
        },
        [](const auto& reported) { return !reported.empty(); }, &reports);
    require(killed, "the worker was killed while it held them");
    Queue queue(context, {}, 99);
    const std::vector<Claimed> all = queue.claim(BELFRY_LANE_NORMAL, 10);
    const auto where = places(all);
    require_equal(where.size(), size_t{3}, "small pushes claimed");
    for (const auto& [uid, place] : where) {
        require_equal(place.stopped(), uid == "u1", "only the cancelled one is flagged: " + uid);
        require((place.claimed->flags & BELFRY_CLAIMED_INITIAL) != 0, "none is part of planned yet");
    }
}

constexpr std::array kCases{
    Case{"B1", "Small pushes keep counters, samples and states of their own", 20, &own_counters},
    Case{"B2", "A small push that owes something is retried with its own body and tokens", 20, &own_retries},
    Case{"B3", "Cancelling one small push leaves the others alone", 20, &cancel_one_of_many},
    Case{"B4", "Pausing one small push leaves the others alone", 20, &pause_one_of_many},
    Case{"B8", "A small push that is paused while its bundle is claimed is not lost when the bundle comes back", 60,
         &pause_one_of_a_held_bundle},
    Case{"B6", "A small push cancelled before kill -9 stays cancelled after it", 20, &cancelled_before_a_kill},
    Case{"B5", "Stragglers of a small push can end before and after the others", 20, &straggler_of_a_member},
    Case{"B7", "Stragglers of a small push can ask for its tokens again", 20, &straggler_with_tokens},
};

}  // namespace

std::span<const Case> bundle_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
