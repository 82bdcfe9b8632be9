// SPDX-License-Identifier: Apache-2.0
// The C++ SDK for queues: every call of queue.h as a member function; what each means is written there.
// See plugin.hpp. Throw Refused for RETRY_LATER, STORE_FULL, FENCED, CORRUPT ... A queue that limits rates, too,
// derives from Limiter as well (limiter.hpp).
#pragma once

#include <belfry/queue.h>

#include <belfry/limiter.hpp>
#include <belfry/plugin.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace belfry {

class QueueBase : public InstanceBase {
public:
    // Shadow these in the derived class: BELFRY_QUEUE_* flags, calls at once (0 = any number), bytes of one push.
    static constexpr uint32_t kFlags = 0;
    static constexpr uint32_t kConcurrency = 0;
    static constexpr uint32_t kItemBytesMax = 16u << 20;

    using App = std::string_view;
    virtual void enqueue(uint64_t node, Rows<belfry_new_push> pushes, const Emit<belfry_enqueued>& emit) = 0;
    virtual void claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms,
                       const Emit<belfry_claimed>& emit) = 0;
    virtual void blobs(Rows<uint64_t> ids, const Emit<belfry_blob>& emit) = 0;
    virtual void page(uint64_t node, Rows<belfry_checkpoint> checkpoints, const Emit<belfry_paged>& emit) = 0;
    virtual void steer(App app, Rows<belfry_str> uids, int32_t verb, const Emit<belfry_steered>& emit) = 0;
    virtual void changes(int64_t since, const Emit<belfry_change>& emit) = 0;
    virtual void beat(uint64_t node, belfry_pulse& pulse) = 0;
    // Milliseconds until it wants to be called again.
    virtual uint32_t upkeep(uint64_t node, uint32_t budget_ms) = 0;
    virtual void lookup(App app, Rows<belfry_str> uids, const Emit<belfry_push_row>& emit) = 0;
    // The cursor of the next page, at most 63 bytes; empty: no more.
    virtual std::string list(App app, int32_t state, std::string_view cursor, uint32_t limit,
                             const Emit<belfry_push_row>& emit) = 0;
    virtual void dead(App app, std::string_view uid, uint64_t after, uint32_t limit,
                      const Emit<belfry_dead_row>& emit) = 0;
    // How many were put back.
    virtual uint32_t replay(App app, Rows<uint64_t> ids, bool ignore_expiry) = 0;
    virtual void stats(belfry_queue_stats& stats) = 0;
    // Optional ones; those declared in kFlags must be there.
    virtual std::string dump(std::string_view, uint32_t, const Emit<belfry_str>&) { throw missing("dump"); }
    virtual void load(Rows<belfry_str>) { throw missing("load"); }
    virtual void backup(std::string_view) { throw missing("backup"); }
    // True: call again.
    virtual bool purge_app(App, uint32_t) { throw missing("purge_app"); }

private:
    static Refused missing(const char* name) {
        return Refused(BELFRY_UNSUPPORTED, {}, std::string("this queue does not offer ") + name);
    }
};

