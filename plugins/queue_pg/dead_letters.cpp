// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/dead_letters.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "queue/packing.h"
#include "queue/views.h"
#include "queue_pg/directory.h"

namespace belfry::queue_pg {

namespace {

constexpr const char* kShown =
    "SELECT d.id, d.buried, d.replayed, d.gate, d.attempt, d.entries, d.note, coalesce(p.uid, '') FROM queue_dead d "
    "LEFT JOIN queue_push p ON p.id = d.push ";
const std::string kOfApp = std::string(kShown) + "WHERE d.app = $1 AND d.id > $2 ORDER BY d.id LIMIT $3";
const std::string kOfPush = std::string(kShown) + "WHERE d.push = $1 AND d.id > $2 ORDER BY d.id LIMIT $3";
constexpr const char* kLetters =
    "SELECT id, push, gate, after, hi, blob, kind, flags, entries, content FROM queue_dead "
    "WHERE id = ANY ($1::bigint[]) AND app = $2 AND replayed = 0 ORDER BY id FOR UPDATE";
constexpr const char* kReplayed =
    "UPDATE queue_dead SET replayed = $2, blob = 0, content = '' WHERE id = ANY ($1::bigint[])";

struct Letter {
    Item item;  // its id is the letter's
    uint32_t entries = 0;
    std::string content;
};

std::vector<Letter> read_letters(pg::Connection& connection, uint32_t app, const std::vector<int64_t>& ids,
                                 pg::Deadline deadline) {
    const pg::Result rows =
        connection.run(kLetters, pg::Params().column(pg::numbers(ids)).number4(static_cast<int32_t>(app)), deadline);
    std::vector<Letter> letters;
    for (int row = 0; row < rows.rows(); ++row) {
        Letter& letter = letters.emplace_back();
        Item& item = letter.item;
        item.id = rows.number(row, 0);
        item.push = rows.number(row, 1);
        item.gate = static_cast<uint32_t>(rows.number(row, 2));
        item.after = rows.number(row, 3);
        item.hi = rows.number(row, 4);
        item.blob = rows.number(row, 5);
        item.kind = rows.number4(row, 6);
        item.flags = static_cast<uint32_t>(rows.number4(row, 7));
        letter.entries = static_cast<uint32_t>(rows.number4(row, 8));
        letter.content = rows.bytes(row, 9);
    }
    return letters;
}

// False: its push cannot run any more.
bool replay_one(Turn& turn, const Letter& letter, bool ignore_expiry) {
    Push* push = turn.find(letter.item.push);
    if (push == nullptr || push->state == BELFRY_PUSH_CANCELLED) return false;
    if (is_expired(push->expires_unix_ms, turn.now())) {
        if (!ignore_expiry) return false;
        push->expires_unix_ms = 0;
    }
    push->finished_unix_ms = 0;
    if (push->state != BELFRY_PUSH_PAUSED) push->state = BELFRY_PUSH_RUNNING;
    turn.writes().count(push->id, letter.item.gate, BELFRY_FINAL_DEAD, -int64_t{letter.entries});
    Item item = letter.item;
    // The entries of a list are part of planned since it was buried; what is left of a slice is not.
    if (item.kind == BELFRY_WORK_LIST) item.flags &= ~kInitial;
    turn.place(*push, item, letter.content, 0);
    return true;
}

}  // namespace

std::vector<DeadView> DeadLetters::list(std::string_view app, std::string_view uid, uint64_t after, uint32_t limit) {
    const auto want = static_cast<int64_t>(std::clamp<size_t>(limit, 1, kListMax));
    const pg::Deadline deadline = call_deadline();
    return core_.reads.with(deadline, [&](pg::Connection& connection) {
        std::vector<DeadView> views;
        const uint32_t number = core_.apps.find(connection, app, deadline);
        if (number == 0) return views;
        pg::Params params;
        if (uid.empty()) {
            params.number4(static_cast<int32_t>(number));
        } else {
            const belfry_str wanted = str(uid);
            const Ref ref = find_refs(connection, number, Rows<belfry_str>(one_row(wanted)), deadline).front();
            if (ref.ref == 0 || ref.member >= 0) return views;
            params.number(ref.ref);
        }
        constexpr auto kTop = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
        params.number(static_cast<int64_t>(std::min(after, kTop))).number(want);
        const pg::Result rows = connection.run(uid.empty() ? kOfApp : kOfPush, params, deadline);
        for (int row = 0; row < rows.rows(); ++row) {
            DeadView& view = views.emplace_back();
            view.id = static_cast<uint64_t>(rows.number(row, 0));
            view.buried_unix_ms = rows.number(row, 1);
            view.replayed_unix_ms = rows.number(row, 2);
            view.gate = static_cast<uint32_t>(rows.number(row, 3));
            view.attempt = static_cast<uint32_t>(rows.number4(row, 4));
            view.entries = static_cast<uint32_t>(rows.number4(row, 5));
            view.note = rows.bytes(row, 6);
            view.uid = rows.bytes(row, 7);
        }
        return views;
    });
}

uint32_t DeadLetters::replay(std::string_view app, Rows<uint64_t> ids, bool ignore_expiry) {
    std::vector<int64_t> wanted;
    for (const uint64_t id : ids) wanted.push_back(static_cast<int64_t>(id));
    const pg::Deadline deadline = call_deadline();
    const uint64_t call = Turn::new_call();
    bool is_again = false;
    const uint32_t replayed = core_.durable.with(deadline, [&](pg::Connection& connection) -> uint32_t {
        const uint32_t number = core_.apps.find(connection, app, deadline);
        if (number == 0) return 0;
        Turn turn(core_, connection, deadline);
        turn.open();
        turn.trip_opened();
        if (const auto first = std::exchange(is_again, true) ? turn.first_answer(call) : std::nullopt) {
            turn.commit();
            return Unpacker(*first).number<uint32_t>();
        }
        const std::vector<Letter> letters = read_letters(connection, number, wanted, deadline);
        std::set<int64_t> pushes;
        for (const Letter& letter : letters) pushes.insert(letter.item.push);
        turn.load_pushes({pushes.begin(), pushes.end()}, true);
        std::vector<int64_t> done;
        std::set<int64_t> woken;
        for (const Letter& letter : letters) {
            if (!replay_one(turn, letter, ignore_expiry)) continue;
            done.push_back(letter.item.id);
            woken.insert(letter.item.push);
        }
        for (const int64_t push : woken) turn.writes().update(*turn.find(push));
        connection.send(kReplayed, pg::Params().column(pg::numbers(done)).number(turn.now()));
        Packer answer;
        answer.number(static_cast<uint32_t>(done.size()));
        turn.remember_answer(call, answer.bytes());
        turn.commit();
        return static_cast<uint32_t>(done.size());
    });
    core_.bell.ring();
    return replayed;
}

}  // namespace belfry::queue_pg
