// SPDX-License-Identifier: Apache-2.0
#include "queue.h"

#include <belfry/abi.hpp>
#include <chrono>
#include <limits>

namespace belfry::queue_sqlite {

namespace {

constexpr std::string_view kOpened = "opened";
constexpr std::string_view kSynced = "synced_unix_ms";
// Epochs of this process start where no earlier one is likely to have been.
constexpr uint32_t kEpochStride = 0x9E3779B1u;

}  // namespace

Queue::Queue(const belfry_host* host, Config config) : core_(host, std::move(config)) {
    writer_.call(Effect::Durable, 0, [&] {
        const int64_t opened = core_.tables.counters.get(kOpened) + 1;
        core_.tables.counters.set(kOpened, opened);
        core_.changes.start(opened);
        core_.board.set_first_epoch(static_cast<uint32_t>(opened) * kEpochStride);
        core_.book.load();
        core_.uids.load();
        core_.book.begin();
        count_crashes();
    });
    core_.ledger.clear_all();
    writer_.call(Effect::Read, 0, [&] { reopen_work(); });
}

Queue::~Queue() {
    // A clean stop: what is still held was given up on purpose.
    core_.ledger.clear_all();
}

void Queue::count_crashes() {
    for (const int64_t id : core_.ledger.found()) {
        std::optional<ItemTable::Found> found = core_.tables.items.find(id);
        if (!found) continue;
        Item& item = core_.book.adopt(std::move(found->item));
        // Like every other item it is fetched by the first claim that needs it, with all that belongs to it.
        if (!upkeep_.count_crash(item)) core_.book.set_fate(item, Fate::Forget);
    }
}

void Queue::reopen_work() {
    constexpr int64_t kUnknown = std::numeric_limits<int64_t>::max();
    int64_t lowest[kLanes] = {kUnknown, kUnknown, kUnknown, kUnknown};
    for (const ItemTable::Group& group : core_.tables.items.groups()) {
        lowest[group.lane] = std::min(lowest[group.lane], group.lowest_vt);
        // Fetched by the first claim, in order of arrival.
        if (!group.parked) core_.board.spill({group.lane, group.gate}, 1);
    }
    for (int32_t lane = 0; lane < kLanes; ++lane) {
        if (lowest[lane] != kUnknown) core_.board.set_virtual_time(lane, lowest[lane]);
    }
    // Stopped pushes are claimable whatever their gate, so they cannot wait for a claim of it.
    std::vector<Item*> ready;
    for (const int32_t state : {BELFRY_PUSH_CANCELLED, BELFRY_PUSH_EXPIRED}) {
        for (const int64_t id : core_.tables.pushes.open_in_state(state)) {
            core_.to_sweep.insert(id);
            for (ItemTable::Found& found : core_.tables.items.of_push(id)) {
                if (core_.book.find(found.item.id) != nullptr) continue;
                Item& item = core_.book.fetch(std::move(found.item));
                item.stopped = true;
                item.push_state = state;
                ready.push_back(&item);
            }
        }
    }
    core_.board.publish(ready);
    core_.book.forget_loaded();
}

void Queue::begin(bool durable) {
    // First, so that a rollback after any failure below finds what it must restore.
    core_.book.begin();
    if (suspect_) {
        core_.database->checkpoint();
        suspect_ = false;
    }
    const bool full = durable || core_.config.progress_durability == Durability::Strict;
    const auto level = full ? sqlite::Synchronous::Full : sqlite::Synchronous::Normal;
    if (core_.database->synchronous() != level) core_.database->set_synchronous(level);
    transaction_.emplace(*core_.database);
    changes_before_ = core_.database->total_changes();
}

void Queue::commit() {
    intake_.flush();
    const int64_t now = core_.now();
    core_.book.flush(now);
    core_.uids.flush(core_.book.last_id());
    transaction_->commit();
    transaction_.reset();
    // A transaction without a change writes and syncs nothing, whatever its level.
    if (core_.database->total_changes() != changes_before_)
        unsynced_ = core_.database->synchronous() == sqlite::Synchronous::Normal;
    core_.book.publish(now);
    core_.uids.commit();
    core_.changes.commit();
    core_.replies.commit();
}

void Queue::rollback() noexcept {
    const bool io_error = (sqlite3_errcode(core_.database->connection()) & 0xff) == SQLITE_IOERR;
    suspect_ = suspect_ || io_error;
    intake_.reset();
    transaction_.reset();
    core_.book.rollback();
    core_.uids.rollback();
    core_.changes.rollback();
    core_.replies.rollback();
    upkeep_.look_again();
}

void Queue::enqueue(belfry_list pushes, belfry_emit emit, void* ctx) {
    std::vector<belfry_enqueued> answers;
    writer_.call(Effect::Durable, bytes_of(pushes), [&] { intake_.enqueue(pushes, answers); });
    if (!answers.empty()) emit(ctx, list_of(answers));
}

void Queue::blobs(belfry_list ids, belfry_emit emit, void* ctx) {
    const Rows<uint64_t> wanted(ids);
    std::vector<std::optional<std::string>> found(wanted.size());
    writer_.call(Effect::Read, 0, [&] {
        for (size_t i = 0; i < wanted.size(); ++i) {
            found[i] = core_.tables.blobs.find(static_cast<int64_t>(wanted[i]));
        }
    });
    for (uint32_t i = 0; i < found.size(); ++i) {
        if (!found[i]) continue;
        auto row = sized<belfry_blob>();
        row.index = i;
        row.id = wanted[i];
        row.bytes = str(std::string_view(*found[i]));
        if (emit(ctx, one_row(row)) != 0) return;
    }
}

void Queue::page(uint64_t node, belfry_list checkpoints, belfry_emit emit, void* ctx) {
    std::vector<PagedAnswer> answers;
    writer_.call(Effect::Progress, 0, [&] { pages_.page(node, checkpoints, answers); });
    for (uint32_t i = 0; i < answers.size(); ++i) {
        std::vector<belfry_ref> mine;
        for (const MineRef& ref : answers[i].mine)
            mine.push_back({static_cast<uint64_t>(ref.item), ref.epoch, ref.owed});
        auto row = sized<belfry_paged>();
        row.index = i;
        row.code = answers[i].code;
        row.live_items = answers[i].live_items;
        row.mine = list_of(mine);
        if (emit(ctx, one_row(row)) != 0) return;
    }
}

void Queue::steer(belfry_str app, belfry_list uids, int32_t verb, belfry_emit emit, void* ctx) {
    std::vector<belfry_steered> answers;
    writer_.call(Effect::Durable, 0, [&] {
        intake_.flush();  // so that pushes of this very transaction are found whole
        steering_.steer(app, uids, verb, answers);
    });
    if (!answers.empty()) emit(ctx, list_of(answers));
}

void Queue::changes(int64_t since, belfry_emit emit, void* ctx) {
    for (const Change& change : core_.changes.since(since)) {
        auto row = sized<belfry_change>();
        row.state = change.state;
        row.number = change.number;
        row.push = static_cast<uint64_t>(change.push);
        row.app = str(std::string_view(change.app));
        row.uid = str(std::string_view(change.uid));
        if (emit(ctx, one_row(row)) != 0) return;
    }
}

bool Queue::beat(uint64_t node, belfry_pulse& pulse) {
    const int64_t now = core_.now();
    const Nodes::Pulse seen = nodes_.beat(node, now, int64_t{core_.config.lease_s} * 1000);
    if (seen.fenced) return false;
    pulse.live_nodes = seen.live;
    pulse.rank = seen.rank;
    pulse.store_unix_ms = now;
    pulse.changes = core_.changes.latest();
    return true;
}

void Queue::upkeep(uint64_t node, uint32_t budget_ms, uint32_t* next_ms) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(budget_ms);
    const int64_t lease_ms = int64_t{core_.config.lease_s} * 1000;
    if (const std::vector<uint64_t> dead = nodes_.take_dead(node, core_.now(), lease_ms); !dead.empty()) {
        writer_.call(Effect::Progress, 0, [&] { upkeep_.reap(dead); });
    }
    bool more = true;
    while (more) {
        writer_.call(Effect::Progress, 0, [&] { more = upkeep_.step(); });
        if (std::chrono::steady_clock::now() >= until) break;
    }
    uint32_t next = 0;
    bool unsynced = false;
    writer_.call(Effect::Read, 0, [&] {
        upkeep_.shrink();
        next = upkeep_.next_ms();
        unsynced = unsynced_;
    });
    if (unsynced) writer_.call(Effect::Durable, 0, [&] { core_.tables.counters.set(kSynced, core_.now()); });
    if (next_ms != nullptr) *next_ms = more ? 0 : next;
}

