// SPDX-License-Identifier: Apache-2.0
// Checkpoints of bundles: counters go to the member named, owed lists make the member a push of its own.
#include "queue/page_counts.h"
#include "queue_pg/pages.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

PagedAnswer PageTurn::apply_to_bundle(const belfry_checkpoint& checkpoint, Work& work) {
    Bundle& bundle = bundles_.at(work.item.id);
    PagedAnswer answer;
    count_members(turn_.writes(), checkpoint, bundle);
    if (checkpoint.planned_of.n > 0) work.item.flags &= ~kInitial;
    owe_members(checkpoint, bundle, work, answer);
    if (checkpoint.next == BELFRY_NEXT_BURY)
        turn_.bury_bundle(bundle, work.item, work.content, view(checkpoint.note), false);
    if (checkpoint.next == BELFRY_NEXT_FINISH || checkpoint.next == BELFRY_NEXT_BURY) {
        turn_.finish_bundle(bundle);
        turn_.writes().erase_item(work.item.id);
        work.is_gone = true;
        return answer;
    }
    if (!marks_of(bundle.results).empty()) work.item.flags |= kMarked;
    work.item.vt += virtual_cost(checkpoint.cost, 1, 1, 1);
    if (checkpoint.next == BELFRY_NEXT_RELEASE) release(work, work.item.gate);
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

}  // namespace belfry::queue_pg
