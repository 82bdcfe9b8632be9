// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/steering.h"

#include <cstring>
#include <optional>
#include <utility>

#include "queue_pg/directory.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

namespace {

// Items before bundles, as pages do.
constexpr const char* kLockItems = "SELECT id FROM queue_item WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE";
const std::string kItems = std::string("SELECT ") + kItemColumns +
                           ", i.content FROM queue_item i WHERE i.id = ANY ($1::bigint[]) AND i.push = 0";
const std::string kBundles = std::string("SELECT ") + kBundleColumns +
                             " FROM queue_bundle b WHERE b.id = ANY ($1::bigint[]) ORDER BY b.id FOR UPDATE";
constexpr const char* kSettled =
    "SELECT c.push, sum(c.n)::bigint FROM (SELECT push, n FROM queue_tally WHERE push = ANY ($1::bigint[]) AND "
    "outcome > 0 UNION ALL SELECT push, n FROM queue_delta WHERE push = ANY ($1::bigint[]) AND outcome > 0) c "
    "GROUP BY c.push";

// One try at the transaction of a call.
class SteerTurn {
public:
    SteerTurn(Core& core, pg::Connection& connection, pg::Deadline deadline, uint64_t call)
        : turn_(core, connection, deadline), call_(call) {}

    std::vector<belfry_steered> run(uint32_t app, Rows<belfry_str> uids, int32_t verb, bool is_again);

private:
    struct Work {
        Item item;
        std::string content;
    };
    // False: a member became a push between looking it up and locking its bundle.
    bool load(uint32_t app, Rows<belfry_str> uids, bool with_contents);
    void load_bundles(bool with_contents);
    belfry_steered steer_push(Push& push, int32_t verb);
    belfry_steered steer_member(Bundle& bundle, uint32_t index, int32_t verb);
    int64_t pause_member(Bundle& bundle, uint32_t index);

