// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/settling.h"

#include <algorithm>

#include "queue_redis/turn.h"

namespace belfry::queue_redis {

namespace {

constexpr size_t kPortion = 500;
constexpr int kTries = 20;

void fit(Turn& turn, Turn::Work& work, const Push& push) {
    Item& item = work.is;
    const bool stopped = is_stopped(push.state);
    if (item.place == Place::Later) {
        if (!stopped) return;
        // What came with the push and was never due is not looked at any more; what was owed is, to be counted.
        if ((item.flags & kInitial) != 0) {
            work.is_gone = true;
            turn.may_end(push.id);
        }
        item.due_unix_ms = 0;
        return;
    }
    if (item.place == Place::Held) return;  // its next page sees to it
    Item fitting = item;
    if (fitting.lane != push.lane) {
        fitting.lane = push.lane;
        fitting.vt = turn.vt(push.lane);
    }
    turn.release(fitting, &push);
    if (fitting.place == item.place && fitting.lane == item.lane) return;
    item = fitting;
}

// False: the push is gone.
bool settle_portion(Core& core, redis::Connection& connection, int64_t id, const Ids& items, redis::Deadline deadline) {
    Turn turn(core, connection, deadline);
    turn.begin();
    turn.load_pushes({id});
    const Push* push = turn.find(id);
    if (push == nullptr) return false;
    turn.load_items(items, false);
    for (const int64_t item : items) {
        if (Turn::Work* work = turn.item(item)) fit(turn, *work, *push);
    }
    turn.commit();
    return true;
}

Ids items_of(Core& core, redis::Connection& connection, int64_t push, redis::Deadline deadline) {
    connection.send({"SMEMBERS", core.keys.of("of", push)});
    connection.send({"SMEMBERS", core.keys.of("owed", push)});
    Ids ids;
    for (const redis::Reply& reply : connection.trip_past_damage(deadline)) {
        for (size_t i = 0; i < reply.size(); ++i) ids.push_back(reply[i].number());
    }
    return ids;
}

void settle_once(Core& core, redis::Connection& connection, int64_t id, redis::Deadline deadline) {
    // Read before the items are: whoever changes the state later settles them again.
    const redis::Reply row = connection.run({"HGET", core.keys.of("push"), std::to_string(id)}, deadline);
    const Ids items = items_of(core, connection, id, deadline);
    for (size_t at = 0; at < items.size(); at += kPortion) {
        const auto first = items.begin() + static_cast<std::ptrdiff_t>(at);
        const auto last = items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), at + kPortion));
        if (!settle_portion(core, connection, id, {first, last}, deadline)) break;
    }
    Changes changes(core.keys);
    changes.expect(core.keys.of("push"), std::to_string(id), row.row().value_or(std::string_view()));
    changes.write("SREM", core.keys.of("restless"), {std::to_string(id)});
    changes.commit(connection, core.scripts.commit, deadline);
}

}  // namespace

void settle(Core& core, redis::Connection& connection, int64_t push, redis::Deadline deadline) {
    for (int tries = 1;; ++tries) {
        try {
            return settle_once(core, connection, push, deadline);
        } catch (const redis::Failure& failure) {
            if (failure.kind() != redis::Failure::Kind::LostRace || tries == kTries) throw;
        }
    }
}

}  // namespace belfry::queue_redis
