// SPDX-License-Identifier: Apache-2.0
// A good queue with one deliberate fault in front of it, to prove that the specification notices. Which fault is
// decided when it is built (BELFRY_FAULT); the good plugin is BELFRY_WRAPPED_PLUGIN.
//
// Threads: as queue.h says; Faulty::mutex guards what a fault remembers.
#include <belfry/plugin.h>
#include <belfry/queue.h>
#include <dlfcn.h>
#include <unistd.h>

#include <belfry/abi.hpp>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace {

enum class Fault {
    StalePages,         // takes pages of any epoch and node as the owner's
    LostRetries,        // forgets what a page owes for later
    DeafToCancel,       // answers a cancellation and does nothing
    BlindFingerprints,  // takes different requests under one uid for the same
    Unfair,             // does not charge what a page cost
    LostLog,            // keeps what it acknowledged where kill -9 destroys it
    LostLetters         // loads everything but dead letters
};
constexpr Fault kFault = Fault::BELFRY_FAULT;

struct Owner {
    uint32_t epoch = 0;
    uint64_t node = 0;
};

}  // namespace

struct belfry_instance {
    belfry_instance* inner = nullptr;
    const belfry_queue* queue = nullptr;
    belfry_queue table{};
    std::mutex mutex;
    std::map<uint64_t, Owner> owners;
};