void Queue::lookup(belfry_str app, belfry_list uids, belfry_emit emit, void* ctx) {
    std::vector<PushView> views;
    writer_.call(Effect::Read, 0, [&] { views = results_.lookup(app, uids); });
    emit_views(views, emit, ctx);
}

void Queue::list(belfry_str app, int32_t state, belfry_str cursor, uint32_t limit, belfry_emit emit, void* ctx,
                 char next_cursor[64]) {
    std::vector<PushView> views;
    writer_.call(Effect::Read, 0, [&] { views = results_.list(app, state, cursor, limit, next_cursor); });
    emit_views(views, emit, ctx);
}

void Queue::dead(belfry_str app, belfry_str uid, uint64_t after, uint32_t limit, belfry_emit emit, void* ctx) {
    std::vector<DeadLetters::View> views;
    writer_.call(Effect::Read, 0, [&] { views = dead_letters_.list(app, uid, after, limit); });
    emit_dead(views, emit, ctx);
}

uint32_t Queue::replay(belfry_str app, belfry_list ids, bool ignore_expiry) {
    uint32_t replayed = 0;
    writer_.call(Effect::Durable, 0, [&] { replayed = dead_letters_.replay(app, ids, ignore_expiry); });
    return replayed;
}

void Queue::stats(belfry_queue_stats& stats) {
    Totals totals;
    int64_t pages = 0;
    writer_.call(Effect::Read, 0, [&] {
        totals = core_.book.totals;
        pages = std::stoll("0" + core_.database->value("PRAGMA page_count")) + core_.database->wal_pages();
    });
    for (int32_t lane = BELFRY_LANE_HIGH; lane <= BELFRY_LANE_LOW; ++lane) {
        stats.claimed[lane] = core_.board.held_count(lane);
        stats.ready[lane] = std::max<int64_t>(0, totals.items[lane] - totals.parked[lane] - stats.claimed[lane]);
        stats.parked += totals.parked[lane];
        stats.oldest_ready_unix_ms[lane] = core_.board.oldest_ready(lane);
    }
    stats.delayed = totals.delayed;
    stats.dead = totals.dead;
    stats.running_pushes = totals.running_pushes;
    stats.delayed_pushes = totals.delayed_pushes;
    constexpr int64_t kPageBytes = 4096;
    stats.store_bytes = pages * kPageBytes;
}

