// SPDX-License-Identifier: Apache-2.0
// Checkpoints of bundles: counters go to the member named, owed lists make the member a push of its own.
#include <algorithm>
#include <belfry/abi.hpp>

#include "pages.h"

namespace belfry::queue_sqlite {

namespace {

Counters* counters_of(Core& core, BundleRow& row, uint32_t member) {
    if (member >= row.results.size()) return nullptr;
    MemberResult& result = row.results[member];
    if (result.moved_to == 0) return &result.counters;
    Push* push = core.book.push(result.moved_to);
    return push == nullptr ? nullptr : &core.book.edit_counters(*push).counters;
}

}  // namespace

PagedAnswer Pages::apply_to_bundle(uint64_t node, const belfry_checkpoint& checkpoint, Item& item) {
    PagedAnswer answer;
    BundleRow* row = core_.book.bundle(item.id);
    if (row == nullptr || item.content == nullptr) {
        throw sqlite::Failure(BELFRY_CORRUPT, "a bundle without its result row; restore the file from a backup");
    }
    core_.book.edit_bundle(*row);
    count_members(checkpoint, *row);
    if (checkpoint.planned_of.n > 0) movements_.mark_discovered(item);
    if (checkpoint.owed.n > 0) {
        const std::vector<Member> members = read_members(*item.content);
        const Rows<belfry_owed> owed(checkpoint.owed);
        for (uint32_t i = 0; i < owed.size(); ++i) {
            const belfry_owed list = owed.known(i);
            if (list.member >= members.size() || movements_.is_erased(row->results.at(list.member))) continue;
            Push& push = movements_.promote(*row, members[list.member], list.member);
            owe(node, list, movements_.member_blob(push, members[list.member]), i, push, answer);
        }
        movements_.note_marks(*row);
    }
    if (checkpoint.next == BELFRY_NEXT_BURY) {
        movements_.bury_bundle(*row, item, *item.content, view(checkpoint.note), false);
    }
    if (checkpoint.next == BELFRY_NEXT_FINISH || checkpoint.next == BELFRY_NEXT_BURY) {
        movements_.finish_bundle(*row);
        movements_.remove(item);
        return answer;
    }
    item.vt += virtual_cost(checkpoint.cost, 1, 1, 1);
    if (checkpoint.next == BELFRY_NEXT_RELEASE) release(item);
    core_.tables.items.update_progress(item);
    answer.live_items = 1;
    return answer;
}

void Pages::count_members(const belfry_checkpoint& checkpoint, BundleRow& row) {
    for (const belfry_tally& planned : Rows<belfry_tally>(checkpoint.planned_of)) {
        if (Counters* counters = counters_of(core_, row, planned.member)) counters->planned += planned.n;
    }
    for (const belfry_tally& tally : Rows<belfry_tally>(checkpoint.tallies)) {
        if (Counters* counters = counters_of(core_, row, tally.member)) {
            counters->add(tally.gate, tally.outcome, tally.n);
        }
    }
    for (const belfry_sample& sample : Rows<belfry_sample>(checkpoint.samples)) {
        if (Counters* counters = counters_of(core_, row, sample.member)) {
            counters->keep_sample(sample.gate, sample.outcome, view(sample.text));
        }
    }
}

}  // namespace belfry::queue_sqlite
