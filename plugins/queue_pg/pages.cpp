// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/pages.h"

#include <algorithm>
#include <optional>
#include <set>

#include "queue/checks.h"
#include "queue/items.h"
#include "queue/packing.h"
#include "queue/page_counts.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

namespace {

constexpr const char* kReplies =
    "SELECT request, item, answer FROM queue_reply WHERE node = $1 AND request = ANY ($2::bigint[])";
const std::string kItems = std::string("SELECT ") + kItemColumns +
                           " FROM queue_item i WHERE i.id = ANY ($1::bigint[]) ORDER BY i.id FOR UPDATE";
const std::string kPushes = std::string("SELECT ") + kPushColumns +
                            " FROM queue_push p WHERE p.id = ANY (ARRAY(SELECT i.push FROM queue_item i "
                            "WHERE i.id = ANY ($1::bigint[]) AND i.push > 0))";
const std::string kBundles = std::string("SELECT ") + kBundleColumns +
                             " FROM queue_bundle b WHERE b.id = ANY ($1::bigint[]) ORDER BY b.id FOR UPDATE";
constexpr const char* kContents = "SELECT id, content FROM queue_item WHERE id = ANY ($1::bigint[])";

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

}  // namespace

std::vector<PagedAnswer> Pages::page(uint64_t node, Rows<belfry_checkpoint> checkpoints) {
    const pg::Deadline deadline = call_deadline();
    const Held::Taking taking(core_.held);
    std::set<uint64_t> requests;
    for (size_t i = 0; i < checkpoints.size(); ++i) requests.insert(checkpoints.known(i).request);
    bool in_doubt = false;
    std::vector<PagedAnswer> answers;
    try {
        answers = core_.progress.with(deadline, [&](pg::Connection& connection) {
            try {
                return PageTurn(core_, connection, deadline, node, taking.epoch()).run(checkpoints);
            } catch (const pg::Failure& failure) {
                in_doubt = in_doubt || failure.in_doubt();
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
        turn_.writes().reply(node_, checkpoint.request, bits(checkpoint.item), turn_.now(), packed(answers.back()));
        replies_.emplace(request, answers.back());
    }
    finish();
    return answers;
}

void PageTurn::load(Rows<belfry_checkpoint> checkpoints) {
    std::vector<int64_t> ids, requests, wanted;
    for (size_t i = 0; i < checkpoints.size(); ++i) {
        const belfry_checkpoint checkpoint = checkpoints.known(i);
        ids.push_back(bits(checkpoint.item));
        requests.push_back(bits(checkpoint.request));
        if (needs_content(checkpoint)) wanted.push_back(ids.back());
    }
    pg::Connection& connection = turn_.connection();
    turn_.open();
    connection.send(kReplies, pg::Params().number(bits(node_)).column(pg::numbers(requests)));
    for (const std::string* sql : {&kItems, &kPushes, &kBundles})
        connection.send(*sql, pg::Params().column(pg::numbers(ids)));
    if (!wanted.empty()) connection.send(kContents, pg::Params().column(pg::numbers(wanted)));
    const std::vector<pg::Result> results = turn_.trip_opened();
    const pg::Result* next = &results[Turn::kOpened];
    const pg::Result &replies = *next++, &items = *next++, &pushes = *next++, &bundles = *next++;
    for (int row = 0; row < replies.rows(); ++row) {
        const Request request{static_cast<uint64_t>(replies.number(row, 0)), replies.number(row, 1)};
        replies_.emplace(request, unpacked(replies.bytes(row, 2)));
    }
    for (int row = 0; row < items.rows(); ++row) {
        const Item item = read_item(items, row);
        works_[item.id].item = item;
    }
    for (int row = 0; row < pushes.rows(); ++row) turn_.add(read_push(pushes, row));
    for (int row = 0; row < bundles.rows(); ++row) {
        if (std::optional<Bundle> bundle = intact_bundle(bundles, row))
            bundles_.emplace(bundle->id, std::move(*bundle));
    }
    for (int row = 0; !wanted.empty() && row < next->rows(); ++row) {
        const auto work = works_.find(next->number(row, 0));
        if (work != works_.end()) work->second.content = next->bytes(row, 1);
    }
    load_moved();
    turn_.recheck_paused();
}

// Members that are pushes of their own by now.
void PageTurn::load_moved() {
    std::vector<int64_t> moved;
    for (const auto& [id, bundle] : bundles_) {
        for (const MemberResult& result : bundle.results) {
            if (result.moved_to > 0) moved.push_back(result.moved_to);
        }
    }
    turn_.load_pushes(moved, false);
}

PageTurn::Work* PageTurn::owned(const belfry_checkpoint& checkpoint) {
    const auto found = works_.find(bits(checkpoint.item));
    if (found == works_.end()) return nullptr;
    Work& work = found->second;
    const Item& item = work.item;
    if (work.is_gone || item.owner != node_ || item.epoch != checkpoint.epoch) return nullptr;
    if (work.is_changed || core_.held.agrees(item.id, {item.owner, item.epoch, item.serial})) return &work;
    // The database forgot pages of it, and with them what they owed: whoever claims it next repeats them.
    put_back(work);
    return nullptr;
}

void PageTurn::put_back(Work& work) {
    const Push* push = turn_.find(work.item.push);
    release(work, push != nullptr && is_stopped(push->state) ? kStoppedShelf : int64_t{work.item.gate});
    work.is_changed = true;
    work.is_put_back = true;
}

PagedAnswer PageTurn::answer_to(const belfry_checkpoint& checkpoint) {
    Work* work = owned(checkpoint);
    if (work == nullptr) return {BELFRY_FENCED, 0, {}};
    const Item& item = work->item;
    if (const std::string_view damage = damage_of(checkpoint, *work); !damage.empty()) {
        turn_.put_aside(item, damage);
        work->item.owner = 0;
        work->is_changed = work->is_damaged = true;
        return {BELFRY_CORRUPT, 0, {}};
    }
    if (!is_valid(checkpoint, {item.is_bundle(), item.kind, item.after, item.hi, item.blob}))
        return {BELFRY_BAD_REQUEST, 0, {}};
    work->is_changed = true;
    work->item.crashes = 0;
    ++work->item.serial;
    return item.is_bundle() ? apply_to_bundle(checkpoint, *work) : apply_to_push(checkpoint, *work);
}

std::string_view PageTurn::damage_of(const belfry_checkpoint& checkpoint, const Work& work) {
    if (!work.item.is_bundle()) return turn_.find(work.item.push) == nullptr ? "its push is gone" : "";
    if (!bundles_.contains(work.item.id)) return "the results of its bundle are gone or damaged";
    return needs_content(checkpoint) && !has_members(work.content) ? "the members of its bundle are damaged" : "";
}

PagedAnswer PageTurn::apply_to_push(const belfry_checkpoint& checkpoint, Work& work) {
    Push& push = *turn_.find(work.item.push);
    Item& item = work.item;
    PagedAnswer answer;
    count_page(turn_.writes(), checkpoint, push.id);
    if (checkpoint.planned > 0 && item.kind == BELFRY_WORK_LIST) item.flags &= ~kInitial;
    // Upkeep tells the others and takes the rest of the push off its gates.
    if (!is_stopped(push.state) && is_expired(push.expires_unix_ms, turn_.now())) push.state = BELFRY_PUSH_EXPIRED;
    if (checkpoint.lane != 0 && checkpoint.lane != push.lane) {
        push.lane = item.lane = checkpoint.lane;
        item.vt = core_.lanes.vt(item.lane);
        turn_.writes().set_lane(push.id, push.lane, item.vt);
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
    const bool stopped = is_stopped(push.state);
    const bool paused = push.state == BELFRY_PUSH_PAUSED;
    const bool ends = checkpoint.next == BELFRY_NEXT_FINISH || checkpoint.next == BELFRY_NEXT_BURY;
    if (checkpoint.next == BELFRY_NEXT_BURY) turn_.bury(push, work.item, work.content, view(checkpoint.note));
    // Nothing is known about the devices of a stopped slice's rest, so nothing needs to be counted.
    if (ends || (stopped && work.item.kind == BELFRY_WORK_SLICE)) {
        turn_.remove(push, work.item.id);
        work.is_gone = true;
        return stopped ? BELFRY_STOPPED : BELFRY_OK;
    }
    if (!stopped && paused) {
        work.item.owner = 0;
        return BELFRY_PAUSED;
    }
    if (stopped) {
        release(work, kStoppedShelf);
    } else if (checkpoint.next == BELFRY_NEXT_RELEASE || checkpoint.next == BELFRY_NEXT_PARK) {
        // A resume overtook who parks: nobody would take the item out again.
        release(work, work.item.gate);
    }
    return stopped ? BELFRY_STOPPED : BELFRY_OK;
}

void PageTurn::release(Work& work, int64_t shelf) {
    work.item.owner = 0;
    work.item.ready_unix_ms = turn_.now();
    work.shelf = shelf;
}

void PageTurn::finish() {
    Writes& writes = turn_.writes();
    for (const auto& [id, work] : works_) {
        if (work.is_changed && !work.is_gone && !work.is_damaged) writes.update(work.item, work.shelf);
    }
    for (const auto& [id, bundle] : bundles_) {
        const auto work = works_.find(id);
        if (work != works_.end() && work->second.is_changed && !work->second.is_put_back && !work->second.is_damaged)
            writes.update(bundle);
    }
    turn_.commit();
    remember();
}

// Its first answer was lost on the way to us: what it left us holding is ours all the same.
void PageTurn::remember_again(int64_t id, const PagedAnswer& answer) const {
    const auto work = works_.find(id);
    if (work != works_.end() && work->second.item.owner == node_)
        core_.held.add(id, {node_, work->second.item.epoch, work->second.item.serial});
    for (const belfry_ref& ref : answer.mine) core_.held.add_if_unknown(bits(ref.item), {node_, ref.epoch, 0});
}

void PageTurn::remember() const {
    for (const auto& [id, work] : works_) {
        const Item& item = work.item;
        const bool is_held = !work.is_gone && item.owner == node_;
        if (work.is_changed && is_held) core_.held.add(id, {node_, item.epoch, item.serial});
        if (work.is_changed && !is_held) core_.held.drop(id, item.epoch);
    }
    for (const int64_t id : mine_) core_.held.add(id, {node_, epoch_, 0});
}

}  // namespace belfry::queue_pg
