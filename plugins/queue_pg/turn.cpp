// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/turn.h"

#include <algorithm>
#include <random>

#include "queue_pg/closing.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

namespace {

constexpr const char* kBegin = "BEGIN";
constexpr const char* kOpen = "SELECT queue_now(), nextval('queue_block')";
constexpr const char* kCommit = "COMMIT";
const std::string kLoad = std::string("SELECT ") + kPushColumns + " FROM queue_push p WHERE p.id = ANY ($1::bigint[])";
const std::string kLoadLocked = kLoad + " ORDER BY p.id FOR UPDATE OF p";
constexpr const char* kStates = "SELECT id, state FROM queue_push WHERE id = ANY ($1::bigint[]) ORDER BY id FOR SHARE";
constexpr const char* kFirstAnswer = "SELECT answer FROM queue_reply WHERE node = 0 AND request = $1 AND item = 0";

}  // namespace

void Turn::open() {
    connection_.send(kBegin);
    connection_.send(kOpen);
}

std::vector<pg::Result> Turn::trip_opened() {
    std::vector<pg::Result> results = connection_.trip(deadline_);
    now_ = results[1].number(0, 0);
    next_id_ = results[1].number(0, 1) * kIdsPerBlock;
    end_of_ids_ = next_id_ + kIdsPerBlock;
    return results;
}

void Turn::commit() {
    writes_.send(connection_);
    connection_.send(kCommit);
    connection_.trip(deadline_);
    try {
        close_finished(connection_, closable_, deadline_);
    } catch (const pg::Failure&) {
        // What was committed stays so; upkeep closes what is left open.
        connection_.roll_back(deadline_);
    }
}

std::optional<std::string> Turn::first_answer(uint64_t call) {
    const pg::Result rows = connection_.run(kFirstAnswer, pg::Params().number(static_cast<int64_t>(call)), deadline_);
    return rows.rows() > 0 ? std::optional<std::string>(rows.bytes(0, 0)) : std::nullopt;
}

uint64_t Turn::new_call() {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
}

int64_t Turn::take_ids(int64_t n) {
    if (n > end_of_ids_ - next_id_)
        throw Refused(BELFRY_TOO_LARGE, {}, "a call has too many items; send fewer at once");
    const int64_t first = next_id_;
    next_id_ += n;
    return first;
}

Push& Turn::add(Push push) {
    const int64_t id = push.id;
    return pushes_.insert_or_assign(id, std::move(push)).first->second;
}

Push* Turn::find(int64_t id) {
    const auto found = pushes_.find(id);
    return found == pushes_.end() ? nullptr : &found->second;
}

void Turn::load_pushes(const std::vector<int64_t>& ids, bool lock) {
    if (ids.empty()) return;
    const pg::Result rows =
        connection_.run(lock ? kLoadLocked : kLoad, pg::Params().column(pg::numbers(ids)), deadline_);
    for (int row = 0; row < rows.rows(); ++row) add(read_push(rows, row));
}

void Turn::recheck_paused() {
    std::vector<int64_t> paused;
    for (const auto& [id, push] : pushes_) {
        if (push.state == BELFRY_PUSH_PAUSED) paused.push_back(id);
    }
    if (paused.empty()) return;
    const pg::Result rows = connection_.run(kStates, pg::Params().column(pg::numbers(paused)), deadline_);
    for (int row = 0; row < rows.rows(); ++row) pushes_.at(rows.number(row, 0)).state = rows.number4(row, 1);
}

void Turn::place(Push& push, Item item, std::string_view content, int64_t due_unix_ms) {
    const bool stopped = is_stopped(push.state);
    item.id = take_ids();
    item.push = push.id;
    item.lane = push.lane;
    if (due_unix_ms > now_ && !stopped) return writes_.insert_later(item, due_unix_ms, content);
    item.vt = std::max(item.vt, core_.lanes.vt(item.lane));
    item.ready_unix_ms = now_;
    Shelf shelf = int64_t{item.gate};
    if (stopped) shelf = kStoppedShelf;
    if (push.state == BELFRY_PUSH_PAUSED) shelf.reset();
    writes_.insert(item, shelf, content);
    ++push.live_items;
}

int64_t Turn::place_held(Push& push, Item item, std::string_view content, uint64_t node, uint32_t epoch) {
    item.id = take_ids();
    item.push = push.id;
    item.lane = push.lane;
    item.vt = core_.lanes.vt(item.lane);
    item.ready_unix_ms = now_;
    item.owner = node;
    item.epoch = epoch;
    writes_.insert(item, std::nullopt, content);
    ++push.live_items;
    return item.id;
}

void Turn::remove(Push& push, int64_t item) {
    writes_.erase_item(item);
    if (push.live_items > 0) --push.live_items;
    may_close(push.id);
}

void Turn::put_aside(Item item, std::string_view damage) {
    core_.services.error(
        "work item put aside, it is not sent; restore the database from a backup",
        {{"item", std::to_string(item.id)}, {"push", std::to_string(item.push)}, {"reason", std::string(damage)}});
    item.owner = 0;
    writes_.update(item, std::nullopt);
}

