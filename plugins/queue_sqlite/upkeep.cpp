// SPDX-License-Identifier: Apache-2.0
#include "upkeep.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <tuple>

namespace belfry::queue_sqlite {

namespace {

constexpr std::chrono::milliseconds kStepTime(5);  // a step holds up everybody else's commits
constexpr size_t kPushesPerStep = 25;              // expired or purged, each with its items
constexpr int64_t kPurgeEveryMs = 10'000;
constexpr int64_t kDayMs = 86'400'000;
constexpr uint32_t kIdleMs = 1000;        // between two calls at most
constexpr uint32_t kDelayedMs = 200;      // while anything waits for its time
constexpr int64_t kFreePagesKept = 4096;  // not worth giving back
constexpr int64_t kFreePagesPerStep = 256;

auto group_of(const Later& row) {
    const Item& item = row.item;
    // What came with the push is moved as it is.
    const bool alone = item.kind != BELFRY_WORK_LIST || (item.flags & kInitial) != 0;
    return std::tuple(item.push, item.attempt, item.gate, item.flags, item.blob, alone ? item.id : 0);
}

}  // namespace

bool Upkeep::step() {
    const int64_t now = core_.now();
    bool more = expire(now);
    more = move_due(now) || more;
    more = sweep_stopped() || more;
    return purge(now) || more;
}

bool Upkeep::expire(int64_t now) {
    const std::vector<int64_t> ids = core_.tables.pushes.expiring(now, kPushesPerStep);
    for (const int64_t id : ids) movements_.stopped_now(*core_.book.push(id));
    return ids.size() == kPushesPerStep;
}

bool Upkeep::move_due(int64_t now) {
    if (core_.book.totals.delayed == 0) return false;
    std::vector<Later> rows = core_.tables.laters.due(now, kRowsPerStep);
    const bool more = rows.size() == kRowsPerStep;
    return !move(std::move(rows)) || more;
}

bool Upkeep::sweep_stopped() {
    if (core_.to_sweep.empty()) return false;
    const int64_t id = *core_.to_sweep.begin();
    std::vector<Later> rows = core_.tables.laters.of_push(id, kRowsPerStep);
    const Push* push = core_.book.push(id);
    if (rows.empty() || push == nullptr || !is_stopped(push->state)) {
        core_.to_sweep.erase(id);
    } else {
        move(std::move(rows));
    }
    return !core_.to_sweep.empty();
}

bool Upkeep::move(std::vector<Later> rows) {
    const auto until = std::chrono::steady_clock::now() + kStepTime;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Later& a, const Later& b) { return group_of(a) < group_of(b); });
    std::vector<Later> group;
    uint32_t entries = 0;
    for (Later& row : rows) {
        const uint32_t more = entries_of(row.item, row.content.size());
        if (!group.empty() && (group_of(group.front()) != group_of(row) || entries + more > kListEntriesMax)) {
            move_group(group);
            group.clear();
            entries = 0;
            if (std::chrono::steady_clock::now() >= until) return false;
        }
        entries += more;
        group.push_back(std::move(row));
    }
    if (!group.empty()) move_group(group);
    return true;
}

void Upkeep::move_group(std::vector<Later>& group) {
    const Item& first = group.front().item;
    Push* push = core_.book.push(first.push);
    if (push == nullptr) {
        for (const Later& row : group) movements_.remove_later(row);
        return;
    }
    // Stopping deletes what came with the push; nothing is left to move then.
    if (movements_.stopped_now(*push) && (first.flags & kInitial) != 0) return;
    if (push->state == BELFRY_PUSH_DELAYED) {
        core_.book.edit_state(*push).state = BELFRY_PUSH_RUNNING;
        --core_.book.totals.delayed_pushes;
        ++core_.book.totals.running_pushes;
    }
    std::string content;
    for (const Later& row : group) content += row.content;
    movements_.place(*push, first, std::move(content), 0);
    for (const Later& row : group) movements_.remove_later(row);
}

void Upkeep::reap(const std::vector<uint64_t>& nodes) {
    for (const uint64_t node : nodes) {
        for (Item* item : core_.board.held_by(node)) {
            core_.book.edit(*item);
            if (core_.book.fate(*item) != Fate::Stay || count_crash(*item)) continue;
            const Push* push = item->push != 0 ? core_.book.push(item->push) : nullptr;
            if (push != nullptr && push->state == BELFRY_PUSH_PAUSED) {
                movements_.park(*item);
            } else {
                core_.book.set_fate(*item, Fate::Publish);
            }
        }
    }
}

