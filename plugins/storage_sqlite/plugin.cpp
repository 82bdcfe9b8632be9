// SPDX-License-Identifier: Apache-2.0
// The C face of the storage: each function checks what it was given, calls the Store and lets no exception out.
#include <belfry/abi.hpp>

#include "sqlite/failure.h"
#include "storage_sqlite/store.h"

struct belfry_instance {
    belfry::storage::Store store;
};

namespace belfry::storage {
namespace {

using sqlite::guarded;

constexpr std::string_view kId = "storage_sqlite";
constexpr std::string_view kVersion = "0.1.0";
// Calls that write wait for each other; a few of them may, besides the readers.
constexpr uint32_t kWaitingWriters = 4;

belfry_code register_devices(belfry_instance* self, belfry_str app, belfry_list rows, belfry_emit emit, void* ctx,
                             belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.writer().register_devices(view(app), rows, emit, ctx); });
}

belfry_code update_devices(belfry_instance* self, belfry_str app, const belfry_selection* which,
                           const belfry_patch* patch, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return guarded(why, [&] {
        self->store.writer().update_devices(view(app), known_part<belfry_selection>(which),
                                            known_part<belfry_patch>(patch), emit, ctx);
    });
}

belfry_code remove_devices(belfry_instance* self, belfry_str app, const belfry_selection* which, belfry_emit emit,
                           void* ctx, belfry_why* why) noexcept {
    return guarded(
        why, [&] { self->store.writer().remove_devices(view(app), known_part<belfry_selection>(which), emit, ctx); });
}

belfry_code list_devices(belfry_instance* self, belfry_str app, const belfry_selection* which,
                         const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end,
                         belfry_why* why) noexcept {
    return guarded(why, [&] {
        self->store.reader_to_look()->list_devices(view(app), known_part<belfry_selection>(which),
                                                   known_part<belfry_paging>(paging), self->store.time_to_count(), emit,
                                                   ctx, end);
    });
}

belfry_code list_device_topics(belfry_instance* self, belfry_str app, const belfry_selection* which,
                               const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end,
                               belfry_why* why) noexcept {
    return guarded(why, [&] {
        self->store.reader_to_look()->list_device_topics(view(app), known_part<belfry_selection>(which),
                                                         known_part<belfry_paging>(paging), self->store.time_to_count(),
                                                         emit, ctx, end);
    });
}

belfry_code list_user_topics(belfry_instance* self, belfry_str app, const belfry_selection* which,
                             const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end,
                             belfry_why* why) noexcept {
    return guarded(why, [&] {
        self->store.reader_to_look()->list_user_topics(view(app), known_part<belfry_selection>(which),
                                                       known_part<belfry_paging>(paging), self->store.time_to_count(),
                                                       emit, ctx, end);
    });
}

belfry_code update_user_topics(belfry_instance* self, belfry_str app, belfry_list changes, belfry_emit emit, void* ctx,
                               belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.writer().update_user_topics(view(app), changes, emit, ctx); });
}

belfry_code scan(belfry_instance* self, const belfry_scan* request, belfry_emit emit, void* ctx, int64_t* cursor,
                 int32_t* end, belfry_why* why) noexcept {
    return guarded(why, [&] {
        const auto asked = known_part<belfry_scan>(request);
        Store& store = self->store;
        store.reader(asked.deadline_mono_ns)->scan(asked, store.until(asked.deadline_mono_ns), emit, ctx, cursor, end);
    });
}

belfry_code fetch(belfry_instance* self, belfry_str app, int32_t by, belfry_list values, uint32_t each, uint32_t fields,
                  int64_t deadline_mono_ns, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return guarded(why, [&] {
        Store& store = self->store;
        store.reader(deadline_mono_ns)
            ->fetch(view(app), by, values, each, fields, store.until(deadline_mono_ns), emit, ctx);
    });
}

belfry_code invalidate(belfry_instance* self, belfry_str app, belfry_list facts, belfry_emit emit, void* ctx,
                       belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.writer().invalidate(view(app), facts, emit, ctx); });
}

belfry_code amend(belfry_instance* self, belfry_str app, belfry_list facts, belfry_emit emit, void* ctx,
                  belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.writer().amend(view(app), facts, emit, ctx); });
}

belfry_code kv_get(belfry_instance* self, belfry_str key, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.reader()->kv_get(view(key), emit, ctx); });
}

belfry_code kv_cas(belfry_instance* self, const belfry_kv* kv, belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.writer().kv_cas(known_part<belfry_kv>(kv)); });
}

