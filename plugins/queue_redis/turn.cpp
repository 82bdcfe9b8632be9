// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/turn.h"

#include <algorithm>
#include <random>

#include "queue_redis/closing.h"
#include "queue_redis/settling.h"

namespace belfry::queue_redis {

void send_rows(redis::Connection& connection, const std::string& key, const Ids& ids) {
    std::vector<std::string> fields;
    fields.reserve(ids.size());
    for (const int64_t id : ids) fields.push_back(std::to_string(id));
    redis::Words words{"HMGET", key};
    words.insert(words.end(), fields.begin(), fields.end());
    connection.send(words);
}

void Turn::open(int64_t ids) {
    opening_ids_ = ids;
    const std::string number = core_.keys.of("number"), wanted = std::to_string(ids);
    connection_.send(core_.scripts.open, {number}, {wanted});
    connection_.send({"HMGET", core_.keys.of("time"), "1", "2", "3"});
}

std::vector<redis::Reply> Turn::trip_opened() {
    std::vector<redis::Reply> replies = connection_.trip(deadline_);
    now_ = replies[0][0].number();
    end_of_ids_ = replies[0][1].number() + 1;
    next_id_ = end_of_ids_ - opening_ids_;
    for (int32_t lane = 1; lane < kLanes; ++lane)
        vt_[static_cast<size_t>(lane)] = replies[1][static_cast<size_t>(lane) - 1].number();
    return replies;
}

void Turn::begin(int64_t ids) {
    open(ids);
    trip_opened();
}

uint64_t Turn::new_call() {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
}

void Turn::remember_answer(uint64_t call, std::string_view answer) {
    writes_.answer(core_.keys.call(call), answer);
}

std::optional<std::string> Turn::first_answer(uint64_t call) {
    const redis::Reply answer = connection_.run({"HGET", core_.keys.call(call), "answer"}, deadline_);
    return answer.is_nil() ? std::nullopt : std::optional<std::string>(answer.text());
}

int64_t Turn::take_ids(int64_t n) {
    if (n > end_of_ids_ - next_id_) {
        const std::string number = core_.keys.of("number"), wanted = std::to_string(n);
        connection_.send(core_.scripts.open, {number}, {wanted});
        end_of_ids_ = connection_.trip(deadline_).front()[1].number() + 1;
        next_id_ = end_of_ids_ - n;
    }
    const int64_t first = next_id_;
    next_id_ += n;
    return first;
}

void Turn::load_items(const Ids& ids, bool with_content) {
    if (ids.empty()) return;
    send_rows(connection_, core_.keys.of("item"), ids);
    if (with_content) send_rows(connection_, core_.keys.of("content"), ids);
    const std::vector<redis::Reply> replies = connection_.trip(deadline_);
    for (size_t i = 0; i < ids.size(); ++i) {
        const std::optional<std::string_view> row = replies[0][i].row();
        const std::optional<Item> item = intact_item(ids[i], row);
        if (row && !item) put_aside(ids[i]);
        if (!item) continue;
        Work& work = items_[ids[i]];
        work.is = *item;
        work.was = work.is;
        if (with_content) work.content = replies[1][i].row().value_or(std::string_view());
    }
}

void Turn::load_pushes(const Ids& wanted) {
    std::set<int64_t> unknown;
    for (const int64_t id : wanted) {
        if (id != 0 && !pushes_.contains(id)) unknown.insert(id);
    }
    if (unknown.empty()) return;
    const Ids ids(unknown.begin(), unknown.end());
    send_rows(connection_, core_.keys.of("push"), ids);
    for (const int64_t id : ids) connection_.send({"SCARD", core_.keys.of("of", id)});
    const std::vector<redis::Reply> replies = connection_.trip_past_damage(deadline_);
    for (size_t i = 0; i < ids.size(); ++i) {
        std::optional<Push> push = intact_push(ids[i], replies[0][i].row());
        if (!push || replies[1 + i].is_error()) continue;
        Known<Push>& known = pushes_[ids[i]];
        known.is = std::move(*push);
        known.is.live_items = static_cast<uint32_t>(replies[1 + i].number());
        known.was = known.is;
    }
}

void Turn::load_bundles(const Ids& ids) {
    if (ids.empty()) return;
    send_rows(connection_, core_.keys.of("bundle"), ids);
    const std::vector<redis::Reply> replies = connection_.trip(deadline_);
    for (size_t i = 0; i < ids.size(); ++i) {
        std::optional<Bundle> bundle = intact_bundle(ids[i], replies[0][i].row());
        if (!bundle) continue;
        Known<Bundle>& known = bundles_[ids[i]];
        known.is = std::move(*bundle);
        known.was = known.is;
    }
}

Ids Turn::erase_letters(const Ids& ids) {
    std::set<int64_t> pushes;
    if (ids.empty()) return {};
    send_rows(connection_, core_.keys.of("dead"), ids);
    const std::vector<redis::Reply> replies = connection_.trip(deadline_);
    for (size_t i = 0; i < ids.size(); ++i) {
        const std::optional<Letter> letter = intact_letter(ids[i], replies[0][i].row());
        if (!letter) writes_.erase_damaged("dead", "buried", ids[i]);
        if (!letter) continue;
        writes_.save(&*letter, nullptr);
        writes_.erase_content(letter->work.id);
        pushes.insert(letter->work.push);
    }
    return {pushes.begin(), pushes.end()};
}

void Turn::load_moved() {
    Ids moved;
    for (const auto& [id, known] : bundles_) {
        for (const MemberResult& result : known.is.results) {
            if (result.moved_to > 0) moved.push_back(result.moved_to);
        }
    }
    load_pushes(moved);
}

Turn::Work* Turn::item(int64_t id) {
    const auto found = items_.find(id);
    return found == items_.end() || found->second.is_gone ? nullptr : &found->second;
}

Push* Turn::find(int64_t push) {
    const auto found = pushes_.find(push);
    return found == pushes_.end() ? nullptr : &found->second.is;
}

Bundle* Turn::bundle(int64_t id) {
    const auto found = bundles_.find(id);
    return found == bundles_.end() ? nullptr : &found->second.is;
}

Bundle& Turn::add(Bundle bundle) {
    const int64_t id = bundle.id;
    Known<Bundle>& known = bundles_[id];
    known.is = std::move(bundle);
    return known.is;
}

Push& Turn::add(Push push) {
    const int64_t id = push.id;
    Known<Push>& known = pushes_[id];
    known.is = std::move(push);
    return known.is;
}

void Turn::insert(const Item& item, std::string_view content) {
    items_[item.id].is = item;
    writes_.set_content(item.id, content);
}

void Turn::place(Push& push, Item item, std::string_view content, int64_t due_unix_ms) {
    item.id = take_ids();
    item.push = push.id;
    item.lane = push.lane;
    if (due_unix_ms > now_ && !is_stopped(push.state)) {
        item.place = Place::Later;
        item.due_unix_ms = due_unix_ms;
    } else {
        release(item, &push);
        ++push.live_items;
    }
    insert(item, content);
}

int64_t Turn::place_held(Push& push, Item item, std::string_view content, uint64_t node, uint32_t epoch) {
    item.id = take_ids();
    item.push = push.id;
    item.lane = push.lane;
    item.vt = vt(item.lane);
    item.ready_unix_ms = now_;
    item.place = Place::Held;
    item.owner = node;
    item.epoch = epoch;
    insert(item, content);
    ++push.live_items;
    return item.id;
}

void Turn::release(Item& item, const Push* push) const {
    item.owner = 0;
    item.due_unix_ms = 0;
    item.ready_unix_ms = now_;
    item.vt = std::max(item.vt, vt(item.lane));
    item.place = Place::Ready;
    if (push == nullptr) return;
    if (is_stopped(push->state)) item.place = Place::Stopped;
    if (push->state == BELFRY_PUSH_PAUSED) item.place = Place::Parked;
}

void Turn::put_aside(Work& work, std::string_view damage) {
    core_.services.error(
        "work item put aside, it is not sent; restore Redis from a backup",
        {{"item", std::to_string(work.is.id)}, {"push", std::to_string(work.is.push)}, {"reason", damage}});
    work.is.owner = 0;
    work.is.place = Place::Parked;
}

void Turn::put_aside(int64_t item) {
    core_.services.error("work item put aside, it is not sent; restore Redis from a backup",
                         {{"item", std::to_string(item)}, {"reason", "its row is damaged"}});
    damaged_.insert(item);
    writes_.put_aside(item, held_by_);
}

void Turn::remove(Push& push, Work& work) {
    work.is_gone = true;
    if (push.live_items > 0) --push.live_items;
    may_end(push.id);
}

void Turn::unsettle(const Push& push) {
    writes_.unsettle(push.id);
    restless_.insert(push.id);
}

void Turn::stop(Push& push, int32_t state) {
    push.state = state;
    writes_.tell(now_, push.id, push.app, state, push.uid);
    unsettle(push);
    may_end(push.id);
}

void Turn::change_lane(Push& push, int32_t lane) {
    push.lane = lane;
    unsettle(push);
}

void Turn::pause(Push& push) {
    push.state = BELFRY_PUSH_PAUSED;
    writes_.tell(now_, push.id, push.app, push.state, push.uid);
    unsettle(push);
}

void Turn::resume(Push& push) {
    const bool delayed = push.live_items == 0 && push.send_at_unix_ms > now_;
    push.state = delayed ? BELFRY_PUSH_DELAYED : BELFRY_PUSH_RUNNING;
    writes_.tell(now_, push.id, push.app, push.state, push.uid);
    unsettle(push);
}

void Turn::bury(const Push& push, Item work, std::string_view content, std::string_view note) {
    work.id = take_ids();
    work.push = push.id;
    Letter letter;
    letter.work = work;
    letter.app = push.app;
    letter.entries = entries_of(work.kind, work.flags, content.size());
    letter.buried_unix_ms = now_;
    letter.note = note;
    writes_.save(nullptr, &letter);
    writes_.set_content(work.id, content);
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
    writes_.insert_blob(push.body, member.body);
    if (member.picks) writes_.insert_blob(push.body + 1, member.blob);
    writes_.set_uid(push.app, push.uid, {bundle.id, static_cast<int32_t>(index)}, {push.id, -1});
    writes_.count(push.id, 0, kPlanned, result.counters.planned);
    for (const Tally& tally : result.counters.tallies) writes_.count(push.id, tally.gate, tally.outcome, tally.n);
    for (const Sample& one : result.counters.samples) writes_.sample(push.id, one.gate, one.outcome, one.text);
    result.moved_to = push.id;
    result.counters = {};
    return add(std::move(push));
}

void Turn::finish_bundle(Bundle& bundle) {
    for (MemberResult& result : bundle.results) {
        if (Push* moved = result.moved_to > 0 ? find(result.moved_to) : nullptr) {
            moved->bundle = 0;
            may_end(moved->id);
        }
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

void Turn::save_all() {
    for (const auto& [id, work] : items_)
        writes_.save(work.was ? &*work.was : nullptr, work.is_gone ? nullptr : &work.is);
    for (const auto& [id, known] : pushes_) {
        if (known.is_gone) writes_.erase_blobs(known.is);
        const bool is_changed = known.is_gone || !known.was || pack(*known.was) != pack(known.is);
        if (is_changed) writes_.save(known.was ? &*known.was : nullptr, known.is_gone ? nullptr : &known.is);
        if (!is_changed) writes_.rely_on(*known.was);
    }
    for (auto& [id, known] : bundles_) {
        if (known.was && !known.is_gone && pack(*known.was) == pack(known.is)) continue;
        if (known.was) ++known.is.version;
        writes_.save(known.was ? &*known.was : nullptr, known.is_gone ? nullptr : &known.is);
    }
}

void Turn::commit(const redis::Script& script) {
    save_all();
    const Ids ended = writes_.commit(connection_, script, deadline_);
    try {
        for (const int64_t push : restless_) settle(core_, connection_, push, deadline_);
        for (const int64_t push : ended) close_if_ended(core_, connection_, push, deadline_);
    } catch (const Refused&) {
        // What was committed stays so; upkeep does the rest.
    }
}

}  // namespace belfry::queue_redis
