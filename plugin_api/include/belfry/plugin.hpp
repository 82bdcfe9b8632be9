// SPDX-License-Identifier: Apache-2.0
// The C++ SDK: write a class, get a plugin. Header-only, C++17, over the C headers; nothing of it is part of the ABI.
//
//   class Acme final : public belfry::Provider<Acme> {  // provider.hpp; likewise storage.hpp, queue.hpp
//   public:
//       Acme(belfry::Services services, std::string_view config);       // pure: no I/O
//       void start(int64_t deadline_mono_ns) override;                  // reads secrets, declares endpoints
//       ...
//   };
//   BELFRY_PLUGIN("acme", "1.2.0", belfry::component<Acme>("acme"))     // once, at the end of one .cpp
//
// To refuse something, throw belfry::Refused(code, where, what). Any other exception becomes INTERNAL: none leaves the
// plugin. Threads: as tagged in the C headers; the SDK adds none.
#pragma once

#include <belfry/plugin.h>

#include <belfry/abi.hpp>
#include <belfry/services.hpp>
#include <cstdint>
#include <exception>
#include <string_view>
#include <type_traits>

namespace belfry {

// What a belfry_instance* of an SDK plugin points to.
class InstanceBase {
public:
    InstanceBase() = default;
    InstanceBase(const InstanceBase&) = delete;
    InstanceBase& operator=(const InstanceBase&) = delete;
    // [control] Joins every thread of the instance.
    virtual ~InstanceBase() = default;
    // [control] Opens what the instance needs; called once.
    virtual void start(int64_t deadline_mono_ns) { static_cast<void>(deadline_mono_ns); }
    // [any] The C table of an interface; null for others. The kind's base class answers it.
    virtual const void* table(std::string_view id) const noexcept = 0;
};

// Emits rows of one type; false: the host wants no more.
template <class Row>
class Emit {
public:
    Emit(belfry_emit emit, void* ctx) noexcept : emit_(emit), ctx_(ctx) {}
    bool operator()(const Row& row) const { return emit_(ctx_, one_row(row)) == 0; }
    // Many rows in one call: any contiguous container of Row.
    template <class Container>
    bool all(const Container& rows) const {
        return emit_(ctx_, list_of(rows)) == 0;
    }
    belfry_emit raw() const noexcept { return emit_; }
    void* ctx() const noexcept { return ctx_; }

private:
    belfry_emit emit_;
    void* ctx_;
};

namespace sdk {

// Runs the plugin's code behind a wall: what it throws becomes a code and a reason.
template <class Body>
belfry_code walled(belfry_why* why, Body&& body) noexcept {
    try {
        body();
        return BELFRY_OK;
    } catch (const Refused& refused) {
        if (why != nullptr) why->retry_after_ms = refused.retry_after_ms();
        return because(why, refused.code(), refused.where(), refused.what());
    } catch (const std::exception& e) {
        return because(why, BELFRY_INTERNAL, {}, e.what());
    } catch (...) {
        return because(why, BELFRY_INTERNAL, {}, "the plugin threw something that is no exception");
    }
}

inline belfry_instance* to_abi(InstanceBase* instance) noexcept {
    return static_cast<belfry_instance*>(static_cast<void*>(instance));
}
// The object behind an instance; T is its class or the kind's base, which to_abi was given as InstanceBase.
template <class T>
T& self(belfry_instance* instance) noexcept {
    return static_cast<T&>(*static_cast<InstanceBase*>(static_cast<void*>(instance)));
}

// Whether T has its own version of a member function of Base: only then does the table offer it.
template <class Own, class Inherited>
constexpr bool is_overridden(Own, Inherited) noexcept {
    return !std::is_same_v<Own, Inherited>;
}

struct ComponentEntry {
    std::string_view name;
    InstanceBase* (*make)(Services services, std::string_view config);
};

inline constexpr size_t kComponentsMax = 16;

// The plugin's table and its components, filled by the first call of the entry function.
struct PluginData {
    belfry_plugin table{};
    ComponentEntry components[kComponentsMax]{};
    size_t n = 0;
};
inline PluginData& plugin_data() noexcept {
    static PluginData data;
    return data;
}

inline belfry_code create(const belfry_host* host, belfry_str component, belfry_str config, belfry_instance** out,
                          belfry_why* why) noexcept {
    return walled(why, [&] {
        const PluginData& data = plugin_data();
        for (size_t i = 0; i < data.n; ++i) {
            if (data.components[i].name != view(component)) continue;
            *out = to_abi(data.components[i].make(Services(host), view(config)));
            return;
        }
        throw Refused(BELFRY_BAD_REQUEST, "component", "this plugin has no component " + text(component));
    });
}
inline belfry_code start(belfry_instance* instance, int64_t deadline_mono_ns, belfry_why* why) noexcept {
    return walled(why, [&] { self<InstanceBase>(instance).start(deadline_mono_ns); });
}
inline void destroy(belfry_instance* instance) noexcept {
    delete &self<InstanceBase>(instance);
}
inline const void* get_interface(belfry_instance* instance, belfry_str id) noexcept {
    return self<InstanceBase>(instance).table(view(id));
}

template <class... Components>
const belfry_plugin* enter(std::string_view id, std::string_view version, uint32_t needs_minor,
                           Components... components) noexcept {
    static_assert(sizeof...(Components) >= 1 && sizeof...(Components) <= kComponentsMax, "one to sixteen components");
    PluginData& data = plugin_data();
    data.n = 0;
    ((data.components[data.n++] = components), ...);
    data.table = sized<belfry_plugin>();
    data.table.draft_revision = BELFRY_DRAFT_REVISION;
    data.table.needs_minor = needs_minor;
    data.table.id = str(id);
    data.table.version = str(version);
    data.table.create = create;
    data.table.start = start;
    data.table.destroy = destroy;
    data.table.get_interface = get_interface;
    return &data.table;
}

}  // namespace sdk

// A component of the manifest and the class that implements it, made with (Services, config).
template <class T>
sdk::ComponentEntry component(std::string_view name) noexcept {
    static_assert(std::is_base_of_v<InstanceBase, T>, "derive from ProviderBase, StorageBase, QueueBase or SinkBase");
    return {name, [](Services services, std::string_view config) -> InstanceBase* { return new T(services, config); }};
}

}  // namespace belfry

// Defines the entry function. id and version are those of the manifest. Plugins that use only what ABI 1.0 has need
// minor 0.
#define BELFRY_PLUGIN_NEEDS(id, version, needs_minor, ...)                                       \
    extern "C" BELFRY_EXPORT const belfry_plugin* belfry_plugin_main_draft(const belfry_host*) { \
        return ::belfry::sdk::enter(id, version, needs_minor, __VA_ARGS__);                      \
    }                                                                                            \
    static_assert(true, "a semicolon may follow")
#define BELFRY_PLUGIN(id, version, ...) BELFRY_PLUGIN_NEEDS(id, version, 0, __VA_ARGS__)
