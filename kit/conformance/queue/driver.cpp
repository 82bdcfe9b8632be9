// SPDX-License-Identifier: Apache-2.0
#include "conformance/queue/driver.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <cstring>

namespace belfry::conformance::queue {

namespace {

constexpr uint32_t kUpkeepBudgetMs = 1000;

template <class T>
std::vector<T> copied(belfry_list list) {
    std::vector<T> values;
    for (const T& value : Rows<T>(list)) values.push_back(value);
    return values;
}

belfry_str bytes(const std::string& value) {
    return {value.data(), value.size()};
}

std::vector<belfry_tally> tally_rows(const std::vector<Count>& counts) {
    std::vector<belfry_tally> rows;
    for (const Count& count : counts) {
        auto row = sized<belfry_tally>();
        row.gate = count.gate;
        row.member = count.member;
        row.outcome = count.outcome;
        row.n = count.n;
        rows.push_back(row);
    }
    return rows;
}

// The C rows of an enqueue with everything they point to.
class PushRows {
public:
    explicit PushRows(const std::vector<NewPush>& pushes) {
        blobs_.reserve(pushes.size());
        items_.reserve(pushes.size());
        for (const NewPush& push : pushes) add(push);
    }
    belfry_list list() const { return list_of(rows_); }

private:
    void add(const NewPush& push) {
        std::vector<belfry_str>& blobs = blobs_.emplace_back();
        for (const std::string& blob : push.blobs) blobs.push_back(bytes(blob));
        std::vector<belfry_new_item>& items = items_.emplace_back();
        for (const NewItem& item : push.items) {
            auto row = sized<belfry_new_item>();
            row.kind = item.kind;
            row.gate = item.gate;
            row.blob = item.blob;
            row.after = item.after;
            row.hi = item.hi;
            row.keys = list_of(item.keys);
            row.picks = list_of(item.picks);
            items.push_back(row);
        }
        auto row = sized<belfry_new_push>();
        row.flags = push.small ? BELFRY_NEW_PUSH_SMALL : 0;
        row.lane = push.lane;
        row.weight = push.weight;
        row.app = bytes(push.app);
        row.uid = bytes(push.uid);
        std::memcpy(row.fingerprint, &push.fingerprint, sizeof push.fingerprint);
        row.send_at_unix_ms = push.send_at;
        row.expires_unix_ms = push.expires;
        row.body = bytes(push.body);
        row.blobs = list_of(blobs);
        row.items = list_of(items);
        rows_.push_back(row);
    }

    std::vector<belfry_new_push> rows_;
    std::vector<std::vector<belfry_str>> blobs_;
    std::vector<std::vector<belfry_new_item>> items_;
};

// The C rows of a page call with everything they point to.
class CheckpointRows {
public:
    explicit CheckpointRows(const std::vector<Checkpoint>& checkpoints) {
        parts_.reserve(checkpoints.size());
        for (const Checkpoint& checkpoint : checkpoints) add(checkpoint);
    }
    belfry_list list() const { return list_of(rows_); }

private:
    struct Parts {
        std::vector<belfry_owed> owed;
        std::vector<belfry_tally> tallies, planned_of;
        std::vector<belfry_sample> samples;
    };

    void add(const Checkpoint& from) {
        Parts& parts = parts_.emplace_back();
        for (const Owed& owed : from.owed) parts.owed.push_back(owed_row(owed));
        parts.tallies = tally_rows(from.tallies);
        parts.planned_of = tally_rows(from.planned_of);
        for (const Sample& sample : from.samples) {
            auto row = sized<belfry_sample>();
            row.gate = sample.gate;
            row.member = sample.member;
            row.outcome = sample.outcome;
            row.text = bytes(sample.text);
            parts.samples.push_back(row);
        }
        auto row = sized<belfry_checkpoint>();
        row.epoch = from.epoch;
        row.item = from.item;
        row.request = from.request;
        row.next = from.next;
        row.cost = from.cost;
        row.planned = from.planned;
        row.split_gate = from.split_gate;
        row.cursor = from.cursor;
        row.split_at = from.split_at;
        row.split_hi = from.split_hi;
        row.owed = list_of(parts.owed);
        row.tallies = list_of(parts.tallies);
        row.samples = list_of(parts.samples);
        row.planned_of = list_of(parts.planned_of);
        row.note = bytes(from.note);
        row.lane = from.lane;
        rows_.push_back(row);
    }