bool Upkeep::count_crash(Item& item) {
    core_.book.edit(item);
    ++item.crashes;
    if (item.crashes < kCrashLimit) {
        core_.tables.items.update_crashes(item.id, item.crashes);
        return false;
    }
    const std::string note =
        "its owner ended without a word " + std::to_string(item.crashes) + " times while holding it";
    const std::string content = core_.tables.items.content(item.id);
    core_.host.log(BELFRY_LEVEL_ERROR, "work item buried",
                   {{"item", std::to_string(item.id)}, {"push", std::to_string(item.push)}, {"reason", note}});
    if (item.is_bundle()) {
        BundleRow& row = *core_.book.bundle(item.id);
        movements_.bury_bundle(row, item, content, note, true);
        movements_.finish_bundle(row);
    } else {
        Push& push = *core_.book.push(item.push);
        movements_.bury(push, item, content, note);
        movements_.count_dead(push, item, entries_of(item, content.size()));
    }
    movements_.remove(item);
    return true;
}

bool Upkeep::purge(int64_t now) {
    if (now - purged_unix_ms_ < kPurgeEveryMs && now >= purged_unix_ms_) return false;
    const int64_t results_before = now - core_.config.results_days * kDayMs;
    const bool more_pushes = purge_pushes(results_before);
    const std::vector<int64_t> bundles = core_.tables.bundles.finished_before(results_before, kPushesPerStep);
    for (const int64_t id : bundles) purge_bundle(id);
    const std::vector<DeadRow> dead =
        core_.tables.dead.buried_before(now - core_.config.dead_days * kDayMs, kPushesPerStep);
    for (const DeadRow& row : dead) purge_dead(row, results_before);
    if (more_pushes || std::max(bundles.size(), dead.size()) == kPushesPerStep) return true;
    purged_unix_ms_ = now;
    return false;
}

bool Upkeep::purge_pushes(int64_t finished_before) {
    const std::vector<PushTable::Finished> rows =
        core_.tables.pushes.finished_before(finished_before, looked_to_, kRowsPerStep);
    size_t purged = 0;
    for (const PushTable::Finished& row : rows) {
        if (purged == kPushesPerStep) return true;
        looked_to_ = row;
        if (row.has_letters) continue;
        purge_push(row.id);
        ++purged;
    }
    return rows.size() == kRowsPerStep;
}

void Upkeep::purge_push(int64_t id) {
    const std::optional<Push> push = core_.tables.pushes.find(id);
    if (!push) return;
    core_.uids.remove(push->facts->app, push->facts->uid, {id, -1});
    if (push->body != 0) core_.tables.blobs.erase(push->body);
    core_.tables.pushes.erase(id);
}

void Upkeep::purge_bundle(int64_t id) {
    const std::optional<BundleRow> row = core_.tables.bundles.find(id);
    if (!row) return;
    for (size_t i = 0; i < row->results.size(); ++i) {
        const MemberResult& result = row->results[i];
        core_.uids.remove(result.app, result.uid, {id, static_cast<int32_t>(i)});
    }
    core_.tables.bundles.erase(id);
}

void Upkeep::purge_dead(const DeadRow& row, int64_t finished_before) {
    core_.tables.dead.erase(row.item.id);
    if (row.replayed_unix_ms == 0) --core_.book.totals.dead;
    if (row.item.blob != 0) core_.tables.blobs.erase_if_unused(row.item.blob);
    Push* push = core_.book.push(row.item.push);
    if (push == nullptr || push->finished_unix_ms == 0) return;
    if (push->finished_unix_ms <= finished_before && !core_.tables.dead.any_of_push(row.item.push))
        return movements_.erase(*push);
    if (push->body == 0) return;
    if (core_.tables.dead.any_unreplayed_of_push(row.item.push)) return;
    core_.tables.blobs.erase(push->body);
    core_.book.edit_state(*push).body = 0;
}

void Upkeep::shrink() {
    const int64_t free_pages = std::stoll("0" + core_.database->value("PRAGMA freelist_count"));
    const int64_t pages = std::stoll("0" + core_.database->value("PRAGMA page_count"));
    if (free_pages <= std::max(kFreePagesKept, pages / 4)) return;
    core_.database->execute("PRAGMA incremental_vacuum(" + std::to_string(kFreePagesPerStep) + ")");
}

uint32_t Upkeep::next_ms() {
    if (core_.book.totals.delayed == 0) return kIdleMs;
    const int64_t wait = core_.tables.laters.next_due() - core_.now();
    return static_cast<uint32_t>(std::clamp<int64_t>(wait, 1, kDelayedMs));
}

}  // namespace belfry::queue_sqlite