void Turn::stop(Push& push, int32_t state) {
    push.state = state;
    writes_.update(push);
    writes_.stop_laters(push.id);
    core_.later_floor = 0;
    writes_.release_all(push.id);
    writes_.change(now_, push.id, push.app, state, push.uid);
    may_close(push.id);
}

void Turn::pause(Push& push) {
    push.state = BELFRY_PUSH_PAUSED;
    writes_.update(push);
    writes_.park_all(push.id);
    writes_.change(now_, push.id, push.app, push.state, push.uid);
}

void Turn::resume(Push& push) {
    const bool delayed = push.live_items == 0 && push.send_at_unix_ms > now_;
    push.state = delayed ? BELFRY_PUSH_DELAYED : BELFRY_PUSH_RUNNING;
    writes_.update(push);
    writes_.unpark_all(push.id, now_, core_.lanes.vt(push.lane));
    writes_.change(now_, push.id, push.app, push.state, push.uid);
}

void Turn::bury(const Push& push, Item work, std::string_view content, std::string_view note) {
    work.id = take_ids();
    work.push = push.id;
    writes_.insert_dead(work, push.app, now_, note, content);
}

void Turn::count_dead(const Push& push, const Item& work, size_t content_bytes) {
    const uint32_t entries = entries_of(work.kind, work.flags, content_bytes);
    // What came with the push was not counted as planned by any page.
    if ((work.flags & kInitial) != 0) writes_.count(push.id, 0, kPlanned, entries);
    writes_.count(push.id, work.gate, BELFRY_FINAL_DEAD, entries);
}

Item list_of_member(const Member& member, int64_t body) {
    Item item;
    item.kind = BELFRY_WORK_LIST;
    item.flags = member.picks ? uint32_t{kPicks} : 0;
    item.blob = member.picks ? body + 1 : 0;
    return item;
}

std::string_view entries_of_member(const Member& member) {
    return {member.entry_bytes, member.entries * (member.picks ? sizeof(uint32_t) : sizeof(int64_t))};
}

Push& Turn::promote(Bundle& bundle, const Member& member, uint32_t index) {
    MemberResult& result = bundle.results.at(index);
    if (Push* known = result.moved_to != 0 ? find(result.moved_to) : nullptr) return *known;
    Push push;
    push.id = take_ids();
    push.app = result.app;
    push.uid = result.uid;
    push.created_unix_ms = bundle.created_unix_ms;
    push.expires_unix_ms = result.expires_unix_ms;
    push.fingerprint = result.fingerprint;
    push.lane = bundle.lane;
    push.state = result.state;
    push.bundle = bundle.id;
    push.blobs = member.picks ? 1 : 0;
    push.body = take_ids(1 + push.blobs);
    writes_.insert(push);
    writes_.insert_blob(push.body, member.body);
    if (member.picks) writes_.insert_blob(push.body + 1, member.blob);
    writes_.repoint_uid(push.app, push.uid, bundle.id, push.id);
    writes_.count(push.id, 0, kPlanned, result.counters.planned);
    for (const Tally& tally : result.counters.tallies) writes_.count(push.id, tally.gate, tally.outcome, tally.n);
    for (const Sample& one : result.counters.samples) writes_.sample(push.id, one.gate, one.outcome, one.text);
    result.moved_to = push.id;
    result.counters = {};
    return add(std::move(push));
}

void Turn::note_marks(const Bundle& bundle) {
    if (!marks_of(bundle.results).empty()) writes_.add_flag(bundle.id, kMarked);
}

void Turn::finish_bundle(Bundle& bundle) {
    for (MemberResult& result : bundle.results) {
        if (result.moved_to > 0) may_close(result.moved_to);
        if (result.moved_to != 0) continue;
        if (result.state == BELFRY_PUSH_RUNNING) {
            const bool sent = std::any_of(result.counters.tallies.begin(), result.counters.tallies.end(),
                                          [](const Tally& tally) { return tally.outcome != BELFRY_FINAL_EXPIRED; });
            const bool expired = is_expired(result.expires_unix_ms, now_) && !sent;
            result.state = expired ? BELFRY_PUSH_EXPIRED : BELFRY_PUSH_DONE;
        }
        result.finished_unix_ms = now_;
    }
    bundle.finished_unix_ms = now_;
    writes_.dissolve(bundle.id);
}

void Turn::bury_bundle(Bundle& bundle, const Item& item, std::string_view content, std::string_view note, bool count) {
    const std::vector<Member> members = read_members(content);
    for (uint32_t i = 0; i < members.size() && i < bundle.results.size(); ++i) {
        const MemberResult& result = bundle.results[i];
        if (result.moved_to != 0 || result.state != BELFRY_PUSH_RUNNING) continue;
        const bool discovered = result.counters.planned != 0;
        const Push& push = promote(bundle, members[i], i);
        Item work = list_of_member(members[i], push.body);
        work.gate = item.gate;
        work.attempt = item.attempt;
        if (!discovered) work.flags |= kInitial;
        const std::string_view entries = entries_of_member(members[i]);
        bury(push, work, entries, note);
        if (count) count_dead(push, work, entries.size());
    }
}

}  // namespace belfry::queue_pg