    Turn turn_;
    const uint64_t call_;
    std::vector<Ref> refs_;  // one per uid
    std::map<int64_t, Bundle> bundles_;
    std::map<int64_t, Work> works_;
    std::map<int64_t, int64_t> settled_;
};

std::string packed(const std::vector<belfry_steered>& answers) {
    return {reinterpret_cast<const char*>(answers.data()), answers.size() * sizeof(belfry_steered)};
}

std::vector<belfry_steered> unpacked(std::string_view bytes) {
    std::vector<belfry_steered> answers(bytes.size() / sizeof(belfry_steered));
    std::memcpy(answers.data(), bytes.data(), answers.size() * sizeof(belfry_steered));
    return answers;
}

std::vector<belfry_steered> SteerTurn::run(uint32_t app, Rows<belfry_str> uids, int32_t verb, bool is_again) {
    turn_.open();
    turn_.trip_opened();
    if (const auto first = is_again ? turn_.first_answer(call_) : std::nullopt) {
        turn_.commit();
        return unpacked(*first);
    }
    while (!load(app, uids, verb == BELFRY_STEER_PAUSE)) {
    }
    std::vector<belfry_steered> answers;
    for (uint32_t i = 0; i < refs_.size(); ++i) {
        auto answer = sized<belfry_steered>();
        answer.code = BELFRY_NOT_FOUND;
        const Ref& ref = refs_[i];
        const auto bundle = bundles_.find(ref.ref);
        if (ref.member < 0) {
            if (Push* push = turn_.find(ref.ref)) answer = steer_push(*push, verb);
        } else if (bundle != bundles_.end() && static_cast<size_t>(ref.member) < bundle->second.results.size()) {
            answer = steer_member(bundle->second, static_cast<uint32_t>(ref.member), verb);
        }
        answer.index = i;
        answers.push_back(answer);
    }
    turn_.remember_answer(call_, packed(answers));
    turn_.commit();
    return answers;
}

bool SteerTurn::load(uint32_t app, Rows<belfry_str> uids, bool with_contents) {
    refs_ = find_refs(turn_.connection(), app, uids, turn_.deadline());
    std::vector<int64_t> pushes;
    for (const Ref& ref : refs_) {
        if (ref.ref != 0 && ref.member < 0) pushes.push_back(ref.ref);
    }
    turn_.load_pushes(pushes, true);
    load_bundles(with_contents);
    for (const Ref& ref : refs_) {
        const auto bundle = ref.member >= 0 ? bundles_.find(ref.ref) : bundles_.end();
        if (bundle == bundles_.end() || static_cast<size_t>(ref.member) >= bundle->second.results.size()) continue;
        if (bundle->second.results[static_cast<size_t>(ref.member)].moved_to > 0) return false;
    }
    if (pushes.empty()) return true;
    const pg::Result rows =
        turn_.connection().run(kSettled, pg::Params().column(pg::numbers(pushes)), turn_.deadline());
    for (int row = 0; row < rows.rows(); ++row) settled_[rows.number(row, 0)] = rows.number(row, 1);
    return true;
}

void SteerTurn::load_bundles(bool with_contents) {
    std::vector<int64_t> ids;
    for (const Ref& ref : refs_) {
        if (ref.member >= 0) ids.push_back(ref.ref);
    }
    bundles_.clear();
    if (ids.empty()) return;
    pg::Connection& connection = turn_.connection();
    connection.send(kLockItems, pg::Params().column(pg::numbers(ids)));
    connection.send(kBundles, pg::Params().column(pg::numbers(ids)));
    if (with_contents) connection.send(kItems, pg::Params().column(pg::numbers(ids)));
    const std::vector<pg::Result> results = connection.trip(turn_.deadline());
    for (int row = 0; row < results[1].rows(); ++row) {
        Bundle bundle = read_bundle(results[1], row);
        bundles_.emplace(bundle.id, std::move(bundle));
    }
    if (!with_contents) return;
    for (int row = 0; row < results[2].rows(); ++row) {
        const Item item = read_item(results[2], row);
        works_[item.id] = {item, std::string(results[2].bytes(row, kItemColumnCount))};
    }
}

belfry_steered SteerTurn::steer_push(Push& push, int32_t verb) {
    auto answer = sized<belfry_steered>();
    const bool expired = is_expired(push.expires_unix_ms, turn_.now()) && push.finished_unix_ms == 0;
    if (expired && !is_stopped(push.state)) turn_.stop(push, BELFRY_PUSH_EXPIRED);
    answer.state = push.state;
    answer.push = static_cast<uint64_t>(push.id);
    answer.settled = settled_[push.id];
    const bool paused = push.state == BELFRY_PUSH_PAUSED;
    if (push.finished_unix_ms != 0 || is_stopped(push.state) || (verb == BELFRY_STEER_PAUSE && paused)) {
        answer.code = BELFRY_DUPLICATE;
    } else if (verb == BELFRY_STEER_CANCEL) {
        turn_.stop(push, BELFRY_PUSH_CANCELLED);
    } else if (verb == BELFRY_STEER_PAUSE) {
        turn_.pause(push);
    } else if (paused) {
        turn_.resume(push);
    } else {
        answer.code = BELFRY_DUPLICATE;
    }
    return answer;
}

belfry_steered SteerTurn::steer_member(Bundle& bundle, uint32_t index, int32_t verb) {
    auto answer = sized<belfry_steered>();
    MemberResult& result = bundle.results[index];
    answer.state = result.state;
    answer.settled = result.counters.settled();
    if (result.moved_to != 0) {  // its app was purged
        answer.code = BELFRY_NOT_FOUND;
    } else if (result.state != BELFRY_PUSH_RUNNING || verb == BELFRY_STEER_RESUME) {
        answer.code = BELFRY_DUPLICATE;
    } else if (verb == BELFRY_STEER_CANCEL) {
        result.state = BELFRY_PUSH_CANCELLED;
        turn_.writes().change(turn_.now(), 0, result.app, result.state, result.uid);
        turn_.note_marks(bundle);
        turn_.writes().update(bundle);
    } else if (const auto work = works_.find(bundle.id); work != works_.end() && work->second.item.owner != 0) {
        // Whoever holds it may give it back unsent: a member taken out meanwhile would be in nobody's hands.
        answer.code = BELFRY_BUSY;
    } else {
        answer.push = static_cast<uint64_t>(pause_member(bundle, index));
        turn_.note_marks(bundle);
        turn_.writes().update(bundle);
    }
    return answer;
}

int64_t SteerTurn::pause_member(Bundle& bundle, uint32_t index) {
    const auto work = works_.find(bundle.id);
    if (work == works_.end())
        throw Refused(BELFRY_CORRUPT, {}, "an unfinished bundle without its item; restore the database from a backup");
    const Member member = read_members(work->second.content).at(index);
    bundle.results[index].state = BELFRY_PUSH_PAUSED;
    Push& push = turn_.promote(bundle, member, index);
    turn_.writes().change(turn_.now(), 0, push.app, push.state, push.uid);
    Item item = list_of_member(member, push.body);
    item.gate = work->second.item.gate;
    item.flags |= kInitial;
    turn_.place(push, item, entries_of_member(member), 0);
    return push.id;
}

}  // namespace

std::vector<belfry_steered> Steering::steer(std::string_view app, Rows<belfry_str> uids, int32_t verb) {
    if (verb < BELFRY_STEER_CANCEL || verb > BELFRY_STEER_RESUME)
        throw Refused(BELFRY_BAD_REQUEST, "verb", "must be 1 (cancel), 2 (pause) or 3 (resume)");
    const pg::Deadline deadline = call_deadline();
    const uint64_t call = Turn::new_call();
    bool is_again = false;
    std::vector<belfry_steered> answers = core_.durable.with(deadline, [&](pg::Connection& connection) {
        const uint32_t number = core_.apps.find(connection, app, deadline);
        return SteerTurn(core_, connection, deadline, call).run(number, uids, verb, std::exchange(is_again, true));
    });
    core_.bell.ring();
    return answers;
}

}  // namespace belfry::queue_pg
