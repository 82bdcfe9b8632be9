// SPDX-License-Identifier: Apache-2.0
// A storage with one fault, made of a sound one: loads the plugin named by BELFRY_SOUND_PLUGIN, hands everything on and
// spoils a single thing, chosen when it is compiled. The specification must notice, in the right cases and in no
// others.
#include <dlfcn.h>

#include <belfry/storage.h>
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

struct belfry_instance {
    belfry_instance* sound;
    const belfry_storage* inner;
    belfry_storage table;
    std::string config;
};

namespace {

enum class Fault {
    ScanGaps,
    BlindInvalidate,
    AppsMeet,
    BackwardUserTopics,
    CopiedFile,
    HalfPurge,
    SharedFile,
    LossyLoad,
    GuessWins
};
constexpr Fault kFault = Fault::BELFRY_FAULT;

// Hands a call on: Pass<&belfry_storage::fetch>::call.
template <auto Member>
struct Pass;
template <class... Args, belfry_code (*belfry_storage::*Member)(belfry_instance*, Args...)>
struct Pass<Member> {
    static belfry_code call(belfry_instance* self, Args... args) {
        return (self->inner->*Member)(self->sound, args...);
    }
};

// The same with another app than the one that was named.
template <auto Member>
struct InOneApp;
template <class... Args, belfry_code (*belfry_storage::*Member)(belfry_instance*, belfry_str, Args...)>
struct InOneApp<Member> {
    static belfry_code call(belfry_instance* self, belfry_str, Args... args) {
        return (self->inner->*Member)(self->sound, belfry_str{"one", 3}, args...);
    }
};

belfry_code scan_one_app(belfry_instance* self, const belfry_scan* scan, belfry_emit emit, void* ctx, int64_t* cursor,
                         int32_t* end, belfry_why* why) {
    auto changed = belfry::known_part<belfry_scan>(scan);
    changed.app = belfry_str{"one", 3};
    return self->inner->scan(self->sound, &changed, emit, ctx, cursor, end, why);
}

// Every page but the first lacks its first row.
belfry_code scan_with_gaps(belfry_instance* self, const belfry_scan* scan, belfry_emit emit, void* ctx, int64_t* cursor,
                           int32_t* end, belfry_why* why) {
    struct Relay {
        belfry_emit emit;
        void* ctx;
        bool drop;
    } relay{emit, ctx, scan->after >= 0};
    const belfry_emit hand_on = [](void* raw, belfry_list rows) -> int32_t {
        auto& r = *static_cast<Relay*>(raw);
        if (r.drop) {
            r.drop = false;
            rows.p = static_cast<const char*>(rows.p) + rows.stride;
            --rows.n;
        }
        return rows.n == 0 ? 0 : r.emit(r.ctx, rows);
    };
    return self->inner->scan(self->sound, scan, hand_on, &relay, cursor, end, why);
}

// Deletes whatever token the device has by now.
belfry_code invalidate_without_comparing(belfry_instance* self, belfry_str app, belfry_list facts, belfry_emit emit,
                                         void* ctx, belfry_why* why) {
    std::vector<belfry_fact_result> results;
    const belfry_code code = belfry::collect<belfry_fact_result>(
        [&](belfry_emit inner_emit, void* inner_ctx) {
            return self->inner->invalidate(self->sound, app, facts, inner_emit, inner_ctx, why);
        },
        [&](const belfry_fact_result& result) { results.push_back(result); });
    for (belfry_fact_result& result : results) {
        if (result.code != BELFRY_CONFLICT) continue;
        auto which = belfry::sized<belfry_selection>();
        which.keys = belfry::one_row(result.key);
        const belfry_emit ignore = [](void*, belfry_list) -> int32_t { return 0; };
        result.code = self->inner->remove_devices(self->sound, app, &which, ignore, nullptr, why);
    }
    if (!results.empty()) emit(ctx, belfry::list_of(results));
    return code;
}

// Pages whose rows run backwards.
belfry_code list_user_topics_backwards(belfry_instance* self, belfry_str app, const belfry_selection* which,
                                       const belfry_paging* paging, belfry_emit emit, void* ctx, belfry_page_end* end,
                                       belfry_why* why) {
    struct Relay {
        belfry_emit emit;
        void* ctx;
    } relay{emit, ctx};
    const belfry_emit hand_on = [](void* raw, belfry_list rows) -> int32_t {
        const auto& r = *static_cast<Relay*>(raw);
        std::vector<belfry_topic_row> copy;
        for (const belfry_topic_row& row : belfry::Rows<belfry_topic_row>(rows)) copy.push_back(row);
        std::reverse(copy.begin(), copy.end());
        return r.emit(r.ctx, belfry::list_of(copy));
    };
    return self->inner->list_user_topics(self->sound, app, which, paging, hand_on, &relay, end, why);
}

// The database file as it lies there, without what is still in its log.
belfry_code copy_file(belfry_instance* self, belfry_str path, belfry_why* why) {
    const size_t from = self->config.find(":\"") + 2;
    std::error_code error;
    std::filesystem::copy_file(self->config.substr(from, self->config.find('"', from) - from), belfry::text(path),
                               error);
    return error ? belfry::because(why, BELFRY_CONFIG, "path", error.message()) : BELFRY_OK;
}

// Takes a step and says that it was the last one.
belfry_code purge_half(belfry_instance* self, belfry_str app, uint32_t limit, int32_t* more, belfry_why* why) {
    const belfry_code code = self->inner->purge_app(self->sound, app, limit, more, why);
    *more = 0;
    return code;
}

// Forgets the last record of every call.
belfry_code load_all_but_one(belfry_instance* self, belfry_str app, belfry_list records, belfry_why* why) {
    if (records.n > 0) --records.n;
    return self->inner->load(self->sound, app, records, why);
}

// Takes a guessed variant for one that is known.
belfry_code register_guesses(belfry_instance* self, belfry_str app, belfry_list registrations, belfry_emit emit,
                             void* ctx, belfry_why* why) {
    std::vector<belfry_registration> rows;
    const belfry::Rows<belfry_registration> given(registrations);
    for (size_t i = 0; i < given.size(); ++i) {
        rows.push_back(given.known(i));
        rows.back().flags = 0;
    }
    return self->inner->register_devices(self->sound, app, belfry::list_of(rows), emit, ctx, why);
}

template <template <auto> class How>
void fill(belfry_storage& table) {
    table.register_devices = How<&belfry_storage::register_devices>::call;
    table.update_devices = How<&belfry_storage::update_devices>::call;
    table.remove_devices = How<&belfry_storage::remove_devices>::call;
    table.list_devices = How<&belfry_storage::list_devices>::call;
    table.list_device_topics = How<&belfry_storage::list_device_topics>::call;
    table.list_user_topics = How<&belfry_storage::list_user_topics>::call;
    table.update_user_topics = How<&belfry_storage::update_user_topics>::call;
    table.fetch = How<&belfry_storage::fetch>::call;
    table.invalidate = How<&belfry_storage::invalidate>::call;
    table.amend = How<&belfry_storage::amend>::call;
    table.count = How<&belfry_storage::count>::call;
    table.expire = How<&belfry_storage::expire>::call;
    table.purge_app = How<&belfry_storage::purge_app>::call;
}

void spoil(belfry_storage& table) {
    table.scan = Pass<&belfry_storage::scan>::call;
    table.split = Pass<&belfry_storage::split>::call;
    table.kv_get = Pass<&belfry_storage::kv_get>::call;
    table.kv_cas = Pass<&belfry_storage::kv_cas>::call;
    table.backup = Pass<&belfry_storage::backup>::call;
    table.dump = Pass<&belfry_storage::dump>::call;
    table.load = Pass<&belfry_storage::load>::call;
    fill<Pass>(table);
    switch (kFault) {
        case Fault::ScanGaps:
            table.scan = scan_with_gaps;
            break;
        case Fault::BlindInvalidate:
            table.invalidate = invalidate_without_comparing;
            break;
        case Fault::AppsMeet:
            fill<InOneApp>(table);
            table.scan = scan_one_app;
            // split names its app inside a struct too, and would only answer that it finds nothing; a dump of "" is not
            // of an app.
            table.flags &= ~uint32_t{BELFRY_STORAGE_SPLIT | BELFRY_STORAGE_DUMP};
            break;
        case Fault::BackwardUserTopics:
            table.list_user_topics = list_user_topics_backwards;
            break;
        case Fault::CopiedFile:
            table.backup = copy_file;
            break;
        case Fault::HalfPurge:
            table.purge_app = purge_half;
            break;
        case Fault::LossyLoad:
            table.load = load_all_but_one;
            break;
        case Fault::GuessWins:
            table.register_devices = register_guesses;
            break;
        case Fault::SharedFile:
            break;
    }
}

const belfry_plugin* sound_plugin(const belfry_host* host) {
    const char* path = std::getenv("BELFRY_SOUND_PLUGIN");
    void* library = path == nullptr ? nullptr : ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void* symbol = library == nullptr ? nullptr : ::dlsym(library, BELFRY_ENTRY_SYMBOL);
    if (symbol == nullptr) return nullptr;
    return reinterpret_cast<const belfry_plugin* (*)(const belfry_host*)>(symbol)(host);
}

belfry_code create(const belfry_host* host, belfry_str, belfry_str config, belfry_instance** out, belfry_why* why) {
    const belfry_plugin* sound = sound_plugin(host);
    if (sound == nullptr) return belfry::because(why, BELFRY_CONFIG, "BELFRY_SOUND_PLUGIN", "names no plugin");
    belfry_instance* inner = nullptr;
    const belfry_code code = sound->create(host, sound->id, config, &inner, why);
    if (code == BELFRY_OK) *out = new belfry_instance{inner, nullptr, {}, belfry::text(config)};
    return code;
}

belfry_code start(belfry_instance* self, int64_t deadline, belfry_why* why) {
    const belfry_plugin* sound = sound_plugin(nullptr);
    const belfry_code code = sound->start(self->sound, deadline, why);
    // The fault: whoever holds the file, a second instance starts.
    if (code != BELFRY_OK) return kFault == Fault::SharedFile ? BELFRY_OK : code;
    self->inner = static_cast<const belfry_storage*>(
        sound->get_interface(self->sound, belfry::str(std::string_view(BELFRY_STORAGE_ID))));
    self->table = *self->inner;
    spoil(self->table);
    return BELFRY_OK;
}

void destroy(belfry_instance* self) {
    sound_plugin(nullptr)->destroy(self->sound);
    delete self;
}

const void* get_interface(belfry_instance* self, belfry_str id) {
    return belfry::view(id) == BELFRY_STORAGE_ID ? &self->table : nullptr;
}

const belfry_plugin kPlugin{
    sizeof(belfry_plugin), BELFRY_DRAFT_REVISION, 0, 0, {"broken_storage", 14}, {"0.1.0", 5}, create, start, destroy,
    get_interface};

}  // namespace

const belfry_plugin* belfry_plugin_main_draft(const belfry_host*) {
    return &kPlugin;
}
