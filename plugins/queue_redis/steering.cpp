// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/steering.h"

#include <cstring>
#include <optional>
#include <utility>

#include "queue_redis/directory.h"
#include "queue_redis/results.h"

namespace belfry::queue_redis {

namespace {

// One try at the transaction of a call.
class SteerTurn {
public:
    SteerTurn(Core& core, redis::Connection& connection, redis::Deadline deadline, uint64_t call)
        : turn_(core, connection, deadline), call_(call) {}

    std::vector<belfry_steered> run(uint32_t app, Rows<belfry_str> uids, int32_t verb, bool is_again);

private:
    void load(uint32_t app, Rows<belfry_str> uids, bool with_contents);
    void load_settled(const Ids& pushes);
    belfry_steered steer_push(Push& push, int32_t verb);
    belfry_steered steer_member(Bundle& bundle, uint32_t index, int32_t verb);
    int64_t pause_member(Bundle& bundle, uint32_t index);
    void note_marks(const Bundle& bundle);

    Turn turn_;
    const uint64_t call_;
    std::vector<Ref> refs_;  // one per uid
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
    turn_.begin();
    if (const auto first = is_again ? turn_.first_answer(call_) : std::nullopt) return unpacked(*first);
    load(app, uids, verb == BELFRY_STEER_PAUSE);
    std::vector<belfry_steered> answers;
    for (uint32_t i = 0; i < refs_.size(); ++i) {
        auto answer = sized<belfry_steered>();
        answer.code = BELFRY_NOT_FOUND;
        const Ref& ref = refs_[i];
        Bundle* const bundle = ref.member < 0 ? nullptr : turn_.bundle(ref.ref);
        if (ref.member < 0) {
            if (Push* push = turn_.find(ref.ref)) answer = steer_push(*push, verb);
        } else if (bundle != nullptr && static_cast<size_t>(ref.member) < bundle->results.size()) {
            answer = steer_member(*bundle, static_cast<uint32_t>(ref.member), verb);
        }
        answer.index = i;
        answers.push_back(answer);
    }
    turn_.remember_answer(call_, packed(answers));
    turn_.commit();
    return answers;
}

void SteerTurn::load(uint32_t app, Rows<belfry_str> uids, bool with_contents) {
    refs_ = find_refs(turn_.core(), turn_.connection(), app, uids, turn_.deadline());
    Ids pushes, bundles;
    for (const Ref& ref : refs_) {
        if (ref.ref != 0) (ref.member < 0 ? pushes : bundles).push_back(ref.ref);
    }
    turn_.load_items(bundles, with_contents);
    turn_.load_bundles(bundles);
    for (const Ref& ref : refs_) {
        const Bundle* bundle = ref.member < 0 ? nullptr : turn_.bundle(ref.ref);
        if (bundle == nullptr || static_cast<size_t>(ref.member) >= bundle->results.size()) continue;
        // It became a push since the uid was looked up.
        if (bundle->results[static_cast<size_t>(ref.member)].moved_to > 0) throw redis::lost_race();
    }
    turn_.load_pushes(pushes);
    load_settled(pushes);
}

void SteerTurn::load_settled(const Ids& pushes) {
    if (pushes.empty()) return;
    const Keys& keys = turn_.core().keys;
    for (const int64_t push : pushes) turn_.connection().send({"HGETALL", keys.of("count", push)});
    const std::vector<redis::Reply> replies = turn_.connection().trip(turn_.deadline());
    for (size_t i = 0; i < pushes.size(); ++i) settled_[pushes[i]] = read_counters(replies[i]).settled();
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
        turn_.writes().tell(turn_.now(), 0, result.app, result.state, result.uid);
        note_marks(bundle);
    } else if (const auto* work = turn_.item(bundle.id);
               work == nullptr || !has_members(work->content, bundle.results.size())) {
        answer.code = BELFRY_CORRUPT;
    } else if (work->is.owner != 0) {
        // Whoever holds it may give it back unsent: a member taken out meanwhile would be in nobody's hands.
        answer.code = BELFRY_BUSY;
    } else {
        answer.push = static_cast<uint64_t>(pause_member(bundle, index));
        note_marks(bundle);
    }
    return answer;
}

// Makes claims see which members are stopped or moved.
void SteerTurn::note_marks(const Bundle& bundle) {
    if (Turn::Work* work = turn_.item(bundle.id)) work->is.flags |= kMarked;
}

int64_t SteerTurn::pause_member(Bundle& bundle, uint32_t index) {
    const Turn::Work* work = turn_.item(bundle.id);
    const Member member = read_members(work->content).at(index);
    bundle.results[index].state = BELFRY_PUSH_PAUSED;
    Push& push = turn_.promote(bundle, member, index);
    turn_.writes().tell(turn_.now(), 0, push.app, push.state, push.uid);
    Item item = list_of_member(member, push.body);
    item.gate = work->is.gate;
    item.flags |= kInitial;
    turn_.place(push, item, entries_of_member(member), 0);
    return push.id;
}

}  // namespace

std::vector<belfry_steered> Steering::steer(std::string_view app, Rows<belfry_str> uids, int32_t verb) {
    if (verb < BELFRY_STEER_CANCEL || verb > BELFRY_STEER_RESUME)
        throw Refused(BELFRY_BAD_REQUEST, "verb", "must be 1 (cancel), 2 (pause) or 3 (resume)");
    const redis::Deadline deadline = call_deadline();
    const uint64_t call = Turn::new_call();
    bool is_again = false;
    std::vector<belfry_steered> answers = core_.pool.with(deadline, [&](redis::Connection& connection) {
        const uint32_t number = core_.apps.find(connection, app, deadline);
        return SteerTurn(core_, connection, deadline, call).run(number, uids, verb, std::exchange(is_again, true));
    });
    core_.bell.ring();
    return answers;
}

}  // namespace belfry::queue_redis
