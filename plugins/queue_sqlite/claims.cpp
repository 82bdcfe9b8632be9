// SPDX-License-Identifier: Apache-2.0
#include "claims.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <chrono>

#include "movements.h"
#include "queue/items.h"

namespace belfry::queue_sqlite {

namespace {

belfry_list entries(bool picks, const char* bytes, size_t n) {
    const auto width = static_cast<uint32_t>(picks ? sizeof(uint32_t) : sizeof(int64_t));
    return {bytes, static_cast<uint32_t>(n), width};
}

// The rows of one claimed item; they live as long as this and the grant.
class ClaimedRow {
public:
    ClaimedRow(const Item& item, int64_t now) : row_(claimed_of(item)) {
        if (item.is_bundle()) {
            fill_bundle(item, now);
        } else {
            fill_push(item, now);
        }
    }
    const belfry_claimed& row() const noexcept { return row_; }

private:
    void fill_push(const Item& item, int64_t now) {
        const PushFacts& facts = *item.facts;
        const bool expired = is_expired(facts.expires_unix_ms, now);
        row_.state = item.stopped ? item.push_state : expired ? BELFRY_PUSH_EXPIRED : BELFRY_PUSH_RUNNING;
        if (item.stopped || expired) row_.flags |= BELFRY_CLAIMED_STOPPED;
        row_.live_items = facts.live_items.load(std::memory_order_relaxed);
        row_.weight = facts.weight;
        row_.push = static_cast<uint64_t>(facts.id);
        row_.body = static_cast<uint64_t>(facts.body);
        row_.blob = static_cast<uint64_t>(item.blob);
        row_.app = str(std::string_view(facts.app_name));
        row_.uid = str(std::string_view(facts.uid));
        row_.expires_unix_ms = facts.expires_unix_ms;
        row_.created_unix_ms = facts.created_unix_ms;
        if (item.content == nullptr) return;
        const bool picks = (item.flags & kPicks) != 0;
        const std::string& bytes = *item.content;
        const size_t width = picks ? sizeof(uint32_t) : sizeof(int64_t);
        (picks ? row_.picks : row_.keys) = entries(picks, bytes.data(), bytes.size() / width);
    }

    void fill_bundle(const Item& item, int64_t now) {
        row_.state = BELFRY_PUSH_RUNNING;
        row_.live_items = 1;
        row_.weight = 1;
        row_.created_unix_ms = item.ready_unix_ms;
        const std::vector<Member> packed = read_members(*item.content);
        for (uint32_t i = 0; i < packed.size(); ++i) {
            const Mark mark = i < item.marks.size() ? item.marks[i] : Mark::None;
            if (mark == Mark::Moved) continue;
            const Member& from = packed[i];
            auto member = sized<belfry_member>();
            member.index = i;
            member.attempt = item.attempt;
            if (mark == Mark::Stopped || is_expired(from.expires_unix_ms, now)) member.flags |= BELFRY_MEMBER_STOPPED;
            member.app = str(from.app);
            member.uid = str(from.uid);
            member.body = str(from.body);
            member.blob = str(from.blob);
            (from.picks ? member.picks : member.keys) = entries(from.picks, from.entry_bytes, from.entries);
            member.expires_unix_ms = from.expires_unix_ms;
            members_.push_back(member);
        }
        row_.members = list_of(members_);
    }

    belfry_claimed row_;
    std::vector<belfry_member> members_;
};

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
            const ClaimedRow claimed(grants[given], now);
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
