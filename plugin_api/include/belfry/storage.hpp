// SPDX-License-Identifier: Apache-2.0
// The C++ SDK for token storages: every call of storage.h as a member function; what each means is written there.
// See plugin.hpp. Throw Refused for RETRY_LATER, STORE_FULL, CORRUPT ...
#pragma once

#include <belfry/storage.h>

#include <belfry/plugin.hpp>
#include <cstdint>
#include <string_view>

namespace belfry {

class StorageBase : public InstanceBase {
public:
    // Shadow these in the derived class: BELFRY_STORAGE_* flags, and calls at once (0 = any number).
    static constexpr uint32_t kFlags = 0;
    static constexpr uint32_t kConcurrency = 0;

    using App = std::string_view;
    virtual void register_devices(App app, Rows<belfry_registration> rows, const Emit<belfry_registered>& emit) = 0;
    virtual void update_devices(App app, const belfry_selection& which, const belfry_patch& patch,
                                const Emit<belfry_item_result>& emit) = 0;
    virtual void remove_devices(App app, const belfry_selection& which, const Emit<belfry_item_result>& emit) = 0;
    virtual void list_devices(App app, const belfry_selection& which, const belfry_paging& paging,
                              const Emit<belfry_device>& emit, belfry_page_end& end) = 0;
    virtual void list_device_topics(App app, const belfry_selection& which, const belfry_paging& paging,
                                    const Emit<belfry_topic_row>& emit, belfry_page_end& end) = 0;
    virtual void list_user_topics(App app, const belfry_selection& which, const belfry_paging& paging,
                                  const Emit<belfry_topic_row>& emit, belfry_page_end& end) = 0;
    virtual void update_user_topics(App app, Rows<belfry_user_topics> changes,
                                    const Emit<belfry_item_result>& emit) = 0;
    // True: nothing is left below hi.
    virtual bool scan(const belfry_scan& what, const Emit<belfry_device>& emit, int64_t& cursor) = 0;
    virtual void fetch(App app, int32_t by, belfry_list values, uint32_t each, uint32_t fields,
                       int64_t deadline_mono_ns, const Emit<belfry_device>& emit) = 0;
    virtual void invalidate(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit) = 0;
    virtual void amend(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit) = 0;
    virtual void kv_get(std::string_view key, const Emit<belfry_kv>& emit) = 0;
    virtual void kv_cas(const belfry_kv& kv) = 0;
    // Optional ones; those declared in kFlags must be there.
    virtual int64_t count(App, const belfry_selection&, int64_t) { throw missing("count"); }
    virtual int64_t split(const belfry_scan&) { throw missing("split"); }
    // True: call again.
    virtual bool expire(App, int64_t, uint32_t, uint32_t&) { throw missing("expire"); }
    virtual void dump(App, const belfry_paging&, const Emit<belfry_str>&, belfry_page_end&) { throw missing("dump"); }
    virtual void load(App, Rows<belfry_str>) { throw missing("load"); }
    virtual void backup(std::string_view) { throw missing("backup"); }
    // True: call again.
    virtual bool purge_app(App, uint32_t) { throw missing("purge_app"); }

private:
    static Refused missing(const char* name) {
        return Refused(BELFRY_UNSUPPORTED, {}, std::string("this storage does not offer ") + name);
    }
};

namespace sdk {

template <class T>
struct StorageTable {
    using I = belfry_instance*;
    using W = belfry_why*;
    using S = belfry_str;
    static belfry_code register_devices(I i, S app, belfry_list rows, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).register_devices(view(app), Rows<belfry_registration>(rows), {e, c}); });
    }
    static belfry_code update_devices(I i, S app, const belfry_selection* which, const belfry_patch* patch,
                                      belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] {
            self<T>(i).update_devices(view(app), known_part<belfry_selection>(which), known_part<belfry_patch>(patch),
                                      {e, c});
        });
    }
    static belfry_code remove_devices(I i, S app, const belfry_selection* which, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).remove_devices(view(app), known_part<belfry_selection>(which), {e, c}); });
    }
    static belfry_code list_devices(I i, S app, const belfry_selection* which, const belfry_paging* paging,
                                    belfry_emit e, void* c, belfry_page_end* end, W w) noexcept {
        return walled(w, [&] {
            self<T>(i).list_devices(view(app), known_part<belfry_selection>(which), known_part<belfry_paging>(paging),
                                    {e, c}, *end);
        });
    }
    static belfry_code list_device_topics(I i, S app, const belfry_selection* which, const belfry_paging* paging,
                                          belfry_emit e, void* c, belfry_page_end* end, W w) noexcept {
        return walled(w, [&] {
            self<T>(i).list_device_topics(view(app), known_part<belfry_selection>(which),
                                          known_part<belfry_paging>(paging), {e, c}, *end);
        });
    }
    static belfry_code list_user_topics(I i, S app, const belfry_selection* which, const belfry_paging* paging,
                                        belfry_emit e, void* c, belfry_page_end* end, W w) noexcept {
        return walled(w, [&] {
            self<T>(i).list_user_topics(view(app), known_part<belfry_selection>(which),
                                        known_part<belfry_paging>(paging), {e, c}, *end);
        });
    }
    static belfry_code update_user_topics(I i, S app, belfry_list changes, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).update_user_topics(view(app), Rows<belfry_user_topics>(changes), {e, c}); });
    }
    static belfry_code scan(I i, const belfry_scan* what, belfry_emit e, void* c, int64_t* cursor, int32_t* end,
                            W w) noexcept {
        return walled(w, [&] { *end = self<T>(i).scan(known_part<belfry_scan>(what), {e, c}, *cursor) ? 1 : 0; });
    }
    static belfry_code fetch(I i, S app, int32_t by, belfry_list values, uint32_t each, uint32_t fields,
                             int64_t deadline_mono_ns, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).fetch(view(app), by, values, each, fields, deadline_mono_ns, {e, c}); });
    }
    static belfry_code invalidate(I i, S app, belfry_list facts, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).invalidate(view(app), Rows<belfry_fact>(facts), {e, c}); });
    }
    static belfry_code amend(I i, S app, belfry_list facts, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).amend(view(app), Rows<belfry_fact>(facts), {e, c}); });
    }
    static belfry_code kv_get(I i, S key, belfry_emit e, void* c, W w) noexcept {
        return walled(w, [&] { self<T>(i).kv_get(view(key), {e, c}); });
    }
    static belfry_code kv_cas(I i, const belfry_kv* kv, W w) noexcept {
        return walled(w, [&] { self<T>(i).kv_cas(known_part<belfry_kv>(kv)); });
    }
    static belfry_code count(I i, S app, const belfry_selection* which, int64_t deadline_mono_ns, int64_t* n,
                             W w) noexcept {
        return walled(w,
                      [&] { *n = self<T>(i).count(view(app), known_part<belfry_selection>(which), deadline_mono_ns); });
    }
    static belfry_code split(I i, const belfry_scan* what, int64_t* middle, W w) noexcept {
        return walled(w, [&] { *middle = self<T>(i).split(known_part<belfry_scan>(what)); });
    }
    static belfry_code expire(I i, S app, int64_t before_unix_ms, uint32_t limit, uint32_t* removed, int32_t* more,
                              W w) noexcept {
        return walled(w, [&] { *more = self<T>(i).expire(view(app), before_unix_ms, limit, *removed) ? 1 : 0; });
    }
    static belfry_code dump(I i, S app, const belfry_paging* paging, belfry_emit e, void* c, belfry_page_end* end,
                            W w) noexcept {
        return walled(w, [&] { self<T>(i).dump(view(app), known_part<belfry_paging>(paging), {e, c}, *end); });
    }
    static belfry_code load(I i, S app, belfry_list records, W w) noexcept {
        return walled(w, [&] { self<T>(i).load(view(app), Rows<belfry_str>(records)); });
    }
    static belfry_code backup(I i, S path, W w) noexcept {
        return walled(w, [&] { self<T>(i).backup(view(path)); });
    }
    static belfry_code purge_app(I i, S app, uint32_t limit, int32_t* more, W w) noexcept {
        return walled(w, [&] { *more = self<T>(i).purge_app(view(app), limit) ? 1 : 0; });
    }
    static belfry_storage make() noexcept {
        using B = StorageBase;
        belfry_storage table = sized<belfry_storage>();
        table.flags = T::kFlags;
        table.concurrency = T::kConcurrency;
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
        if constexpr (is_overridden(&T::count, &B::count)) table.count = count;
        if constexpr (is_overridden(&T::split, &B::split)) table.split = split;
        if constexpr (is_overridden(&T::expire, &B::expire)) table.expire = expire;
        if constexpr (is_overridden(&T::dump, &B::dump)) table.dump = dump;
        if constexpr (is_overridden(&T::load, &B::load)) table.load = load;
        if constexpr (is_overridden(&T::backup, &B::backup)) table.backup = backup;
        if constexpr (is_overridden(&T::purge_app, &B::purge_app)) table.purge_app = purge_app;
        return table;
    }
};

}  // namespace sdk

// Completes a storage: class Acme final : public belfry::Storage<Acme>.
template <class T>
class Storage : public StorageBase {
public:
    const void* table(std::string_view id) const noexcept final {
        static const belfry_storage made = sdk::StorageTable<T>::make();
        return id == BELFRY_STORAGE_ID ? &made : nullptr;
    }
};

}  // namespace belfry