namespace sdk {

template <class T>
struct QueueTable {
    using I = belfry_instance*;
    using W = belfry_why*;
    using S = belfry_str;
    static constexpr size_t kCursorBytes = 64;  // with its NUL
    static void put_cursor(char* into, const std::string& cursor) {
        if (cursor.size() >= kCursorBytes) throw Refused(BELFRY_INTERNAL, "cursor", "is longer than 63 bytes");
        put(into, kCursorBytes, cursor);
    }
    static belfry_code enqueue(I i, uint64_t node, belfry_list pushes, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).enqueue(node, Rows<belfry_new_push>(pushes), {e, c}); });
    }
    static belfry_code claim(I i, uint64_t node, int32_t lane, belfry_list open_gates, uint32_t n, uint32_t wait_ms,
                             belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).claim(node, lane, Rows<uint32_t>(open_gates), n, wait_ms, {e, c}); });
    }
    static belfry_code blobs(I i, belfry_list ids, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).blobs(Rows<uint64_t>(ids), {e, c}); });
    }
    static belfry_code page(I i, uint64_t node, belfry_list checkpoints, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).page(node, Rows<belfry_checkpoint>(checkpoints), {e, c}); });
    }
    static belfry_code steer(I i, S app, belfry_list uids, int32_t verb, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).steer(view(app), Rows<belfry_str>(uids), verb, {e, c}); });
    }
    static belfry_code changes(I i, int64_t since, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).changes(since, {e, c}); });
    }
    static belfry_code beat(I i, uint64_t node, belfry_pulse* pulse, W w) noexcept {
        return walled(w, [&] { self<T>(i).beat(node, *pulse); });
    }
    static belfry_code upkeep(I i, uint64_t node, uint32_t budget_ms, uint32_t* next_ms, W w) noexcept {
        return walled(w, [&] { *next_ms = self<T>(i).upkeep(node, budget_ms); });
    }
    static belfry_code lookup(I i, S app, belfry_list uids, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).lookup(view(app), Rows<belfry_str>(uids), {e, c}); });
    }
    static belfry_code list(I i, S app, int32_t state, S cursor, uint32_t limit, belfry_emit e, void* c,
                            char next_cursor[64], W w) noexcept {
        return walled(w, [&] {
            put_cursor(next_cursor, self<T>(i).list(view(app), state, view(cursor), limit, {e, c}));
        });
    }
    static belfry_code dead(I i, S app, S uid, uint64_t after, uint32_t limit, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).dead(view(app), view(uid), after, limit, {e, c}); });
    }
    static belfry_code replay(I i, S app, belfry_list ids, int32_t ignore_expiry, uint32_t* replayed, W w) noexcept {
        return walled(w, [&] { *replayed = self<T>(i).replay(view(app), Rows<uint64_t>(ids), ignore_expiry != 0); });
    }
    static belfry_code stats(I i, belfry_queue_stats* stats, W w) noexcept {
        return walled(w, [&] { self<T>(i).stats(*stats); });
    }
    static belfry_code dump(I i, S cursor, uint32_t limit, belfry_emit e, void* c, char next_cursor[64], W w) noexcept {
        return walled(w, [&] { put_cursor(next_cursor, self<T>(i).dump(view(cursor), limit, {e, c})); });
    }
    static belfry_code load(I i, belfry_list records, W w) noexcept {
        return walled(w, [&] { self<T>(i).load(Rows<belfry_str>(records)); });
    }
    static belfry_code backup(I i, S path, W w) noexcept {
        return walled(w, [&] { self<T>(i).backup(view(path)); });
    }
    static belfry_code purge_app(I i, S app, uint32_t limit, int32_t* more, W w) noexcept {
        return walled(w, [&] { *more = self<T>(i).purge_app(view(app), limit) ? 1 : 0; });
    }
    static belfry_queue make() noexcept {
        using B = QueueBase;
        belfry_queue table = sized<belfry_queue>();
        table.flags = T::kFlags;
        table.concurrency = T::kConcurrency;
        table.item_bytes_max = T::kItemBytesMax;
        table.enqueue = enqueue;
        table.claim = claim;
        table.blobs = blobs;
        table.page = page;
        table.steer = steer;
        table.changes = changes;
        table.beat = beat;
        table.upkeep = upkeep;
        table.lookup = lookup;
        table.list = list;
        table.dead = dead;
        table.replay = replay;
        table.stats = stats;
        if constexpr (is_overridden(&T::dump, &B::dump)) table.dump = dump;
        if constexpr (is_overridden(&T::load, &B::load)) table.load = load;
        if constexpr (is_overridden(&T::backup, &B::backup)) table.backup = backup;
        if constexpr (is_overridden(&T::purge_app, &B::purge_app)) table.purge_app = purge_app;
        return table;
    }
};

}  // namespace sdk

// Completes a queue: class Acme final : public belfry::Queue<Acme>.
template <class T>
class Queue : public QueueBase {
public:
    const void* table(std::string_view id) const noexcept final {
        static const belfry_queue made = sdk::QueueTable<T>::make();
        if constexpr (std::is_base_of_v<Limiter, T>) {
            static const belfry_limiter limiter = sdk::LimiterTable<T>::make();
            if (id == BELFRY_LIMITER_ID) return &limiter;
        }
        return id == BELFRY_QUEUE_ID ? &made : nullptr;
    }
};

}  // namespace belfry