namespace {

const belfry_plugin* g_inner = nullptr;

using belfry::Rows;

belfry_code enqueue(belfry_instance* i, uint64_t node, belfry_list pushes, belfry_emit emit, void* ctx,
                    belfry_why* why) {
    std::vector<belfry_new_push> rows;
    for (const belfry_new_push& push : Rows<belfry_new_push>(pushes)) rows.push_back(push);
    if (kFault == Fault::BlindFingerprints) {
        for (belfry_new_push& row : rows) std::memset(row.fingerprint, 0, sizeof row.fingerprint);
    }
    return i->queue->enqueue(i->inner, node, belfry::list_of(rows), emit, ctx, why);
}

belfry_code claim(belfry_instance* i, uint64_t node, int32_t lane, belfry_list gates, uint32_t n, uint32_t wait_ms,
                  belfry_emit emit, void* ctx, belfry_why* why) {
    return belfry::collect<belfry_claimed>(
        [&](belfry_emit each, void* each_ctx) {
            return i->queue->claim(i->inner, node, lane, gates, n, wait_ms, each, each_ctx, why);
        },
        [&](const belfry_claimed& row) {
            {
                const std::lock_guard lock(i->mutex);
                i->owners[row.item] = {row.epoch, node};
            }
            return emit(ctx, belfry::one_row(row)) == 0;
        });
}

belfry_code page_one(belfry_instance* i, uint64_t node, belfry_checkpoint row, uint32_t index, belfry_emit emit,
                     void* ctx, belfry_why* why) {
    std::vector<belfry_owed> owed;
    if (kFault == Fault::StalePages) {
        const std::lock_guard lock(i->mutex);
        const auto owner = i->owners.find(row.item);
        if (owner != i->owners.end()) {
            row.epoch = owner->second.epoch;
            node = owner->second.node;
        }
    }
    if (kFault == Fault::LostRetries) {
        for (const belfry_owed& list : Rows<belfry_owed>(row.owed)) {
            if ((list.flags & (BELFRY_OWED_MINE | BELFRY_OWED_DEAD)) != 0 || list.due_unix_ms == 0)
                owed.push_back(list);
        }
        row.owed = belfry::list_of(owed);
    }
    if (kFault == Fault::Unfair) row.cost = 0;
    return belfry::collect<belfry_paged>(
        [&](belfry_emit each, void* each_ctx) {
            return i->queue->page(i->inner, node, belfry::one_row(row), each, each_ctx, why);
        },
        [&](const belfry_paged& answer) {
            for (const belfry_ref& ref : Rows<belfry_ref>(answer.mine)) {
                const std::lock_guard lock(i->mutex);
                i->owners[ref.item] = {ref.epoch, node};
            }
            belfry_paged numbered = answer;
            numbered.index = index;
            emit(ctx, belfry::one_row(numbered));
        });
}

belfry_code page(belfry_instance* i, uint64_t node, belfry_list checkpoints, belfry_emit emit, void* ctx,
                 belfry_why* why) {
    const Rows<belfry_checkpoint> rows(checkpoints);
    for (uint32_t index = 0; index < rows.size(); ++index) {
        const belfry_code code = page_one(i, node, rows[index], index, emit, ctx, why);
        if (code != BELFRY_OK) return code;
    }
    return BELFRY_OK;
}

belfry_code steer(belfry_instance* i, belfry_str app, belfry_list uids, int32_t verb, belfry_emit emit, void* ctx,
                  belfry_why* why) {
    if (kFault != Fault::DeafToCancel || verb != BELFRY_STEER_CANCEL) {
        return i->queue->steer(i->inner, app, uids, verb, emit, ctx, why);
    }
    for (uint32_t index = 0; index < uids.n; ++index) {
        auto row = belfry::sized<belfry_steered>();
        row.index = index;
        row.state = BELFRY_PUSH_RUNNING;
        if (emit(ctx, belfry::one_row(row)) != 0) break;
    }
    return BELFRY_OK;
}

// Everything else is the good plugin's own function behind a change of instance.
template <auto Member>
struct Forwarded;
template <class... Args, belfry_code (*belfry_queue::*Member)(belfry_instance*, Args...)>
struct Forwarded<Member> {
    static belfry_code call(belfry_instance* i, Args... args) { return (i->queue->*Member)(i->inner, args...); }
};

belfry_code load(belfry_instance* i, belfry_list records, belfry_why* why) {
    constexpr size_t kKindAt = 3;
    std::vector<belfry_str> kept;
    for (const belfry_str& record : Rows<belfry_str>(records)) {
        const bool letter = record.n > kKindAt && record.p[kKindAt] == 'D';
        if (kFault != Fault::LostLetters || !letter) kept.push_back(record);
    }
    return i->queue->load(i->inner, belfry::list_of(kept), why);
}

// A clean stop leaves no log behind; after kill -9 it has all that was not written out yet.
void lose_log(std::string_view config) {
    constexpr std::string_view kKey = "\"path\":\"";
    const size_t at = config.find(kKey);
    if (at == std::string_view::npos) return;
    const std::string_view path = config.substr(at + kKey.size());
    ::unlink((std::string(path.substr(0, path.find('"'))) + "-wal").c_str());
}

belfry_code create(const belfry_host* host, belfry_str, belfry_str config, belfry_instance** out, belfry_why* why) {
    if (kFault == Fault::LostLog) lose_log(belfry::view(config));
    auto* made = new belfry_instance;
    const belfry_code code =
        g_inner->create(host, belfry::str(std::string_view("queue_sqlite")), config, &made->inner, why);
    if (code == BELFRY_OK) {
        *out = made;
    } else {
        delete made;
    }
    return code;
}

belfry_code start(belfry_instance* i, int64_t deadline_mono_ns, belfry_why* why) {
    const belfry_code code = g_inner->start(i->inner, deadline_mono_ns, why);
    if (code != BELFRY_OK) return code;
    i->queue = static_cast<const belfry_queue*>(
        g_inner->get_interface(i->inner, belfry::str(std::string_view(BELFRY_QUEUE_ID))));
    i->table = *i->queue;
    i->table.enqueue = &enqueue;
    i->table.claim = &claim;
    i->table.page = &page;
    i->table.steer = &steer;
    i->table.blobs = &Forwarded<&belfry_queue::blobs>::call;
    i->table.changes = &Forwarded<&belfry_queue::changes>::call;
    i->table.beat = &Forwarded<&belfry_queue::beat>::call;
    i->table.upkeep = &Forwarded<&belfry_queue::upkeep>::call;
    i->table.lookup = &Forwarded<&belfry_queue::lookup>::call;
    i->table.list = &Forwarded<&belfry_queue::list>::call;
    i->table.dead = &Forwarded<&belfry_queue::dead>::call;
    i->table.replay = &Forwarded<&belfry_queue::replay>::call;
    i->table.stats = &Forwarded<&belfry_queue::stats>::call;
    i->table.dump = &Forwarded<&belfry_queue::dump>::call;
    i->table.load = &load;
    i->table.backup = &Forwarded<&belfry_queue::backup>::call;
    return BELFRY_OK;
}

void destroy(belfry_instance* i) {
    g_inner->destroy(i->inner);
    delete i;
}

const void* get_interface(belfry_instance* i, belfry_str id) {
    return belfry::view(id) == BELFRY_QUEUE_ID ? &i->table : nullptr;
}

}  // namespace

const belfry_plugin* belfry_plugin_main_draft(const belfry_host* host) {
    void* library = ::dlopen(BELFRY_WRAPPED_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    void* symbol = library == nullptr ? nullptr : ::dlsym(library, BELFRY_ENTRY_SYMBOL);
    if (symbol == nullptr) return nullptr;
    g_inner = reinterpret_cast<const belfry_plugin* (*)(const belfry_host*)>(symbol)(host);
    if (g_inner == nullptr) return nullptr;
    static const belfry_plugin kPlugin{sizeof(belfry_plugin),
                                       BELFRY_DRAFT_REVISION,
                                       0,
                                       0,
                                       {"broken_queue", 12},
                                       {"0.1.0", 5},
                                       &create,
                                       &start,
                                       &destroy,
                                       &get_interface};
    return &kPlugin;
}
