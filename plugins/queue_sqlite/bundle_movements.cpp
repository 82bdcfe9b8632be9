// SPDX-License-Identifier: Apache-2.0
// Transitions of bundles: members that become pushes of their own, and the end of a bundle.
#include <algorithm>

#include "movements.h"

namespace belfry::queue_sqlite {

namespace {

std::string_view bytes_of(const Member& member) {
    return {member.entry_bytes, member.entries * (member.picks ? sizeof(uint32_t) : sizeof(int64_t))};
}

Item list_of_member(const Member& member, int64_t blob) {
    Item item;
    item.kind = BELFRY_WORK_LIST;
    item.flags = member.picks ? uint32_t{kPicks} : 0;
    item.blob = blob;
    return item;
}

}  // namespace

Push& Movements::promote(BundleRow& row, const Member& member, uint32_t index) {
    MemberResult& result = row.results.at(index);
    if (result.moved_to != 0) return *core_.book.push(result.moved_to);
    auto facts = std::make_shared<PushFacts>();
    facts->id = core_.book.next_id();
    facts->app = result.app;
    facts->app_name = core_.book.app_name(result.app);
    facts->uid = result.uid;
    facts->created_unix_ms = row.created_unix_ms;
    facts->expires_unix_ms = result.expires_unix_ms;
    facts->fingerprint = result.fingerprint;
    facts->body = core_.book.next_id();
    Push push;
    push.lane = row.lane;
    push.state = result.state;
    push.body = facts->body;
    push.undiscovered = 1;  // until its bundle is finished
    push.counters = std::move(result.counters);
    push.facts = std::move(facts);
    core_.tables.blobs.insert(push.body, member.body);
    // The entry of the member stays; the push is younger and outlives the bundle.
    core_.uids.add(result.app, result.uid, {push.facts->id, -1});
    result.moved_to = push.facts->id;
    result.counters = {};
    core_.book.edit_bundle(row);
    // The token blob's id follows from the body's, see member_blob.
    core_.book.next_id();
    return core_.book.create(std::move(push));
}

int64_t Movements::member_blob(const Push& push, const Member& member) {
    if (!member.picks) return 0;
    const int64_t id = push.facts->body + 1;
    // The lists made earlier may have ended, and the blob with the last of them.
    if (!core_.tables.blobs.find(id)) core_.tables.blobs.insert(id, member.blob);
    return id;
}

void Movements::note_marks(const BundleRow& row) {
    std::vector<Mark> marks = marks_of(row.results);
    if (marks.empty()) return;
    Item* bundle = core_.book.find(row.id);
    if (bundle != nullptr) {
        core_.book.edit(*bundle).marks = std::move(marks);
        bundle->flags |= kMarked;
    }
    core_.tables.items.add_flag(row.id, kMarked);
}

void Movements::finish_bundle(BundleRow& row) {
    const int64_t now = core_.now();
    for (MemberResult& result : row.results) {
        if (result.moved_to != 0) {
            if (Push* push = core_.book.push(result.moved_to)) --core_.book.edit_counters(*push).undiscovered;
            continue;
        }
        if (result.state == BELFRY_PUSH_RUNNING) {
            const bool expired = result.expires_unix_ms != 0 && result.expires_unix_ms <= now;
            const bool sent = std::any_of(result.counters.tallies.begin(), result.counters.tallies.end(),
                                          [](const Tally& tally) { return tally.outcome != BELFRY_FINAL_EXPIRED; });
            result.state = expired && !sent ? BELFRY_PUSH_EXPIRED : BELFRY_PUSH_DONE;
        }
        result.finished_unix_ms = now;
        --core_.book.totals.running_pushes;
    }
    row.finished_unix_ms = now;
    core_.book.edit_bundle(row);
}

void Movements::bury_bundle(BundleRow& row, const Item& bundle, std::string_view content, std::string_view note,
                            bool count) {
    const std::vector<Member> members = read_members(content);
    for (uint32_t i = 0; i < members.size(); ++i) {
        if (row.results.at(i).moved_to != 0 || row.results[i].state != BELFRY_PUSH_RUNNING) continue;
        Push& push = promote(row, members[i], i);
        Item work = list_of_member(members[i], member_blob(push, members[i]));
        work.gate = bundle.gate;
        if (push.counters.planned == 0) work.flags |= kInitial;
        work.attempt = bundle.attempt;
        bury(push, work, bytes_of(members[i]), note);
        if (count) count_dead(push, work, members[i].entries);
    }
}

void Movements::count_dead(Push& push, const Item& work, uint32_t entries) {
    if (entries == 0) return;
    Counters& counters = core_.book.edit_counters(push).counters;
    // What came with the push was not counted as planned by any page.
    if ((work.flags & kInitial) != 0) counters.planned += entries;
    counters.add(work.gate, BELFRY_FINAL_DEAD, entries);
}

}  // namespace belfry::queue_sqlite