bool Queue::purge_app(belfry_str app, uint32_t limit) {
    const std::lock_guard lock(purges_mutex_);
    int64_t& bundles_to = purges_[text(app)];
    AppPurge::Progress progress;
    writer_.call(Effect::Durable, 0, [&] {
        intake_.flush();  // so that pushes of this very transaction are found whole
        progress = app_purge_.step(view(app), limit, bundles_to);
    });
    bundles_to = progress.bundles_to;
    if (!progress.more) purges_.erase(text(app));
    return progress.more;
}

void Queue::dump(belfry_str cursor, uint32_t limit, belfry_emit emit, void* ctx, char next_cursor[64]) {
    std::optional<DumpPage> page;
    std::string next;
    writer_.call(Effect::Read, 0, [&] { next = moving_.dump(view(cursor), page.emplace(limit)); });
    put(next_cursor, 64, next);
    page->emit_to(emit, ctx);
}

void Queue::load(belfry_list records) {
    size_t bytes = 0;
    for (const belfry_str& record : Rows<belfry_str>(records)) bytes += record.n;
    writer_.call(Effect::Durable, bytes, [&] {
        intake_.flush();  // so that pushes of this very transaction are found whole
        moving_.load(records);
    });
}

void Queue::backup(belfry_str path) {
    core_.database->backup_to(text(path),
                              [&](const std::function<void()>& step) { writer_.call(Effect::Read, 0, step); });
}

}  // namespace belfry::queue_sqlite
