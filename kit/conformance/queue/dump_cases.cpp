// SPDX-License-Identifier: Apache-2.0
// Everything of a queue as records, and what another queue makes of them.
#include "conformance/queue/dump_cases.h"

#include <algorithm>
#include <array>
#include <belfry/abi.hpp>

#include "conformance/runner/elsewhere.h"

namespace belfry::conformance::queue {

namespace {

constexpr int64_t kHourMs = 3'600'000;
using Records = std::vector<std::string>;

void need_dump(const Queue& queue) {
    if ((queue.flags() & BELFRY_QUEUE_DUMP) == 0) skip("the queue does not offer dump and load");
}

// Everything as records, in pages of so many.
Records dump(Queue& queue, uint32_t limit = 1000) {
    Records records;
    std::string cursor;
    do {
        char next[64] = {};
        belfry_why why{};
        size_t rows = 0;
        const belfry_code code = collect<belfry_str>(
            [&](belfry_emit emit, void* ctx) {
                const belfry_str from = str(std::string_view(cursor));
                return queue.table().dump(queue.instance(), from, limit, emit, ctx, next, &why);
            },
            [&](const belfry_str& record) {
                records.push_back(text(record));
                ++rows;
            });
        must(code, why, "dump");
        require(rows <= limit, "no more records than the limit");
        require(next[0] == '\0' || cursor != next, "the cursor of a dump moves");
        cursor = next;
    } while (!cursor.empty());
    return records;
}

belfry_code try_load(Queue& queue, const Records& records, belfry_why* why) {
    std::vector<belfry_str> rows;
    for (const std::string& record : records) rows.push_back(str(std::string_view(record)));
    return queue.table().load(queue.instance(), list_of(rows), why);
}

void load(Queue& queue, const Records& records) {
    belfry_why why{};
    must(try_load(queue, records, &why), why, "load");
}

// A retry of device keys.
Owed retry(const Queue& queue, std::vector<int64_t> keys) {
    Owed owed;
    owed.gate = 2;
    owed.attempt = 3;
    owed.due = queue.now() + kHourMs;
    owed.keys = std::move(keys);
    return owed;
}

// "half": a slice that is being worked on, with counters, a retry, a sample and a dead letter of picks.
void work_on_half(Queue& queue) {
    NewPush push = token_push("half", 9, "tokens of half");
    push.items.push_back({BELFRY_WORK_SLICE, 0, kNoBlob, 100, 900, {}, {}});
    push.lane = BELFRY_LANE_HIGH;
    push.weight = 7;
    push.expires = queue.now() + 48 * kHourMs;
    queue.must_enqueue(push);
    for (const Claimed& one : queue.claim(BELFRY_LANE_HIGH, 10)) {
        const bool slice = one.kind == BELFRY_WORK_SLICE;
        Checkpoint page = checkpoint_of(one, slice ? BELFRY_NEXT_KEEP : BELFRY_NEXT_FINISH);
        page.planned = 9;
        if (slice) {
            page.cursor = 300;
            page.tallies = {{BELFRY_FINAL_ACCEPTED, 6, 2}, {BELFRY_FINAL_GONE, 1, 1}};
            page.samples = {{"{\"why\":\"no\"}", BELFRY_FINAL_REFUSED, 1, 0}};
            page.owed = {retry(queue, {101, 102})};
        } else {
            page.tallies = {{BELFRY_FINAL_ACCEPTED, 7, 2}, {BELFRY_FINAL_DEAD, 2, 2}};
            Owed dead;
            dead.flags = BELFRY_OWED_DEAD;
            dead.gate = 2;
            dead.attempt = 6;
            dead.blob = one.blob;
            dead.picks = {3, 8};
            dead.note = "six times 503";
            page.owed = {dead};
        }
        require_equal(queue.page(page).code, BELFRY_OK, "code of a page");
    }
}

// Small pushes of two apps: a bundle that is done but for one member's retry, and one that nobody has claimed.
void fill_bundles(Queue& queue) {
    queue.must_enqueue({small_push("s1", {11}), small_push("s2", {12, 13}), small_push("s3", {14})});
    const Claimed bundle = queue.claim_one();
    Checkpoint page = checkpoint_of(bundle, BELFRY_NEXT_FINISH);
    page.planned_of = {{0, 1, 0, 0}, {0, 2, 0, 1}, {0, 1, 0, 2}};
    page.tallies = {{BELFRY_FINAL_ACCEPTED, 1, 2, 0}, {BELFRY_FINAL_ACCEPTED, 1, 2, 1}, {BELFRY_FINAL_GONE, 1, 2, 2}};
    Owed owed = retry(queue, {13});
    owed.member = 1;
    page.owed = {owed};
    require_equal(queue.page(page).code, BELFRY_OK, "code of a bundle's page");
    std::vector<NewPush> waiting{small_push("s4", {15}), small_push("s5", {16}), small_push("s6", {17})};
    waiting[2].app = "other";
    queue.must_enqueue(waiting);
    queue.steer("s5", BELFRY_STEER_CANCEL);
}

void fill(Queue& queue) {
    work_on_half(queue);
    fill_bundles(queue);
    NewPush later = list_push("later", {21, 22});
    later.send_at = queue.now() + 2 * kHourMs;
    NewPush low = slice_push("cancelled");
    low.lane = BELFRY_LANE_LOW;
    queue.must_enqueue({later, low, slice_push("paused", 0, 50), list_push("done", {1}), slice_push("free", 0, 70)});
    queue.steer("cancelled", BELFRY_STEER_CANCEL);
    queue.steer("paused", BELFRY_STEER_PAUSE);
    for (const Claimed& one : queue.claim(BELFRY_LANE_NORMAL, 10)) {
        if (one.uid == "done") queue.finish(one);
    }
}

// What any client can see of the pushes.
std::string told(Queue& queue) {
    std::string all;
    for (const char* uid : {"half", "s1", "s2", "s3", "s4", "s5", "later", "cancelled", "paused", "done", "free"}) {
        const auto view = queue.lookup(uid);
        require(view.has_value(), std::string("the push ") + uid + " is there");
        all += std::string(uid) + " state " + std::to_string(view->state) + " lane " + std::to_string(view->lane) +
               " final " + std::to_string(view->planned_final) + " live " + std::to_string(view->live_items) +
               " planned " + std::to_string(view->planned) + " settled " + std::to_string(view->settled()) +
               " accepted " + std::to_string(view->count(BELFRY_FINAL_ACCEPTED)) + " gone " +
               std::to_string(view->count(BELFRY_FINAL_GONE)) + " dead " +
               std::to_string(view->count(BELFRY_FINAL_DEAD)) + " times " + std::to_string(view->created) + " " +
               std::to_string(view->send_at) + " " + std::to_string(view->expires) + " " +
               std::to_string(view->finished) + " left " + std::to_string(view->range_left) + " samples " +
               std::to_string(view->samples.size()) + "\n";
    }
    require(queue.lookup("s6", "other").has_value(), "a push of another app is there");
    std::string cursor;
    for (const PushView& view : queue.list("default", 0, 1000, &cursor)) all += view.uid + " ";
    const belfry_queue_stats stats = queue.stats();
    all += "\ndelayed " + std::to_string(stats.delayed) + " parked " + std::to_string(stats.parked) + " dead " +
           std::to_string(stats.dead) + " running " + std::to_string(stats.running_pushes) + " waiting " +
           std::to_string(stats.delayed_pushes);
    return all;
}

void round_trip(Context& context) {
    Records records;
    std::string before;
    {
        Queue queue(context);
        need_dump(queue);
        fill(queue);
        queue.reopen();  // at rest, as a dump wants it
        before = told(queue);
        records = dump(queue);
        for (const uint32_t limit : {1U, 3U, 7U})
            require(dump(queue, limit) == records, "the same records whatever the page size");
    }
    Queue copy(context, config_elsewhere(context));
    require(dump(copy).empty(), "an empty queue has no records");
    for (int i = 0; i < 2; ++i) {
        load(copy, records);
        require_equal(told(copy), before, "what clients see of the copy");
        require(dump(copy) == records, "a dump of the copy is the same");
    }
    copy.reopen();
    require_equal(told(copy), before, "what clients see after a restart");
    // One by one, as after a process that was killed again and again.
    for (const std::string& record : records) load(copy, {record});
    require(dump(copy) == records, "a dump of the copy is the same after every record came again");
}

void work_goes_on(Context& context) {
    Records records;
    {
        Queue queue(context);
        need_dump(queue);
        fill(queue);
        records = dump(queue);  // while items are claimed
    }
    Queue copy(context, config_elsewhere(context));
    load(copy, records);
    const Claimed half = copy.claim_one(BELFRY_LANE_HIGH);
    require_equal(half.uid, "half", "a claimed item comes back unclaimed");
    require(half.after == 300 && half.hi == 900, "where its cursor was");
    require_equal(half.weight, 7U, "weight");
    require(copy.blob(half.body) == std::string("body"), "its body");
    copy.finish(half);
    require_equal(copy.steer("paused", BELFRY_STEER_RESUME).code, BELFRY_OK, "a paused push can be resumed");
    std::vector<std::string> members, pushes, stopped;
    const std::vector<Claimed> worked = drain(copy);
    for (const Claimed& one : worked) {
        if (one.stopped()) stopped.push_back(one.uid);
        if (one.kind != BELFRY_WORK_BUNDLE) pushes.push_back(one.uid);
        for (const Member& member : one.members) {
            members.push_back(member.app + "/" + member.uid);
            require_equal((member.flags & BELFRY_MEMBER_STOPPED) != 0, member.uid == "s5", "a cancelled member is so");
            require_equal(member.body, "body", "a member's body");
        }
    }
    std::sort(members.begin(), members.end());
    std::sort(pushes.begin(), pushes.end());
    require(stopped == std::vector<std::string>{"cancelled"}, "a cancelled push comes flagged");
    require(pushes == std::vector<std::string>{"cancelled", "free", "paused"}, "items that were ready");
    require(members == std::vector<std::string>{"default/s4", "default/s5", "other/s6"}, "members that were ready");

    copy.host().advance_ms(kHourMs + 60'000);
    copy.upkeep();
    std::vector<int64_t> retried;
    for (const Claimed& one : drain(copy, {2})) {
        require_equal(one.attempt, 3U, "attempt of what was owed");
        retried.insert(retried.end(), one.keys.begin(), one.keys.end());
    }
    std::sort(retried.begin(), retried.end());
    require(retried == std::vector<int64_t>{13, 101, 102}, "what was owed comes when it is due");
    copy.host().advance_ms(kHourMs);
    copy.upkeep();
    const Claimed later = copy.claim_one();
    require(later.uid == "later" && later.keys == std::vector<int64_t>{21, 22}, "a scheduled push has its day");
    copy.finish(later);
    require_equal(copy.lookup("later")->state, BELFRY_PUSH_DONE, "state of a push that was scheduled");
    require_equal(copy.lookup("half")->state, BELFRY_PUSH_DONE, "state of a push that was half done");
    require_equal(copy.lookup("s2")->state, BELFRY_PUSH_DONE, "state of a member whose retry is over");
    const belfry_queue_stats stats = copy.stats();
    require(stats.running_pushes == 0 && stats.delayed_pushes == 0 && stats.delayed == 0, "nothing is left over");
}

void dead_letters(Context& context) {
    Records records;
    {
        Queue queue(context);
        need_dump(queue);
        fill(queue);
        records = dump(queue);
    }
    Queue copy(context, config_elsewhere(context));
    load(copy, records);
    const std::vector<Dead> letters = copy.dead("half");
    require_equal(letters.size(), size_t{1}, "dead letters");
    require(letters[0].note == "six times 503" && letters[0].entries == 2, "reason and entries");
    require_equal(copy.replay({letters[0].id}), 1U, "replayed");
    bool found = false;
    for (const Claimed& one : copy.claim(BELFRY_LANE_HIGH, 10, {2})) {
        if (one.kind != BELFRY_WORK_LIST) continue;
        found = true;
        require(one.picks == std::vector<uint32_t>{3, 8}, "its entries");
        require(copy.blob(one.blob) == std::string("tokens of half"), "its tokens");
    }
    require(found, "a replayed letter can be claimed");
}

void uids_stay_taken(Context& context) {
    Records records;
    {
        Queue queue(context);
        need_dump(queue);
        fill(queue);
        records = dump(queue);
    }
    Queue copy(context, config_elsewhere(context));
    load(copy, records);
    for (const char* uid : {"half", "s1", "s2", "s4", "later", "done"}) {
        require_equal(copy.enqueue(slice_push(uid)).code, BELFRY_DUPLICATE, "code for a uid that was moved");
        NewPush other = slice_push(uid);
        other.fingerprint = 2;
        require_equal(copy.enqueue(other).code, BELFRY_CONFLICT, "code for another request under it");
    }
    copy.reopen();
    require_equal(copy.enqueue(small_push("s4")).code, BELFRY_DUPLICATE, "code after a restart");
    // New pushes stand beside those that were loaded.
    copy.must_enqueue({slice_push("new"), small_push("small-new"), token_push("tokens-new", 2, "t")});
    require_equal(copy.lookup("half")->planned, 18, "planned of a push that was loaded");
    std::string cursor;
    require_equal(copy.list("default", 0, 1, &cursor).at(0).uid, "tokens-new", "the newest push");
}

void bad_records(Context& context) {
    Queue queue(context);
    need_dump(queue);
    fill(queue);
    const Records records = dump(queue);
    queue.close();
    Queue copy(context, config_elsewhere(context));
    const auto refused = [&](const std::string& record, const char* what) {
        belfry_why why{};
        require_equal(try_load(copy, {records[0], record}, &why), BELFRY_BAD_REQUEST, what);
        require(std::string(why.where).find("[1]") != std::string::npos, "a refusal names the record");
        require(why.text[0] != '\0', "and says why");
        require(dump(copy).empty(), "nothing of a refused load is kept");
    };
    refused("no record", "code for garbage");
    refused("", "code for nothing");
    for (const std::string& record : records) {
        refused(record.substr(0, record.size() - 1), "code for a record cut off at its end");
        refused(record.substr(0, record.size() / 2), "code for half a record");
        std::string changed = record;
        changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 0x10);
        refused(changed, "code for a changed record");
    }
    std::string newer = records[0];
    newer[2] = '\x7f';
    refused(newer, "code for an unknown version");
    load(copy, records);
}

constexpr std::array kCases{
    Case{"D1", "A dump, in pages of any size, loaded into another queue makes the same pushes, twice as well as once",
         60, &round_trip},
    Case{"D2", "Work goes on after a load: claims, cursors, retries, schedules, paused and cancelled pushes", 60,
         &work_goes_on},
    Case{"D3", "Dead letters can be replayed after a load", 60, &dead_letters},
    Case{"D4", "Uids stay taken after a load, and new pushes stand beside the loaded ones", 60, &uids_stay_taken},
    Case{"D5", "A record that is cut, changed or of another version is refused by its place, and nothing is kept", 120,
         &bad_records},
};

}  // namespace

std::span<const Case> dump_cases() {
    return kCases;
}

}  // namespace belfry::conformance::queue
