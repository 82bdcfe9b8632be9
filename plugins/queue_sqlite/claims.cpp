// SPDX-License-Identifier: Apache-2.0
#include "claims.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <chrono>

#include "movements.h"
#include "queue/claimed_row.h"

namespace belfry::queue_sqlite {

namespace {

// The item outlives it.
ClaimedRow row_of(const Item& item, int64_t now) {
    const std::string_view content = item.content == nullptr ? std::string_view() : std::string_view(*item.content);
    if (item.is_bundle()) return {item, item.marks, content, now};
    const PushFacts& facts = *item.facts;
    ClaimedPush push;
    push.state = item.stopped ? item.push_state : BELFRY_PUSH_RUNNING;
    push.live_items = facts.live_items.load(std::memory_order_relaxed);
    push.weight = facts.weight;
    push.id = facts.id;
    push.body = facts.body;
    push.created_unix_ms = facts.created_unix_ms;
    push.expires_unix_ms = facts.expires_unix_ms;
    push.app = facts.app_name;
    push.uid = facts.uid;
    return {item, push, content, now};
}

}  // namespace

void Claims::claim(uint64_t node, int32_t lane, belfry_list open_gates, uint32_t n, uint32_t wait_ms, belfry_emit emit,
                   void* ctx) {
    if (lane < BELFRY_LANE_HIGH || lane > BELFRY_LANE_LOW) {
        throw sqlite::Failure(BELFRY_BAD_REQUEST, "must be 1, 2 or 3", "lane");
    }
    std::vector<Item> grants = take(node, lane, open_gates, std::min(n, kClaimMax), wait_ms);
    const int64_t now = core_.now();
    size_t given = 0;
    try {
        for (; given < grants.size(); ++given) {
            const ClaimedRow claimed = row_of(grants[given], now);
            if (emit(ctx, one_row(claimed.row())) == 0) continue;
            ++given;
            break;
        }
    } catch (...) {
        give_back(std::span(grants).subspan(given));
        throw;
    }
    give_back(std::span(grants).subspan(given));
}

std::vector<Item> Claims::take(uint64_t node, int32_t lane, belfry_list open_gates, uint32_t n, uint32_t wait_ms) {
    std::vector<uint32_t> gates;
    for (const uint32_t gate : Rows<uint32_t>(open_gates)) gates.push_back(gate);
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
    for (;;) {
        Claim claim = core_.board.claim(node, lane, gates, n, core_.now());
        if (claim.starved) {
            fetch_shelf(*claim.starved);
            continue;
        }
        if (!claim.grants.empty()) {
            fetch_contents(claim.grants);
            return std::move(claim.grants);
        }
        if (n == 0 || std::chrono::steady_clock::now() >= until) return {};
        core_.board.wait(claim.version, until);
    }
}

void Claims::fetch_shelf(ShelfKey key) {
    writer_.call(Effect::Read, 0, [&] {
        const Board::Fetch fetch = core_.board.next_fetch(key);
        if (fetch.limit == 0) return;
        std::vector<Item> rows = core_.tables.items.of_shelf(key.lane, key.gate, fetch.after, fetch.limit);
        const bool more = rows.size() == fetch.limit;
        const int64_t last = rows.empty() ? fetch.after : rows.back().id;
        std::vector<Item*> ready;
        try {
            for (Item& row : rows) {
                if (core_.book.find(row.id) == nullptr) ready.push_back(&take_in(std::move(row)));
            }
        } catch (...) {
            core_.board.publish(ready);
            throw;
        }
        core_.board.publish(ready);
        core_.board.fetched(key, last, more);
        core_.book.forget_loaded();
    });
}

Item& Claims::take_in(Item row) {
    if (row.is_bundle()) {
        if ((row.flags & kMarked) != 0) {
            if (const auto bundle = core_.tables.bundles.find(row.id)) row.marks = marks_of(bundle->results);
        }
    } else if (const Push* push = core_.book.push(row.push)) {
        row.push_state = push->state;
        row.stopped = is_stopped(push->state);
    }
    return core_.book.fetch(std::move(row));
}

void Claims::fetch_contents(std::vector<Item>& grants) {
    const auto lacks_content = [](const Item& grant) {
        return grant.kind != BELFRY_WORK_SLICE && grant.content == nullptr;
    };
    if (std::none_of(grants.begin(), grants.end(), lacks_content)) return;
    try {
        writer_.call(Effect::Read, 0, [&] {
            for (Item& grant : grants) {
                if (!lacks_content(grant)) continue;
                grant.content = std::make_shared<const std::string>(core_.tables.items.content(grant.id));
                if (Item* item = held_as(grant)) item->content = grant.content;
            }
        });
    } catch (...) {
        give_back(grants);
        throw;
    }
}

Item* Claims::held_as(const Item& grant) {
    Item* item = core_.book.find(grant.id);
    const bool same = item != nullptr && core_.board.is_held(*item) && item->epoch == grant.epoch;
    return same ? item : nullptr;
}

void Claims::give_back(std::span<const Item> grants) {
    if (grants.empty()) return;
    writer_.call(Effect::Read, 0, [&] {
        std::vector<Item*> items;
        for (const Item& grant : grants) {
            if (Item* item = held_as(grant)) items.push_back(item);
        }
        core_.board.publish(items);
    });
}

}  // namespace belfry::queue_sqlite
