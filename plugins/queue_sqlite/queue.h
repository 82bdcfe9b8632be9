// SPDX-License-Identifier: Apache-2.0
// An open queue: the calls of belfry.queue/1 in C++. Each throws sqlite::Failure.
//
//   caller -> Writer -> intake | pages | steering | dead letters | upkeep   one transaction per loop
//   caller -> Writer -> results, blobs, stats                               between transactions
//   caller -> claims -> Board                                               no SQL as a rule
//
// Threads: [any].  Owner: the instance.
#pragma once

#include <belfry/queue.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "app_purge.h"
#include "claims.h"
#include "core.h"
#include "dead_letters.h"
#include "intake.h"
#include "moving.h"
#include "nodes.h"
#include "pages.h"
#include "results.h"
#include "steering.h"
#include "upkeep.h"
#include "writer.h"

namespace belfry::queue_sqlite {

class Queue final : private Engine {
public:
    // Opens the file, counts what the last process held when it was killed, makes everything claimable.
    Queue(const belfry_host* host, Config config);
    ~Queue() override;

    void enqueue(belfry_list pushes, belfry_emit emit, void* ctx);
    void claim(uint64_t node, int32_t lane, belfry_list open_gates, uint32_t n, uint32_t wait_ms, belfry_emit emit,
               void* ctx) {
        claims_.claim(node, lane, open_gates, n, wait_ms, emit, ctx);
    }
    void blobs(belfry_list ids, belfry_emit emit, void* ctx);
    void page(uint64_t node, belfry_list checkpoints, belfry_emit emit, void* ctx);
    void steer(belfry_str app, belfry_list uids, int32_t verb, belfry_emit emit, void* ctx);
    void changes(int64_t since, belfry_emit emit, void* ctx);
    // False: the node was taken for dead.
    bool beat(uint64_t node, belfry_pulse& pulse);
    void upkeep(uint64_t node, uint32_t budget_ms, uint32_t* next_ms);
    void lookup(belfry_str app, belfry_list uids, belfry_emit emit, void* ctx);
    void list(belfry_str app, int32_t state, belfry_str cursor, uint32_t limit, belfry_emit emit, void* ctx,
              char next_cursor[64]);
    void dead(belfry_str app, belfry_str uid, uint64_t after, uint32_t limit, belfry_emit emit, void* ctx);
    uint32_t replay(belfry_str app, belfry_list ids, bool ignore_expiry);
    void stats(belfry_queue_stats& stats);
    void dump(belfry_str cursor, uint32_t limit, belfry_emit emit, void* ctx, char next_cursor[64]);
    void load(belfry_list records);
    void backup(belfry_str path);
    // True: call again.
    bool purge_app(belfry_str app, uint32_t limit);

private:
    void begin(bool durable) override;
    void commit() override;
    void rollback() noexcept override;
    void tidy_up() noexcept override { core_.database->checkpoint_if_due(); }
    void reopen_work();
    void count_crashes();

    Core core_;
    Movements movements_{core_};
    Intake intake_{core_, movements_};
    Pages pages_{core_, movements_};
    Steering steering_{core_, movements_};
    Results results_{core_};
    DeadLetters dead_letters_{core_, movements_};
    Upkeep upkeep_{core_, movements_};
    AppPurge app_purge_{core_, movements_};
    Moving moving_{core_, movements_};
    Nodes nodes_;
    std::mutex purges_mutex_;
    std::map<std::string, int64_t> purges_;  // apps being purged: the bundles looked through
    std::optional<sqlite::Transaction> transaction_;
    int64_t changes_before_ = 0;  // this transaction, in rows
    bool unsynced_ = false;       // progress was committed without a sync
    bool suspect_ = false;        // an input/output error happened: the log must be written out before the next commit
    Writer writer_{*this};
    Claims claims_{core_, writer_};
};

}  // namespace belfry::queue_sqlite
