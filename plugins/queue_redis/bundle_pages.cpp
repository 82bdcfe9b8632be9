// SPDX-License-Identifier: Apache-2.0
// Checkpoints of bundles: counters go to the member named, owed lists make the member a push of its own.
#include "queue/page_counts.h"
#include "queue_redis/pages.h"

namespace belfry::queue_redis {

PagedAnswer PageTurn::apply_to_bundle(const belfry_checkpoint& checkpoint, Work& work) {
    Bundle& bundle = *turn_.bundle(work.is.id);
    PagedAnswer answer;
    count_members(turn_.writes(), checkpoint, bundle);
    if (checkpoint.planned_of.n > 0) work.is.flags &= ~kInitial;
    owe_members(checkpoint, bundle, work, answer);
    if (checkpoint.next == BELFRY_NEXT_BURY)
        turn_.bury_bundle(bundle, work.is, work.content, view(checkpoint.note), false);
    if (checkpoint.next == BELFRY_NEXT_FINISH || checkpoint.next == BELFRY_NEXT_BURY) {
        turn_.finish_bundle(bundle);
        work.is_gone = true;
        return answer;
    }
    if (!marks_of(bundle.results).empty()) work.is.flags |= kMarked;
    work.is.vt += virtual_cost(checkpoint.cost, 1, 1, 1);
    if (checkpoint.next == BELFRY_NEXT_RELEASE) turn_.release(work.is, nullptr);
    answer.live_items = 1;
    return answer;
}

void PageTurn::owe_members(const belfry_checkpoint& checkpoint, Bundle& bundle, const Work& work, PagedAnswer& answer) {
    if (checkpoint.owed.n == 0) return;
    const std::vector<Member> members = read_members(work.content);
    const Rows<belfry_owed> owed(checkpoint.owed);
    for (uint32_t i = 0; i < owed.size(); ++i) {
        const belfry_owed list = owed.known(i);
        if (list.member >= members.size() || list.member >= bundle.results.size()) continue;
        const int64_t moved_to = bundle.results[list.member].moved_to;
        // Its app was purged.
        if (moved_to != 0 && turn_.find(moved_to) == nullptr) continue;
        Push& push = turn_.promote(bundle, members[list.member], list.member);
        owe(list, members[list.member].picks ? push.body + 1 : 0, i, push, answer);
    }
}

}  // namespace belfry::queue_redis
