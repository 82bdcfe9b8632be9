// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/due.h"

#include <algorithm>
#include <tuple>

#include "queue_redis/turn.h"

namespace belfry::queue_redis {

namespace {

constexpr size_t kPortion = 250;

// Lists of one push that differ in nothing are merged; what came with the push is moved as it is.
auto group_of(const Item& item) {
    const bool alone = item.kind != BELFRY_WORK_LIST || (item.flags & kInitial) != 0;
    return std::tuple(item.push, item.attempt, item.gate, item.flags, item.blob, alone ? item.id : 0);
}

// The first of a group takes the entries of the others.
void move_group(Turn& turn, const std::vector<Turn::Work*>& group) {
    Turn::Work& first = *group.front();
    Push* push = turn.find(first.is.push);
    if (push == nullptr) {
        for (Turn::Work* work : group) turn.put_aside(*work, "its push is gone or damaged");
        return;
    }
    const bool stopped = is_stopped(push->state) || is_expired(push->expires_unix_ms, turn.now());
    // What came with a push that was stopped before its time is not looked at any more.
    if (stopped && (first.is.flags & kInitial) != 0) {
        first.is_gone = true;
        return turn.may_end(push->id);
    }
    if (push->state == BELFRY_PUSH_DELAYED) push->state = BELFRY_PUSH_RUNNING;
    std::string content;
    for (Turn::Work* work : group) {
        content += work->content;
        work->is_gone = work != &first;
    }
    if (group.size() > 1) turn.writes().set_content(first.is.id, content);
    first.is.lane = push->lane;
    turn.release(first.is, push);
}

void move_all(Turn& turn, std::vector<Turn::Work*> works) {
    std::stable_sort(works.begin(), works.end(),
                     [](const Turn::Work* a, const Turn::Work* b) { return group_of(a->is) < group_of(b->is); });
    std::vector<Turn::Work*> group;
    uint32_t entries = 0;
    for (Turn::Work* work : works) {
        const uint32_t more = entries_of(work->is.kind, work->is.flags, work->content.size());
        const bool fits =
            !group.empty() && group_of(group.front()->is) == group_of(work->is) && entries + more <= kListEntriesMax;
        if (!fits && !group.empty()) {
            move_group(turn, group);
            group.clear();
            entries = 0;
        }
        entries += more;
        group.push_back(work);
    }
    if (!group.empty()) move_group(turn, group);
}

}  // namespace

bool move_due(Core& core, int64_t now) {
    const redis::Deadline deadline = call_deadline();
    const bool more = core.pool.with(deadline, [&](redis::Connection& connection) {
        const redis::Reply due = connection.run({"ZRANGEBYSCORE", core.keys.of("later"), "-inf", std::to_string(now),
                                                 "LIMIT", "0", std::to_string(kPortion)},
                                                deadline);
        if (due.size() == 0) return false;
        Ids ids, pushes;
        for (size_t i = 0; i < due.size(); ++i) ids.push_back(due[i].number());
        Turn turn(core, connection, deadline);
        turn.begin();
        turn.load_items(ids, true);
        std::vector<Turn::Work*> works;
        for (const int64_t id : ids) {
            Turn::Work* work = turn.item(id);
            if (work == nullptr || work->is.place != Place::Later) {
                // Nothing that is due: it must not stand before what is.
                turn.writes().changes().write("ZREM", core.keys.of("later"), {std::to_string(id)});
                continue;
            }
            works.push_back(work);
            pushes.push_back(work->is.push);
        }
        turn.load_pushes(pushes);
        move_all(turn, works);
        turn.commit();
        return due.size() == kPortion;
    });
    core.bell.ring();
    return more;
}

}  // namespace belfry::queue_redis
