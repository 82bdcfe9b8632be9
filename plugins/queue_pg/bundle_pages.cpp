// SPDX-License-Identifier: Apache-2.0
// Checkpoints of bundles: counters go to the member named, owed lists make the member a push of its own.
#include "queue_pg/pages.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

PagedAnswer PageTurn::apply_to_bundle(const belfry_checkpoint& checkpoint, Work& work) {
    Bundle& bundle = bundles_.at(work.item.id);
    PagedAnswer answer;
    count_members(checkpoint, bundle);
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

void PageTurn::count_members(const belfry_checkpoint& checkpoint, Bundle& bundle) {
    const auto count = [&](const belfry_tally& tally, int32_t outcome) {
        if (tally.member >= bundle.results.size()) return;
        MemberResult& result = bundle.results[tally.member];
        if (result.moved_to > 0) {
            turn_.writes().count(result.moved_to, tally.gate, outcome, tally.n);
        } else if (result.moved_to == 0 && outcome == kPlanned) {
            result.counters.planned += tally.n;
        } else if (result.moved_to == 0) {
            result.counters.add(tally.gate, outcome, tally.n);
        }
    };
    for (const belfry_tally& planned : Rows<belfry_tally>(checkpoint.planned_of)) count(planned, kPlanned);
    for (const belfry_tally& tally : Rows<belfry_tally>(checkpoint.tallies)) count(tally, tally.outcome);
    for (const belfry_sample& sample : Rows<belfry_sample>(checkpoint.samples)) {
        if (sample.member >= bundle.results.size()) continue;
        MemberResult& result = bundle.results[sample.member];
        if (result.moved_to > 0) {
            turn_.writes().sample(result.moved_to, sample.gate, sample.outcome, view(sample.text));
        } else if (result.moved_to == 0) {
            result.counters.keep_sample(sample.gate, sample.outcome, view(sample.text));
        }
    }
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
