// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/pages.h"

#include <algorithm>
#include <set>
#include <utility>

#include "queue/checks.h"
#include "queue/items.h"
#include "queue/packing.h"
#include "queue/page_counts.h"

namespace belfry::queue_redis {

namespace {

int64_t bits(uint64_t value) {
    return static_cast<int64_t>(value);
}

std::string packed(const PagedAnswer& answer) {
    Packer out;
    out.number(answer.code);
    out.number(answer.live_items);
    out.number(static_cast<uint32_t>(answer.mine.size()));
    for (const belfry_ref& ref : answer.mine) {
        out.number(ref.item);
        out.number(ref.epoch);
        out.number(ref.owed);
    }
    return out.take();
}

PagedAnswer unpacked(std::string_view bytes) {
    Unpacker in(bytes);
    PagedAnswer answer;
    answer.code = in.number<belfry_code>();
    answer.live_items = in.number<uint32_t>();
    for (uint32_t left = in.number<uint32_t>(); left > 0; --left) {
        belfry_ref ref{};
        ref.item = in.number<uint64_t>();
        ref.epoch = in.number<uint32_t>();
        ref.owed = in.number<uint32_t>();
        answer.mine.push_back(ref);
    }
    return answer;
}

bool needs_content(const belfry_checkpoint& checkpoint) {
    return checkpoint.next == BELFRY_NEXT_BURY || checkpoint.owed.n > 0;
}

std::string reply_field(const belfry_checkpoint& checkpoint) {
    Packer out;
    out.number(checkpoint.request);
    out.number(checkpoint.item);
    return out.take();
}

}  // namespace

std::vector<PagedAnswer> Pages::page(uint64_t node, Rows<belfry_checkpoint> checkpoints) {
    const redis::Deadline deadline = call_deadline();
    const Held::Taking taking(core_.held);
    std::set<uint64_t> requests;
    for (size_t i = 0; i < checkpoints.size(); ++i) requests.insert(checkpoints.known(i).request);
    bool in_doubt = false;
    std::vector<PagedAnswer> answers;
    try {
        answers = core_.pool.with(deadline, [&](redis::Connection& connection) {
            try {
                return PageTurn(core_, connection, deadline, node, taking.epoch()).run(checkpoints);
            } catch (const redis::Failure& failure) {
                in_doubt = in_doubt || failure.kind() == redis::Failure::Kind::LostServer;
                throw;
            }
        });
    } catch (...) {
        if (in_doubt) core_.held.doubt(taking.epoch(), std::move(requests));
        throw;
    }
    core_.held.answered(requests);
    core_.bell.ring();
    return answers;
}

std::vector<PagedAnswer> PageTurn::run(Rows<belfry_checkpoint> checkpoints) {
    load(checkpoints);
    std::vector<PagedAnswer> answers;
    for (size_t i = 0; i < checkpoints.size(); ++i) {
        const belfry_checkpoint checkpoint = checkpoints.known(i);
        const Request request{checkpoint.request, bits(checkpoint.item)};
        const auto first = checkpoint.request != 0 ? replies_.find(request) : replies_.end();
        if (first != replies_.end()) {
            answers.push_back(first->second);
            remember_again(bits(checkpoint.item), first->second);
            continue;
        }
        answers.push_back(answer_to(checkpoint));
        const belfry_code code = answers.back().code;
        if (checkpoint.request == 0 || code == BELFRY_FENCED || code == BELFRY_BAD_REQUEST || code == BELFRY_CORRUPT)
            continue;
        turn_.writes().reply(core_.keys.reply(node_, turn_.now()), reply_field(checkpoint), packed(answers.back()));
        replies_.emplace(request, answers.back());
    }
    turn_.commit();
    remember();
    return answers;
}

void PageTurn::load(Rows<belfry_checkpoint> checkpoints) {
    Ids ids, pushes, bundles;
    int64_t new_rows = 0;
    bool with_content = false;
    for (size_t i = 0; i < checkpoints.size(); ++i) {
        const belfry_checkpoint checkpoint = checkpoints.known(i);
        ids.push_back(bits(checkpoint.item));
        with_content = with_content || needs_content(checkpoint);
        new_rows += checkpoint.owed.n + (checkpoint.split_at != 0 ? 1 : 0);
    }
    turn_.begin(new_rows);
    turn_.are_held_by(node_);
    turn_.load_items(ids, with_content);
    for (const int64_t id : ids) {
        const Work* work = turn_.item(id);
        if (work != nullptr)
            (work->is.is_bundle() ? bundles : pushes).push_back(work->is.is_bundle() ? id : work->is.push);
    }
    load_replies(checkpoints);
    turn_.load_pushes(pushes);
    turn_.load_bundles(bundles);
    turn_.load_moved();
}

void PageTurn::load_replies(Rows<belfry_checkpoint> checkpoints) {
    std::vector<std::string> fields;
    std::vector<Request> requests;
    for (size_t i = 0; i < checkpoints.size(); ++i) {
        const belfry_checkpoint checkpoint = checkpoints.known(i);
        fields.push_back(reply_field(checkpoint));
        requests.emplace_back(checkpoint.request, bits(checkpoint.item));
    }
    if (fields.empty()) return;
    for (const int64_t at : {turn_.now(), turn_.now() - Keys::kReplySlotMs}) {
        const std::string key = core_.keys.reply(node_, at);
        redis::Words words{"HMGET", key};
        words.insert(words.end(), fields.begin(), fields.end());
        turn_.connection().send(words);
    }
    for (const redis::Reply& slot : turn_.connection().trip(turn_.deadline())) {
        for (size_t i = 0; i < requests.size(); ++i) {
            if (!slot[i].is_nil()) replies_.emplace(requests[i], unpacked(slot[i].text()));
        }
    }
}

PageTurn::Work* PageTurn::owned(const belfry_checkpoint& checkpoint) {
    Work* work = turn_.item(bits(checkpoint.item));
    if (work == nullptr) return nullptr;
    Item& item = work->is;
    if (item.owner != node_ || item.epoch != checkpoint.epoch) return nullptr;
    if (changed_.contains(item.id) || core_.held.agrees(item.id, {item.owner, item.epoch, item.serial})) return work;
    // The server forgot pages of it, and with them what they owed: whoever claims it next repeats them.
    turn_.release(item, turn_.find(item.push));
    changed_.insert(item.id);
    return nullptr;
}

PagedAnswer PageTurn::answer_to(const belfry_checkpoint& checkpoint) {
    Work* work = owned(checkpoint);
    if (work == nullptr) return {BELFRY_FENCED, 0, {}};
    Item& item = work->is;
    if (!is_valid(checkpoint, {item.is_bundle(), item.kind, item.after, item.hi, item.blob}))
        return {BELFRY_BAD_REQUEST, 0, {}};
    changed_.insert(item.id);
    if (const std::string_view damage = damage_of(checkpoint, *work); !damage.empty()) {
        turn_.put_aside(*work, damage);
        return {BELFRY_CORRUPT, 0, {}};
    }
    item.crashes = 0;
    ++item.serial;
    return item.is_bundle() ? apply_to_bundle(checkpoint, *work) : apply_to_push(checkpoint, *work);
}

// If it was purged with its app between two reads, the item is gone, too, and the commit finds that out.
std::string_view PageTurn::damage_of(const belfry_checkpoint& checkpoint, const Work& work) {
    if (!work.is.is_bundle()) return turn_.find(work.is.push) == nullptr ? "its push is gone or damaged" : "";
    const Bundle* const bundle = turn_.bundle(work.is.id);
    if (bundle == nullptr) return "the results of its bundle are gone or damaged";
    const bool has_all = !needs_content(checkpoint) || has_members(work.content, bundle->results.size());
    return has_all ? "" : "the members of its bundle are damaged";
}

PagedAnswer PageTurn::apply_to_push(const belfry_checkpoint& checkpoint, Work& work) {
    Item& item = work.is;
    Push& push = *turn_.find(item.push);
    PagedAnswer answer;
    count_page(turn_.writes(), checkpoint, push.id);
    if (checkpoint.planned > 0 && item.kind == BELFRY_WORK_LIST) item.flags &= ~kInitial;
    if (!is_stopped(push.state) && is_expired(push.expires_unix_ms, turn_.now())) turn_.stop(push, BELFRY_PUSH_EXPIRED);
    if (checkpoint.lane != 0 && checkpoint.lane != push.lane) turn_.change_lane(push, checkpoint.lane);
    if (item.lane != push.lane) {
        item.lane = push.lane;
        item.vt = turn_.vt(item.lane);
    }
    // A sibling counts from now on, and starts where its parent goes on: splitting buys no time.
    const uint32_t live = push.live_items + (checkpoint.split_at != 0 ? 1 : 0);
    item.vt += virtual_cost(checkpoint.cost, live, core_.shares.live_pushes(push.app), push.weight);
    if (item.kind == BELFRY_WORK_SLICE) advance(checkpoint, push, item);
    const Rows<belfry_owed> owed(checkpoint.owed);
    for (uint32_t i = 0; i < owed.size(); ++i) owe(owed.known(i), item.blob, i, push, answer);
    answer.code = move_on(checkpoint, push, work);
    answer.live_items = push.live_items;
    return answer;
}

void PageTurn::advance(const belfry_checkpoint& checkpoint, Push& push, Item& item) {
    item.after = std::max(item.after, checkpoint.cursor);
    // The rest of a stopped push is not looked at any more.
    if (checkpoint.split_at == 0 || is_stopped(push.state)) return;
    Item sibling = cut_off(item, checkpoint);
    turn_.place(push, sibling, {}, 0);
}

void PageTurn::owe(const belfry_owed& owed, int64_t blob, uint32_t index, Push& push, PagedAnswer& answer) {
    auto item = owed_item<Item>(owed, blob);
    const std::string content = content_of(owed);
    if ((owed.flags & BELFRY_OWED_DEAD) != 0) {
        turn_.bury(push, item, content, view(owed.note));
    } else if ((owed.flags & BELFRY_OWED_MINE) != 0) {
        const int64_t id = turn_.place_held(push, item, content, node_, epoch_);
        answer.mine.push_back({static_cast<uint64_t>(id), epoch_, index});
        mine_.push_back(id);
    } else {
        turn_.place(push, item, content, owed.due_unix_ms);
    }
}

belfry_code PageTurn::move_on(const belfry_checkpoint& checkpoint, Push& push, Work& work) {
    Item& item = work.is;
    const bool stopped = is_stopped(push.state);
    const bool paused = push.state == BELFRY_PUSH_PAUSED;
    const bool ends = checkpoint.next == BELFRY_NEXT_FINISH || checkpoint.next == BELFRY_NEXT_BURY;
    if (checkpoint.next == BELFRY_NEXT_BURY) turn_.bury(push, item, work.content, view(checkpoint.note));
    // Nothing is known about the devices of a stopped slice's rest, so nothing needs to be counted.
    if (ends || (stopped && item.kind == BELFRY_WORK_SLICE)) {
        turn_.remove(push, work);
        return stopped ? BELFRY_STOPPED : BELFRY_OK;
    }
    if (stopped || paused || checkpoint.next == BELFRY_NEXT_RELEASE) turn_.release(item, &push);
    if (!stopped && checkpoint.next == BELFRY_NEXT_PARK) {
        item.owner = 0;
        item.place = Place::Parked;
    }
    return stopped ? BELFRY_STOPPED : paused ? BELFRY_PAUSED : BELFRY_OK;
}

// Its first answer was lost on the way to us: what it left us holding is ours all the same.
void PageTurn::remember_again(int64_t id, const PagedAnswer& answer) {
    const Work* work = turn_.item(id);
    if (work != nullptr && work->is.owner == node_) core_.held.add(id, {node_, work->is.epoch, work->is.serial});
    for (const belfry_ref& ref : answer.mine) core_.held.add_if_unknown(bits(ref.item), {node_, ref.epoch, 0});
}

void PageTurn::remember() {
    for (const int64_t id : changed_) {
        const Work* work = turn_.item(id);
        if (work != nullptr && work->is.owner == node_) {
            core_.held.add(id, {node_, work->is.epoch, work->is.serial});
        } else {
            core_.held.drop(id, turn_.epoch_of(id));
        }
    }
    for (const int64_t id : mine_) core_.held.add(id, {node_, epoch_, 0});
}

}  // namespace belfry::queue_redis