    static belfry_owed owed_row(const Owed& owed) {
        auto row = sized<belfry_owed>();
        row.flags = owed.flags;
        row.gate = owed.gate;
        row.attempt = owed.attempt;
        row.member = owed.member;
        row.due_unix_ms = owed.due;
        row.keys = list_of(owed.keys);
        row.blob = owed.blob;
        row.picks = list_of(owed.picks);
        row.note = bytes(owed.note);
        return row;
    }

    std::vector<belfry_checkpoint> rows_;
    std::vector<Parts> parts_;
};

Claimed copy(const belfry_claimed& row) {
    Claimed claimed;
    claimed.kind = row.kind;
    claimed.lane = row.lane;
    claimed.state = row.state;
    claimed.gate = row.gate;
    claimed.epoch = row.epoch;
    claimed.attempt = row.attempt;
    claimed.crashes = row.crashes;
    claimed.flags = row.flags;
    claimed.live_items = row.live_items;
    claimed.weight = row.weight;
    claimed.item = row.item;
    claimed.push = row.push;
    claimed.body = row.body;
    claimed.blob = row.blob;
    claimed.app = text(row.app);
    claimed.uid = text(row.uid);
    claimed.after = row.after;
    claimed.hi = row.hi;
    claimed.expires = row.expires_unix_ms;
    claimed.ready = row.ready_unix_ms;
    claimed.created = row.created_unix_ms;
    claimed.keys = copied<int64_t>(row.keys);
    claimed.picks = copied<uint32_t>(row.picks);
    for (const belfry_member& from : Rows<belfry_member>(row.members)) {
        claimed.members.push_back({from.index, from.flags, from.attempt, text(from.app), text(from.uid),
                                   text(from.body), text(from.blob), copied<int64_t>(from.keys),
                                   copied<uint32_t>(from.picks), from.expires_unix_ms});
    }
    return claimed;
}

PushView copy(const belfry_push_row& row) {
    PushView view;
    view.state = row.state;
    view.lane = row.lane;
    view.planned_final = row.planned_final != 0;
    view.live_items = row.live_items;
    view.planned = row.planned;
    view.created = row.created_unix_ms;
    view.send_at = row.send_at_unix_ms;
    view.expires = row.expires_unix_ms;
    view.finished = row.finished_unix_ms;
    view.range_left = row.range_left;
    view.app = text(row.app);
    view.uid = text(row.uid);
    view.body = row.body;
    for (const belfry_tally& tally : Rows<belfry_tally>(row.tallies)) {
        view.tallies.push_back({tally.outcome, tally.n, tally.gate, tally.member});
    }
    for (const belfry_sample& sample : Rows<belfry_sample>(row.samples)) {
        view.samples.push_back({text(sample.text), sample.outcome, sample.gate, sample.member});
    }
    return view;
}

}  // namespace

NewPush slice_push(std::string uid, int64_t after, int64_t hi) {
    NewPush push;
    push.uid = std::move(uid);
    NewItem item;
    item.after = after;
    item.hi = hi;
    push.items.push_back(item);
    return push;
}

NewPush list_push(std::string uid, std::vector<int64_t> keys) {
    NewPush push;
    push.uid = std::move(uid);
    NewItem item;
    item.kind = BELFRY_WORK_LIST;
    item.keys = std::move(keys);
    push.items.push_back(item);
    return push;
}

NewPush small_push(std::string uid, std::vector<int64_t> keys) {
    NewPush push = list_push(std::move(uid), std::move(keys));
    push.small = true;
    return push;
}

NewPush token_push(std::string uid, uint32_t tokens, std::string blob) {
    NewPush push;
    push.uid = std::move(uid);
    push.blobs.push_back(std::move(blob));
    NewItem item;
    item.kind = BELFRY_WORK_LIST;
    item.blob = 0;
    for (uint32_t i = 0; i < tokens; ++i) item.picks.push_back(i);
    push.items.push_back(item);
    return push;
}

Checkpoint checkpoint_of(const Claimed& claimed, int32_t next) {
    Checkpoint checkpoint;
    checkpoint.item = claimed.item;
    checkpoint.epoch = claimed.epoch;
    checkpoint.next = next;
    checkpoint.cursor = claimed.after;
    return checkpoint;
}

int64_t PushView::count(int32_t outcome) const {
    int64_t sum = 0;
    for (const Count& tally : tallies) sum += tally.outcome == outcome ? tally.n : 0;
    return sum;
}

int64_t PushView::settled() const {
    int64_t sum = 0;
    for (const Count& tally : tallies) sum += tally.n;
    return sum;
}

void must(belfry_code code, const belfry_why& why, std::string_view call) {
    if (code != BELFRY_OK) throw Failed(std::string(call) + ": " + said(code, why));
}

std::vector<int64_t> keys_in(int64_t after, int64_t hi, size_t limit) {
    std::vector<int64_t> keys;
    for (int64_t key = after + 1; key < hi && keys.size() < limit; ++key) keys.push_back(key);
    return keys;
}

Queue::Queue(Context& context, std::string config, uint64_t node)
    : context_(context),
      config_(config.empty() ? context.config : std::move(config)),
      node_(node),
      host_(std::make_unique<FakeHost>(context, "state")) {
    open();
}

void Queue::open() {
    instance_ = std::make_unique<Instance>(*host_, context_.plugin, config_, BELFRY_QUEUE_ID);
    table_ = static_cast<const belfry_queue*>(instance_->interface_table());
    require(table_->size >= offsetof(belfry_queue, dump), "the table has every mandatory function");
}

void Queue::reopen() {
    instance_.reset();
    ++node_;
    open();
}

belfry_code Queue::try_enqueue(const std::vector<NewPush>& pushes, std::vector<Enqueued>* answers, belfry_why* why) {
    const PushRows rows(pushes);
    std::vector<bool> seen(pushes.size(), false);
    answers->assign(pushes.size(), {});
    const belfry_code code = collect<belfry_enqueued>(
        [&](belfry_emit emit, void* ctx) { return table_->enqueue(instance(), node_, rows.list(), emit, ctx, why); },
        [&](const belfry_enqueued& row) {
            require(row.index < pushes.size() && !seen[row.index], "one answer per push of an enqueue");
            seen[row.index] = true;
            (*answers)[row.index] = {row.code, row.state};
        });
    if (code == BELFRY_OK) {
        require(std::find(seen.begin(), seen.end(), false) == seen.end(), "an answer for every push of an enqueue");
    }
    return code;
}

std::vector<Enqueued> Queue::enqueue(const std::vector<NewPush>& pushes) {
    std::vector<Enqueued> answers;
    belfry_why why{};
    must(try_enqueue(pushes, &answers, &why), why, "enqueue");
    return answers;
}

void Queue::must_enqueue(const std::vector<NewPush>& pushes) {
    for (const Enqueued& answer : enqueue(pushes)) require_equal(answer.code, BELFRY_OK, "code of an enqueued push");
}

std::vector<Claimed> Queue::claim(int32_t lane, uint32_t n, const std::vector<uint32_t>& gates, uint32_t wait_ms) {
    return claim_as(node_, lane, n, gates, wait_ms);
}

std::vector<Claimed> Queue::claim_as(uint64_t node, int32_t lane, uint32_t n, const std::vector<uint32_t>& gates,
                                     uint32_t wait_ms) {
    std::vector<Claimed> claimed;
    belfry_why why{};
    const belfry_code code = collect<belfry_claimed>(
        [&](belfry_emit emit, void* ctx) {
            return table_->claim(instance(), node, lane, list_of(gates), n, wait_ms, emit, ctx, &why);
        },
        [&](const belfry_claimed& row) { claimed.push_back(copy(row)); });
    must(code, why, "claim");
    require(claimed.size() <= n, "a claim hands out no more than asked for");
    return claimed;
}

Claimed Queue::claim_one(int32_t lane, const std::vector<uint32_t>& gates) {
    std::vector<Claimed> claimed = claim(lane, 2, gates);
    require_equal(claimed.size(), size_t{1}, "claimable items");
    return claimed.at(0);
}

std::optional<std::string> Queue::blob(uint64_t id) {
    std::optional<std::string> found;
    belfry_why why{};
    const belfry_code code = collect<belfry_blob>(
        [&](belfry_emit emit, void* ctx) { return table_->blobs(instance(), one_row(id), emit, ctx, &why); },
        [&](const belfry_blob& row) {
            require_equal(row.id, id, "id of a blob");
            found = text(row.bytes);
        });
    must(code, why, "blobs");
    return found;
}

std::vector<Paged> Queue::page_as(uint64_t node, const std::vector<Checkpoint>& checkpoints) {
    std::vector<Paged> answers;
    belfry_why why{};
    must(try_page(node, checkpoints, &answers, &why), why, "page");
    return answers;
}

std::vector<Paged> Queue::page(const std::vector<Checkpoint>& checkpoints) {
    return page_as(node_, checkpoints);
}

belfry_code Queue::try_page(uint64_t node, const std::vector<Checkpoint>& checkpoints, std::vector<Paged>* answers,
                            belfry_why* why) {
    std::vector<Checkpoint> numbered = checkpoints;
    for (Checkpoint& checkpoint : numbered) {
        if (checkpoint.request == 0) checkpoint.request = ++requests_;
    }
    const CheckpointRows rows(numbered);
    answers->assign(checkpoints.size(), {});
    size_t seen = 0;
    const belfry_code code = collect<belfry_paged>(
        [&](belfry_emit emit, void* ctx) { return table_->page(instance(), node, rows.list(), emit, ctx, why); },
        [&](const belfry_paged& row) {
            require(row.index < checkpoints.size(), "an answer names a checkpoint of the call");
            ++seen;
            (*answers)[row.index] = {row.code, row.live_items, copied<belfry_ref>(row.mine)};
        });
    if (code == BELFRY_OK) require_equal(seen, checkpoints.size(), "answers of a page call");
    return code;
}

Paged Queue::finish(const Claimed& claimed) {
    Checkpoint checkpoint = checkpoint_of(claimed, BELFRY_NEXT_FINISH);
    const auto entries = static_cast<uint32_t>(claimed.keys.size() + claimed.picks.size());
    if (entries > 0) {
        checkpoint.tallies.push_back({BELFRY_FINAL_ACCEPTED, entries});
        if ((claimed.flags & BELFRY_CLAIMED_INITIAL) != 0) checkpoint.planned = entries;
    }
    for (const Member& member : claimed.members) {
        const auto n = static_cast<uint32_t>(member.keys.size() + member.picks.size());
        checkpoint.tallies.push_back({BELFRY_FINAL_ACCEPTED, n, 0, member.index});
        checkpoint.planned_of.push_back({0, n, 0, member.index});
    }
    return page(checkpoint);
}

Steered Queue::steer(std::string_view uid, int32_t verb, std::string_view app) {
    Steered answer;
    size_t seen = 0;
    const belfry_str row_uid = str(uid);
    belfry_why why{};
    const belfry_code code = collect<belfry_steered>(
        [&](belfry_emit emit, void* ctx) {
            return table_->steer(instance(), str(app), one_row(row_uid), verb, emit, ctx, &why);
        },
        [&](const belfry_steered& row) {
            ++seen;
            answer = {row.code, row.state, row.push, row.settled};
        });
    must(code, why, "steer");
    require_equal(seen, size_t{1}, "answers to a steered uid");
    return answer;
}

std::vector<Change> Queue::changes(int64_t since) {
    std::vector<Change> found;
    belfry_why why{};
    const belfry_code code = collect<belfry_change>(
        [&](belfry_emit emit, void* ctx) { return table_->changes(instance(), since, emit, ctx, &why); },
        [&](const belfry_change& row) {
            found.push_back({row.state, row.number, row.push, text(row.app), text(row.uid)});
        });
    must(code, why, "changes");
    return found;
}

belfry_code Queue::beat(uint64_t node, belfry_pulse* pulse) {
    *pulse = sized<belfry_pulse>();
    belfry_why why{};
    const belfry_code code = table_->beat(instance(), node, pulse, &why);
    if (code != BELFRY_FENCED) must(code, why, "beat");
    return code;
}

uint32_t Queue::upkeep() {
    belfry_pulse pulse{};
    beat(node_, &pulse);
    uint32_t next_ms = 0;
    for (int i = 0; i < 1000; ++i) {
        belfry_why why{};
        must(table_->upkeep(instance(), node_, kUpkeepBudgetMs, &next_ms, &why), why, "upkeep");
        if (next_ms != 0) return next_ms;
    }
    throw Failed("upkeep never comes to an end");
}

std::optional<PushView> Queue::lookup(std::string_view uid, std::string_view app) {
    std::optional<PushView> found;
    const belfry_str row_uid = str(uid);
    belfry_why why{};
    const belfry_code code = collect<belfry_push_row>(
        [&](belfry_emit emit, void* ctx) {
            return table_->lookup(instance(), str(app), one_row(row_uid), emit, ctx, &why);
        },
        [&](const belfry_push_row& row) { found = copy(row); });
    must(code, why, "lookup");
    return found;
}

std::vector<PushView> Queue::list(std::string_view app, int32_t state, uint32_t limit, std::string* cursor) {
    std::vector<PushView> found;
    char next[64] = {};
    belfry_why why{};
    const belfry_code code = collect<belfry_push_row>(
        [&](belfry_emit emit, void* ctx) {
            return table_->list(instance(), str(app), state, bytes(*cursor), limit, emit, ctx, next, &why);
        },
        [&](const belfry_push_row& row) { found.push_back(copy(row)); });
    must(code, why, "list");
    *cursor = next;
    return found;
}

std::vector<Dead> Queue::dead(std::string_view uid, uint64_t after, uint32_t limit, std::string_view app) {
    std::vector<Dead> found;
    belfry_why why{};
    const belfry_code code = collect<belfry_dead_row>(
        [&](belfry_emit emit, void* ctx) {
            return table_->dead(instance(), str(app), str(uid), after, limit, emit, ctx, &why);
        },
        [&](const belfry_dead_row& row) {
            found.push_back({row.attempt, row.gate, row.entries, row.id, row.buried_unix_ms, row.replayed_unix_ms,
                             text(row.app), text(row.uid), text(row.note)});
        });
    must(code, why, "dead");
    return found;
}

uint32_t Queue::replay(const std::vector<uint64_t>& ids, bool ignore_expiry, std::string_view app) {
    uint32_t replayed = 0;
    belfry_why why{};
    must(table_->replay(instance(), str(app), list_of(ids), ignore_expiry ? 1 : 0, &replayed, &why), why, "replay");
    return replayed;
}

belfry_queue_stats Queue::stats() {
    auto stats = sized<belfry_queue_stats>();
    belfry_why why{};
    must(table_->stats(instance(), &stats, &why), why, "stats");
    return stats;
}

uint32_t Queue::purge_app(std::string_view app, uint32_t limit) {
    int32_t more = 1;
    uint32_t calls = 0;
    for (; more != 0; ++calls) {
        belfry_why why{};
        must(table_->purge_app(instance_->get(), str(app), limit, &more, &why), why, "purge_app");
    }
    return calls;
}

belfry_code Queue::backup(const std::string& path, belfry_why* why) {
    return table_->backup(instance(), bytes(path), why);
}

}  // namespace belfry::conformance::queue
