// SPDX-License-Identifier: Apache-2.0
#include "dead_letters.h"

#include <algorithm>
#include <belfry/abi.hpp>

namespace belfry::queue_sqlite {

std::vector<DeadLetters::View> DeadLetters::list(belfry_str app, belfry_str uid, uint64_t after, uint32_t limit) {
    std::vector<View> views;
    const uint32_t number = core_.book.find_app(view(app));
    if (number == 0) return views;
    int64_t push = 0;
    if (uid.n > 0) {
        const Known known = core_.directory.find(number, view(uid));
        if (known.push == nullptr) return views;
        push = known.push->facts->id;
        core_.book.forget_loaded();
    }
    const size_t want = std::clamp<size_t>(limit, 1, kListMax);
    for (DeadRow& row : core_.tables.dead.of_app(number, push, static_cast<int64_t>(after), want)) {
        const std::optional<Push> owner = core_.tables.pushes.find(row.item.push);
        views.push_back({std::move(row), text(app), owner ? owner->facts->uid : std::string()});
    }
    return views;
}

uint32_t DeadLetters::replay(belfry_str app, belfry_list ids, bool ignore_expiry) {
    uint32_t replayed = 0;
    const uint32_t number = core_.book.find_app(view(app));
    for (const uint64_t id : Rows<uint64_t>(ids)) {
        const std::optional<DeadRow> row = core_.tables.dead.find(static_cast<int64_t>(id));
        if (!row || row->app != number || row->replayed_unix_ms != 0) continue;
        if (movements_.replay(*row, ignore_expiry)) ++replayed;
    }
    return replayed;
}

void emit_dead(const std::vector<DeadLetters::View>& views, belfry_emit emit, void* ctx) {
    for (const DeadLetters::View& from : views) {
        auto row = sized<belfry_dead_row>();
        row.attempt = from.row.item.attempt;
        row.id = static_cast<uint64_t>(from.row.item.id);
        row.gate = from.row.item.gate;
        row.entries = from.row.entries;
        row.buried_unix_ms = from.row.buried_unix_ms;
        row.replayed_unix_ms = from.row.replayed_unix_ms;
        row.app = str(std::string_view(from.app));
        row.uid = str(std::string_view(from.uid));
        row.note = str(std::string_view(from.row.note));
        if (emit(ctx, one_row(row)) != 0) return;
    }
}

}  // namespace belfry::queue_sqlite