belfry_code count(belfry_instance* self, belfry_str app, const belfry_selection* which, int64_t deadline_mono_ns,
                  int64_t* n, belfry_why* why) noexcept {
    return guarded(why, [&] {
        Store& store = self->store;
        store.reader(deadline_mono_ns, Store::Need::Look)
            ->count(view(app), known_part<belfry_selection>(which), store.until(deadline_mono_ns), n);
    });
}

belfry_code split(belfry_instance* self, const belfry_scan* request, int64_t* middle, belfry_why* why) noexcept {
    return guarded(why, [&] {
        const auto asked = known_part<belfry_scan>(request);
        *middle = self->store.reader(asked.deadline_mono_ns)->split(asked);
    });
}

belfry_code expire(belfry_instance* self, belfry_str app, int64_t before_unix_ms, uint32_t limit, uint32_t* removed,
                   int32_t* more, belfry_why* why) noexcept {
    return guarded(why, [&] {
        *removed = 0;
        *more = self->store.expire(view(app), before_unix_ms, limit, removed) ? 1 : 0;
    });
}

belfry_code dump(belfry_instance* self, belfry_str app, const belfry_paging* paging, belfry_emit emit, void* ctx,
                 belfry_page_end* end, belfry_why* why) noexcept {
    return guarded(
        why, [&] { self->store.reader_to_look()->dump(view(app), known_part<belfry_paging>(paging), emit, ctx, end); });
}

belfry_code load(belfry_instance* self, belfry_str app, belfry_list records, belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.writer().load(view(app), records); });
}

belfry_code backup(belfry_instance* self, belfry_str path, belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.writer().backup_to(text(path)); });
}

belfry_code purge_app(belfry_instance* self, belfry_str app, uint32_t limit, int32_t* more, belfry_why* why) noexcept {
    return guarded(why, [&] { *more = self->store.writer().purge_app(view(app), limit) ? 1 : 0; });
}

belfry_storage table_of(const Config& config) noexcept {
    belfry_storage table = sized<belfry_storage>();
    table.flags = BELFRY_STORAGE_COUNTS | BELFRY_STORAGE_SPLIT | BELFRY_STORAGE_ATOMIC_USER_TOPICS |
                  BELFRY_STORAGE_EXPIRE | BELFRY_STORAGE_DUMP | BELFRY_STORAGE_BACKUP | BELFRY_STORAGE_PURGE_APP;
    table.concurrency = config.readers + kWaitingWriters;
    table.register_devices = register_devices;
    table.update_devices = update_devices;
    table.remove_devices = remove_devices;
    table.list_devices = list_devices;
    table.list_device_topics = list_device_topics;
    table.list_user_topics = list_user_topics;
    table.update_user_topics = update_user_topics;
    table.scan = scan;
    table.fetch = fetch;
    table.invalidate = invalidate;
    table.amend = amend;
    table.kv_get = kv_get;
    table.kv_cas = kv_cas;
    table.count = count;
    table.split = split;
    table.expire = expire;
    table.dump = dump;
    table.load = load;
    table.backup = backup;
    table.purge_app = purge_app;
    return table;
}

struct Instance : belfry_instance {
    Instance(const belfry_host* host, const Config& config)
        : belfry_instance{Store(host, config)}, table(table_of(config)) {}
    belfry_storage table;
};

belfry_code create(const belfry_host* host, belfry_str component, belfry_str config_json, belfry_instance** out,
                   belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        if (view(component) != kId)
            return because(why, BELFRY_CONFIG, "component", "this plugin has the component storage_sqlite only");
        *out = new Instance(host, parse_config(view(config_json)));
        return BELFRY_OK;
    });
}

belfry_code start(belfry_instance* self, int64_t, belfry_why* why) noexcept {
    return guarded(why, [&] { self->store.start(); });
}

void destroy(belfry_instance* self) noexcept {
    delete static_cast<Instance*>(self);
}

const void* get_interface(belfry_instance* self, belfry_str id) noexcept {
    return view(id) == BELFRY_STORAGE_ID ? &static_cast<Instance*>(self)->table : nullptr;
}

const belfry_plugin kPlugin{sizeof(belfry_plugin),
                            BELFRY_DRAFT_REVISION,
                            0,
                            0,
                            {kId.data(), kId.size()},
                            {kVersion.data(), kVersion.size()},
                            create,
                            start,
                            destroy,
                            get_interface};

}  // namespace
}  // namespace belfry::storage

const belfry_plugin* belfry_plugin_main_draft(const belfry_host*) {
    return &belfry::storage::kPlugin;
}
