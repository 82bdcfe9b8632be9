// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/dead_letters.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "queue/packing.h"
#include "queue/views.h"
#include "queue_redis/directory.h"

namespace belfry::queue_redis {

namespace {

std::vector<Letter> load_letters(Core& core, redis::Connection& connection, const Ids& ids, redis::Deadline deadline) {
    std::vector<Letter> letters;
    if (ids.empty()) return letters;
    send_rows(connection, core.keys.of("dead"), ids);
    const std::vector<redis::Reply> replies = connection.trip(deadline);
    for (size_t i = 0; i < ids.size(); ++i) {
        if (std::optional<Letter> letter = intact_letter(ids[i], replies[0][i].row())) letters.push_back(*letter);
    }
    return letters;
}

Ids pushes_of(const std::vector<Letter>& letters) {
    Ids ids;
    for (const Letter& letter : letters) ids.push_back(letter.work.push);
    return ids;
}

// False: its push cannot run any more.
bool replay_one(Turn& turn, const Letter& letter, std::string_view content, bool ignore_expiry) {
    Push* push = turn.find(letter.work.push);
    if (push == nullptr || push->state == BELFRY_PUSH_CANCELLED) return false;
    if (is_expired(push->expires_unix_ms, turn.now())) {
        if (!ignore_expiry) return false;
        push->expires_unix_ms = 0;
    }
    push->finished_unix_ms = 0;
    if (push->state != BELFRY_PUSH_PAUSED) push->state = BELFRY_PUSH_RUNNING;
    turn.writes().count(push->id, letter.work.gate, BELFRY_FINAL_DEAD, -int64_t{letter.entries});
    Item item;
    item.kind = letter.work.kind;
    item.gate = letter.work.gate;
    item.flags = letter.work.flags;
    item.blob = letter.work.blob;
    item.after = letter.work.after;
    item.hi = letter.work.hi;
    // The entries of a list are part of planned since it was buried; what is left of a slice is not.
    if (item.kind == BELFRY_WORK_LIST) item.flags &= ~kInitial;
    turn.place(*push, item, content, 0);
    Letter replayed = letter;
    replayed.replayed_unix_ms = turn.now();
    turn.writes().save(&letter, &replayed);
    turn.writes().erase_content(letter.work.id);
    return true;
}

}  // namespace

std::vector<DeadView> DeadLetters::list(std::string_view app, std::string_view uid, uint64_t after, uint32_t limit) {
    const redis::Deadline deadline = call_deadline();
    return core_.reads.with(deadline, [&](redis::Connection& connection) {
        std::vector<DeadView> views;
        const uint32_t number = core_.apps.find(connection, app, deadline);
        if (number == 0) return views;
        std::string key = core_.keys.of("graves", number);
        if (!uid.empty()) {
            const belfry_str wanted = str(uid);
            const Ref ref = find_refs(core_, connection, number, Rows<belfry_str>(one_row(wanted)), deadline).front();
            if (ref.ref == 0 || ref.member >= 0) return views;
            key = core_.keys.of("letters", ref.ref);
        }
        const std::string want = std::to_string(std::clamp<size_t>(limit, 1, kListMax));
        const redis::Reply found =
            connection.run({"ZRANGEBYSCORE", key, "(" + std::to_string(after), "+inf", "LIMIT", "0", want}, deadline);
        Ids ids;
        for (size_t i = 0; i < found.size(); ++i) ids.push_back(found[i].number());
        const std::vector<Letter> letters = load_letters(core_, connection, ids, deadline);
        Turn turn(core_, connection, deadline);
        turn.load_pushes(pushes_of(letters));
        for (const Letter& letter : letters) {
            const Push* push = turn.find(letter.work.push);
            views.push_back({letter, push != nullptr ? push->uid : std::string()});
        }
        return views;
    });
}

uint32_t DeadLetters::replay(std::string_view app, Rows<uint64_t> ids, bool ignore_expiry) {
    std::set<int64_t> wanted;
    for (const uint64_t id : ids) wanted.insert(static_cast<int64_t>(id));
    const redis::Deadline deadline = call_deadline();
    const uint64_t call = Turn::new_call();
    bool is_again = false;
    const uint32_t replayed = core_.pool.with(deadline, [&](redis::Connection& connection) -> uint32_t {
        const uint32_t number = core_.apps.find(connection, app, deadline);
        if (number == 0) return 0;
        Turn turn(core_, connection, deadline);
        if (const auto first = std::exchange(is_again, true) ? turn.first_answer(call) : std::nullopt)
            return Unpacker(*first).number<uint32_t>();
        std::vector<Letter> letters = load_letters(core_, connection, {wanted.begin(), wanted.end()}, deadline);
        std::erase_if(letters, [&](const Letter& one) { return one.app != number || one.replayed_unix_ms != 0; });
        if (letters.empty()) return 0;
        Ids waiting;
        for (const Letter& letter : letters) waiting.push_back(letter.work.id);
        turn.open(static_cast<int64_t>(letters.size()));
        send_rows(connection, core_.keys.of("content"), waiting);
        const std::vector<redis::Reply> replies = turn.trip_opened();
        turn.load_pushes(pushes_of(letters));
        uint32_t done = 0;
        for (size_t i = 0; i < letters.size(); ++i) {
            if (replay_one(turn, letters[i], replies[Turn::kOpened][i].row().value_or(std::string_view()),
                           ignore_expiry))
                ++done;
        }
        Packer answer;
        answer.number(done);
        turn.remember_answer(call, answer.bytes());
        turn.commit();
        return done;
    });
    core_.bell.ring();
    return replayed;
}

}  // namespace belfry::queue_redis
