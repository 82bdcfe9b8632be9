// SPDX-License-Identifier: Apache-2.0
#include "steering.h"

#include <belfry/abi.hpp>

namespace belfry::queue_sqlite {

void Steering::steer(belfry_str app, belfry_list uids, int32_t verb, std::vector<belfry_steered>& answers) {
    answers.clear();
    if (verb < BELFRY_STEER_CANCEL || verb > BELFRY_STEER_RESUME) {
        throw sqlite::Failure(BELFRY_BAD_REQUEST, "must be 1 (cancel), 2 (pause) or 3 (resume)", "verb");
    }
    const uint32_t number = core_.book.find_app(view(app));
    const Rows<belfry_str> rows(uids);
    for (uint32_t i = 0; i < rows.size(); ++i) {
        belfry_steered answer = steer_one(number, view(rows[i]), verb);
        answer.index = i;
        answers.push_back(answer);
    }
}

belfry_steered Steering::steer_one(uint32_t app, std::string_view uid, int32_t verb) {
    auto unknown = sized<belfry_steered>();
    unknown.code = BELFRY_NOT_FOUND;
    const Known known = core_.directory.find(app, uid);
    if (!known) return unknown;
    return known.push != nullptr ? steer_push(*known.push, verb) : steer_member(*known.bundle, known.index, verb);
}

belfry_steered Steering::steer_push(Push& push, int32_t verb) {
    auto answer = sized<belfry_steered>();
    movements_.stopped_now(push);
    answer.state = push.state;
    answer.push = static_cast<uint64_t>(push.facts->id);
    answer.settled = push.counters.settled();
    const bool paused = push.state == BELFRY_PUSH_PAUSED;
    if (push.finished_unix_ms != 0 || is_stopped(push.state) || (verb == BELFRY_STEER_PAUSE && paused)) {
        answer.code = BELFRY_DUPLICATE;
    } else if (verb == BELFRY_STEER_CANCEL) {
        movements_.stop(push, BELFRY_PUSH_CANCELLED);
    } else if (verb == BELFRY_STEER_PAUSE) {
        movements_.pause(push);
    } else if (paused) {
        movements_.resume(push);
    } else {
        answer.code = BELFRY_DUPLICATE;
    }
    return answer;
}

belfry_steered Steering::steer_member(BundleRow& row, uint32_t index, int32_t verb) {
    auto answer = sized<belfry_steered>();
    MemberResult& result = row.results[index];
    answer.state = result.state;
    answer.settled = result.counters.settled();
    if (result.state != BELFRY_PUSH_RUNNING || verb == BELFRY_STEER_RESUME) {
        answer.code = BELFRY_DUPLICATE;
    } else if (verb == BELFRY_STEER_CANCEL) {
        result.state = BELFRY_PUSH_CANCELLED;
        core_.book.edit_bundle(row);
        core_.changes.add(0, result.state, core_.book.app_name(result.app), result.uid);
        movements_.note_marks(row);
    } else if (is_claimed(row)) {
        answer.code = BELFRY_BUSY;
    } else {
        pause_member(row, index);
        answer.push = static_cast<uint64_t>(result.moved_to);
    }
    return answer;
}

// Whoever holds a bundle may give it back unsent: a member taken out meanwhile would be in nobody's hands.
bool Steering::is_claimed(const BundleRow& row) {
    Item* bundle = core_.book.find(row.id);
    return bundle != nullptr && core_.book.fate(core_.book.edit(*bundle)) == Fate::Stay;
}

void Steering::pause_member(BundleRow& row, uint32_t index) {
    const std::string content = core_.tables.items.content(row.id);
    const Member member = read_members(content).at(index);
    const std::optional<ItemTable::Found> stored = core_.tables.items.find(row.id);
    Push& push = movements_.promote(row, member, index);
    core_.book.edit_state(push).state = BELFRY_PUSH_PAUSED;
    core_.changes.add(0, push.state, push.facts->app_name, push.facts->uid);
    movements_.note_marks(row);
    if (!stored) return;
    Item item;
    item.kind = BELFRY_WORK_LIST;
    item.gate = stored->item.gate;
    item.flags = kInitial | (member.picks ? uint32_t{kPicks} : 0);
    item.blob = movements_.member_blob(push, member);
    const size_t width = member.picks ? sizeof(uint32_t) : sizeof(int64_t);
    movements_.place(push, std::move(item), std::string(member.entry_bytes, member.entries * width), 0);
}

}  // namespace belfry::queue_sqlite
