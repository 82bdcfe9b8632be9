// SPDX-License-Identifier: Apache-2.0
// Entry of the plugin and the C side of belfry.queue/1 and belfry.limiter/1: nothing but fences around Queue and
// Limiter.
//
// Threads: as plugin.h, queue.h and limiter.h say per function.
#include <belfry/limiter.h>
#include <belfry/plugin.h>
#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <memory>
#include <vector>

#include "limiter.h"
#include "queue.h"
#include "sqlite/failure.h"
#include "sqlite/place.h"

using belfry::str;
using belfry::view;
using belfry::queue_sqlite::Config;
using belfry::queue_sqlite::Limiter;
using belfry::queue_sqlite::Queue;
using belfry::sqlite::guarded;

struct belfry_instance {
    const belfry_host* host = nullptr;
    Config config;
    std::unique_ptr<Queue> queue;
    std::unique_ptr<Limiter> limiter;
};

namespace {

constexpr std::string_view kId = "queue_sqlite";
constexpr uint32_t kConcurrency = 256;

// Runs a call on the open queue inside the fence.
template <class Fn>
belfry_code on(belfry_instance* instance, belfry_why* why, Fn&& fn) noexcept {
    return guarded(why, [&]() -> belfry_code {
        if (instance->queue == nullptr) {
            return belfry::because(why, BELFRY_INTERNAL, "", "the queue was not started");
        }
        fn(*instance->queue);
        return BELFRY_OK;
    });
}

belfry_code enqueue(belfry_instance* i, uint64_t, belfry_list pushes, belfry_emit emit, void* ctx,
                    belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.enqueue(pushes, emit, ctx); });
}

belfry_code claim(belfry_instance* i, uint64_t node, int32_t lane, belfry_list gates, uint32_t n, uint32_t wait_ms,
                  belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.claim(node, lane, gates, n, wait_ms, emit, ctx); });
}

belfry_code blobs(belfry_instance* i, belfry_list ids, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.blobs(ids, emit, ctx); });
}

belfry_code page(belfry_instance* i, uint64_t node, belfry_list checkpoints, belfry_emit emit, void* ctx,
                 belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.page(node, checkpoints, emit, ctx); });
}

belfry_code steer(belfry_instance* i, belfry_str app, belfry_list uids, int32_t verb, belfry_emit emit, void* ctx,
                  belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.steer(app, uids, verb, emit, ctx); });
}

belfry_code changes(belfry_instance* i, int64_t since, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.changes(since, emit, ctx); });
}

belfry_code beat(belfry_instance* i, uint64_t node, belfry_pulse* pulse, belfry_why* why) noexcept {
    bool alive = true;
    const belfry_code code = on(i, why, [&](Queue& queue) { alive = queue.beat(node, *pulse); });
    if (code != BELFRY_OK || alive) return code;
    return belfry::because(why, BELFRY_FENCED, "node", "gave no sign of life for a lease; start as a new node");
}

belfry_code upkeep(belfry_instance* i, uint64_t node, uint32_t budget_ms, uint32_t* next_ms, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.upkeep(node, budget_ms, next_ms); });
}

belfry_code lookup(belfry_instance* i, belfry_str app, belfry_list uids, belfry_emit emit, void* ctx,
                   belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.lookup(app, uids, emit, ctx); });
}

belfry_code list(belfry_instance* i, belfry_str app, int32_t state, belfry_str cursor, uint32_t limit, belfry_emit emit,
                 void* ctx, char next_cursor[64], belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.list(app, state, cursor, limit, emit, ctx, next_cursor); });
}

belfry_code dead(belfry_instance* i, belfry_str app, belfry_str uid, uint64_t after, uint32_t limit, belfry_emit emit,
                 void* ctx, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.dead(app, uid, after, limit, emit, ctx); });
}

belfry_code replay(belfry_instance* i, belfry_str app, belfry_list ids, int32_t ignore_expiry, uint32_t* replayed,
                   belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) {
        const uint32_t count = queue.replay(app, ids, ignore_expiry != 0);
        if (replayed != nullptr) *replayed = count;
    });
}

belfry_code stats(belfry_instance* i, belfry_queue_stats* stats, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.stats(*stats); });
}

belfry_code dump(belfry_instance* i, belfry_str cursor, uint32_t limit, belfry_emit emit, void* ctx,
                 char next_cursor[64], belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.dump(cursor, limit, emit, ctx, next_cursor); });
}

belfry_code load(belfry_instance* i, belfry_list records, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.load(records); });
}

belfry_code backup(belfry_instance* i, belfry_str path, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { queue.backup(path); });
}

belfry_code purge_app(belfry_instance* i, belfry_str app, uint32_t limit, int32_t* more, belfry_why* why) noexcept {
    return on(i, why, [&](Queue& queue) { *more = queue.purge_app(app, limit) ? 1 : 0; });
}

belfry_code charge(belfry_instance* i, belfry_list policies, belfry_list charges, int64_t deadline_mono_ns,
                   belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return on(i, why, [&](Queue&) {
        const std::vector<belfry_charged> rows = i->limiter->charge(policies, charges, deadline_mono_ns);
        if (!rows.empty()) emit(ctx, belfry::list_of(rows));
    });
}

constexpr belfry_limiter kLimiterTable{sizeof(belfry_limiter), 0, kConcurrency, 0, &charge};

constexpr belfry_queue kQueueTable{
    sizeof(belfry_queue),
    BELFRY_QUEUE_SURVIVES_POWER | BELFRY_QUEUE_DUMP | BELFRY_QUEUE_BACKUP | BELFRY_QUEUE_PURGE_APP,
    kConcurrency,
    belfry::queue_sqlite::kItemBytesMax,
    &enqueue,
    &claim,
    &blobs,
    &page,
    &steer,
    &changes,
    &beat,
    &upkeep,
    &lookup,
    &list,
    &dead,
    &replay,
    &stats,
    &dump,
    &load,
    &backup,
    &purge_app,
};

belfry_code create(const belfry_host* host, belfry_str component, belfry_str config_json, belfry_instance** out,
                   belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        if (view(component) != kId) {
            return belfry::because(why, BELFRY_BAD_REQUEST, "component", "this plugin offers queue_sqlite only");
        }
        auto instance = std::make_unique<belfry_instance>();
        instance->host = host;
        instance->config = belfry::queue_sqlite::parse_config(view(config_json));
        *out = instance.release();
        return BELFRY_OK;
    });
}

belfry_code start(belfry_instance* instance, int64_t, belfry_why* why) noexcept {
    return guarded(why, [&] {
        if (instance->config.path.empty()) {
            instance->config.path = belfry::sqlite::file_in_state_directory(instance->host, "queue.db");
        }
        instance->queue = std::make_unique<Queue>(instance->host, instance->config);
        instance->limiter = std::make_unique<Limiter>(instance->host);
    });
}

void destroy(belfry_instance* instance) noexcept {
    delete instance;
}

const void* get_interface(belfry_instance*, belfry_str id) noexcept {
    if (view(id) == BELFRY_QUEUE_ID) return &kQueueTable;
    return view(id) == BELFRY_LIMITER_ID ? &kLimiterTable : nullptr;
}

constexpr belfry_plugin kPlugin{
    sizeof(belfry_plugin),
    BELFRY_DRAFT_REVISION,
    0,
    0,
    {kId.data(), kId.size()},
    {"0.1.0", 5},
    &create,
    &start,
    &destroy,
    &get_interface,
};

}  // namespace

const belfry_plugin* belfry_plugin_main_draft(const belfry_host*) {
    return &kPlugin;
}
