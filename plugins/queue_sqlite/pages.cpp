// SPDX-License-Identifier: Apache-2.0
#include "pages.h"

#include <algorithm>
#include <belfry/abi.hpp>

#include "queue/items.h"

namespace belfry::queue_sqlite {

void Pages::page(uint64_t node, belfry_list checkpoints, std::vector<PagedAnswer>& answers) {
    answers.clear();
    const Rows<belfry_checkpoint> rows(checkpoints);
    for (size_t i = 0; i < rows.size(); ++i) {
        const belfry_checkpoint checkpoint = rows.known(i);
        const Replies::Key key{node, static_cast<int64_t>(checkpoint.item), checkpoint.request};
        if (const Reply* first = checkpoint.request != 0 ? core_.replies.find(key) : nullptr) {
            answers.push_back({first->code, first->live_items, first->mine});
            continue;
        }
        answers.push_back(apply(node, checkpoint));
        const PagedAnswer& answer = answers.back();
        const bool applied = answer.code != BELFRY_FENCED && answer.code != BELFRY_BAD_REQUEST;
        if (applied && checkpoint.request != 0) core_.replies.add(key, {answer.code, answer.live_items, answer.mine});
    }
}

PagedAnswer Pages::apply(uint64_t node, const belfry_checkpoint& checkpoint) {
    Item* item = core_.book.owned(static_cast<int64_t>(checkpoint.item), checkpoint.epoch, node);
    if (item == nullptr) return {BELFRY_FENCED, 0, {}};
    if (!is_valid(checkpoint, {item->is_bundle(), item->kind, item->after, item->hi, item->blob}))
        return {BELFRY_BAD_REQUEST, 0, {}};
    core_.book.edit(*item);
    item->crashes = 0;
    return item->is_bundle() ? apply_to_bundle(node, checkpoint, *item) : apply_to_push(node, checkpoint, *item);
}

PagedAnswer Pages::apply_to_push(uint64_t node, const belfry_checkpoint& checkpoint, Item& item) {
    Push& push = core_.book.edit(*core_.book.push(item.push));
    PagedAnswer answer;
    count(checkpoint, push);
    if (checkpoint.planned > 0 && item.kind == BELFRY_WORK_LIST) movements_.mark_discovered(item);
    movements_.stopped_now(push);
    if (checkpoint.lane != 0) movements_.change_lane(push, checkpoint.lane);
    charge(checkpoint, push, item);
    if (item.kind == BELFRY_WORK_SLICE) advance(checkpoint, push, item);
    const Rows<belfry_owed> owed(checkpoint.owed);
    for (uint32_t i = 0; i < owed.size(); ++i) owe(node, owed.known(i), item.blob, i, push, answer);
    answer.code = move_on(checkpoint, push, item);
    answer.live_items = push.live_items;
    return answer;
}

void Pages::count(const belfry_checkpoint& checkpoint, Push& push) {
    if (checkpoint.planned == 0 && checkpoint.tallies.n == 0 && checkpoint.samples.n == 0) return;
    Counters& counters = core_.book.edit_counters(push).counters;
    counters.planned += checkpoint.planned;
    for (const belfry_tally& tally : Rows<belfry_tally>(checkpoint.tallies)) {
        counters.add(tally.gate, tally.outcome, tally.n);
    }
    for (const belfry_sample& sample : Rows<belfry_sample>(checkpoint.samples)) {
        counters.keep_sample(sample.gate, sample.outcome, view(sample.text));
    }
}

void Pages::charge(const belfry_checkpoint& checkpoint, const Push& push, Item& item) {
    // A sibling counts from now on, and starts where its parent goes on: splitting buys no time.
    const uint32_t live = push.live_items + (checkpoint.split_at != 0 ? 1 : 0);
    item.vt += virtual_cost(checkpoint.cost, live, core_.book.live_pushes(push.facts->app), push.facts->weight);
}

void Pages::advance(const belfry_checkpoint& checkpoint, Push& push, Item& item) {
    item.after = std::max(item.after, checkpoint.cursor);
    // The rest of a stopped push is not looked at any more.
    if (checkpoint.split_at == 0 || is_stopped(push.state)) return;
    movements_.place(push, cut_off(item, checkpoint), {}, 0);
}

void Pages::owe(uint64_t node, const belfry_owed& owed, int64_t blob, uint32_t index, Push& push, PagedAnswer& answer) {
    auto item = owed_item<Item>(owed, blob);
    std::string content = content_of(owed);
    if ((owed.flags & BELFRY_OWED_DEAD) != 0) {
        movements_.bury(push, item, content, view(owed.note));
    } else if ((owed.flags & BELFRY_OWED_MINE) != 0) {
        answer.mine.push_back(movements_.place_held(push, std::move(item), std::move(content), node));
        answer.mine.back().owed = index;
    } else {
        movements_.place(push, std::move(item), std::move(content), owed.due_unix_ms);
    }
}

belfry_code Pages::move_on(const belfry_checkpoint& checkpoint, Push& push, Item& item) {
    const bool stopped = is_stopped(push.state);
    const bool paused = push.state == BELFRY_PUSH_PAUSED;
    if (checkpoint.next == BELFRY_NEXT_FINISH || checkpoint.next == BELFRY_NEXT_BURY) {
        if (checkpoint.next == BELFRY_NEXT_BURY) {
            movements_.bury(push, item, item.content ? std::string_view(*item.content) : std::string_view(),
                            view(checkpoint.note));
        }
        movements_.remove(item);
        return stopped ? BELFRY_STOPPED : BELFRY_OK;
    }
    if (stopped && item.kind == BELFRY_WORK_SLICE) {
        // Nothing is known about the devices of the rest, so nothing needs to be counted.
        movements_.remove(item);
        return BELFRY_STOPPED;
    }
    if (!stopped && (paused || checkpoint.next == BELFRY_NEXT_PARK)) {
        core_.tables.items.update_progress(item);
        movements_.park(item);
        return paused ? BELFRY_PAUSED : BELFRY_OK;
    }
    item.stopped = stopped;
    item.push_state = push.state;
    if (stopped || checkpoint.next == BELFRY_NEXT_RELEASE) release(item);
    core_.tables.items.update_progress(item);
    return stopped ? BELFRY_STOPPED : BELFRY_OK;
}

void Pages::release(Item& item) {
    item.ready_unix_ms = core_.now();
    core_.book.set_fate(item, Fate::Publish);
}

}  // namespace belfry::queue_sqlite
