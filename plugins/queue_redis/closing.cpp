// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/closing.h"

#include "queue_redis/turn.h"

namespace belfry::queue_redis {

void close_if_ended(Core& core, redis::Connection& connection, int64_t id, redis::Deadline deadline) {
    const Keys& keys = core.keys;
    Turn turn(core, connection, deadline);
    turn.open();
    connection.send({"SCARD", keys.of("waiting", id)});
    const std::vector<redis::Reply> replies = turn.trip_opened();
    const bool has_letters = replies[Turn::kOpened].number() > 0;
    turn.load_pushes({id});
    Push* push = turn.find(id);
    Changes& changes = turn.writes().changes();
    if (push != nullptr && push->finished_unix_ms == 0) {
        if (push->bundle != 0) return;
        changes.expect_no(keys.of("of", id));
        changes.expect_no(keys.of("owed", id));
        if (!is_stopped(push->state))
            push->state = is_expired(push->expires_unix_ms, turn.now()) ? BELFRY_PUSH_EXPIRED : BELFRY_PUSH_DONE;
        push->finished_unix_ms = turn.now();
        if (!has_letters) {
            turn.writes().erase_blobs(*push);
            push->body = 0;
        }
    }
    changes.write("SREM", keys.of("closing"), {std::to_string(id)});
    changes.write("SREM", keys.of("restless"), {std::to_string(id)});
    turn.commit();
}

}  // namespace belfry::queue_redis
