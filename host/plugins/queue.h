// SPDX-License-Identifier: Apache-2.0
// belfry.queue/1 as the host calls it: what each call means is written in plugin_api/include/belfry/queue.h.
//
// Rows given to callbacks are borrowed for that callback. Calls a queue does not offer answer Unsupported. A batch that
// succeeded answered every item exactly once. Threads: [work], at most table.concurrency at once; more callers wait.
// Owner: a Generation.
#pragma once

#include <belfry/queue.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "plugins/call.h"

namespace belfry::plugins {

class Queue {
public:
    // The names of mandatory functions that the table lacks, comma separated; empty if it is complete.
    static std::string missing(const belfry_queue& table);

    Queue(const belfry_queue* table, belfry_instance* instance, Faults& faults);

    // BELFRY_QUEUE_* flag.
    bool offers(uint32_t flag) const noexcept { return (table_.flags & flag) != 0; }
    uint32_t flags() const noexcept { return table_.flags; }
    // Longest body and blobs of one push together.
    uint32_t item_bytes_max() const noexcept { return table_.item_bytes_max; }

    template <class Fn>  // const belfry_enqueued&
    Status enqueue(uint64_t node, std::span<const belfry_new_push> pushes, Fn&& fn) {
        return door_.each<belfry_enqueued>(
            "queue.enqueue", pushes.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.enqueue(i, node, list_of(pushes), emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_claimed&
    Status claim(uint64_t node, int32_t lane, std::span<const uint32_t> open_gates, uint32_t n, uint32_t wait_ms,
                 Fn&& fn) {
        return door_.rows<belfry_claimed>(
            "queue.claim",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.claim(i, node, lane, list_of(open_gates), n, wait_ms, emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_blob&; missing ones do not come
    Status blobs(std::span<const uint64_t> ids, Fn&& fn) {
        return door_.rows<belfry_blob>(
            "queue.blobs",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.blobs(i, list_of(ids), emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_paged&
    Status page(uint64_t node, std::span<const belfry_checkpoint> checkpoints, Fn&& fn) {
        return door_.each<belfry_paged>(
            "queue.page", checkpoints.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.page(i, node, list_of(checkpoints), emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_steered&
    Status steer(std::string_view app, std::span<const belfry_str> uids, belfry_steer verb, Fn&& fn) {
        return door_.each<belfry_steered>(
            "queue.steer", uids.size(),
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.steer(i, str(app), list_of(uids), verb, emit, ctx, why);
            },
            fn);
    }
    template <class Fn>  // const belfry_change&
    Status changes(int64_t since, Fn&& fn) {
        return door_.rows<belfry_change>(
            "queue.changes",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.changes(i, since, emit, ctx, why);
            },
            fn);
    }
    // Cancelled: this node was taken for dead.
    Result<belfry_pulse> beat(uint64_t node);
    // Milliseconds until it wants to be called again.
    Result<uint32_t> upkeep(uint64_t node, uint32_t budget_ms);
    template <class Fn>  // const belfry_push_row&, index = that of the uid; unknown ones do not come
    Status lookup(std::string_view app, std::span<const belfry_str> uids, Fn&& fn) {
        return door_.rows<belfry_push_row>(
            "queue.lookup",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.lookup(i, str(app), list_of(uids), emit, ctx, why);
            },
            [&](const belfry_push_row& row) {
                if (row.index < uids.size()) return Door::pass(row, fn);
                door_.faults().add(Fault::ForeignRow, "queue.lookup");
                return true;
            });
    }
    // The cursor of the next page; empty: no more.
    template <class Fn>  // const belfry_push_row&
    Result<std::string> list(std::string_view app, int32_t state, std::string_view cursor, uint32_t limit, Fn&& fn) {
        char next[64] = {};
        const Status done = door_.rows<belfry_push_row>(
            "queue.list",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.list(i, str(app), state, str(cursor), limit, emit, ctx, next, why);
            },
            fn);
        if (!done) return done.error();
        return std::string(text_of(next));
    }
    template <class Fn>  // const belfry_dead_row&
    Status dead(std::string_view app, std::string_view uid, uint64_t after, uint32_t limit, Fn&& fn) {
        return door_.rows<belfry_dead_row>(
            "queue.dead",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.dead(i, str(app), str(uid), after, limit, emit, ctx, why);
            },
            fn);
    }
    // How many were put back.
    Result<uint32_t> replay(std::string_view app, std::span<const uint64_t> ids, bool ignore_expiry);
    Result<belfry_queue_stats> stats();
    template <class Fn>  // const belfry_str&: opaque records. Answers the next cursor; empty: no more
    Result<std::string> dump(std::string_view cursor, uint32_t limit, Fn&& fn) {
        if (table_.dump == nullptr) return Door::unsupported("queue.dump");
        char next[64] = {};
        const Status done = door_.rows<belfry_str>(
            "queue.dump",
            [&](belfry_instance* i, belfry_emit emit, void* ctx, belfry_why* why) {
                return table_.dump(i, str(cursor), limit, emit, ctx, next, why);
            },
            fn);
        if (!done) return done.error();
        return std::string(text_of(next));
    }
    Status load(std::span<const belfry_str> records);
    Status backup(std::string_view path);
    // True: call again.
    Result<bool> purge_app(std::string_view app, uint32_t limit);

private:
    const belfry_queue table_;
    Door door_;
};

}  // namespace belfry::plugins
