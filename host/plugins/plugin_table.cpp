// SPDX-License-Identifier: Apache-2.0
#include "plugins/plugin_table.h"

#include <belfry/abi.hpp>
#include <cstddef>

#include "plugins/call.h"
#include "plugins/limiter.h"
#include "plugins/provider.h"
#include "plugins/queue.h"
#include "plugins/refusal.h"
#include "plugins/sink.h"
#include "plugins/storage.h"

namespace belfry::plugins {

namespace {

constexpr size_t kTableBytesMin = offsetof(belfry_plugin, get_interface) + sizeof(belfry_plugin::get_interface);

std::string missing_of(Kind kind, const void* table) {
    switch (kind) {
        case Kind::Storage:
            return Storage::missing(known_part<belfry_storage>(table));
        case Kind::Queue:
            return Queue::missing(known_part<belfry_queue>(table));
        case Kind::Provider:
            return Provider::missing(known_part<belfry_provider>(table));
        case Kind::Sink:
            return Sink::missing(known_part<belfry_sink>(table));
    }
    return "everything";
}

// Null, also if the plugin lets an exception out.
const void* asked_for(const belfry_plugin& plugin, belfry_instance* instance, std::string_view id) {
    try {
        return plugin.get_interface(instance, str(id));
    } catch (...) {
        return nullptr;
    }
}

std::string missing_functions(const belfry_plugin& table) {
    std::string names;
    const auto need = [&](bool there, const char* name) {
        if (!there) names += (names.empty() ? "" : ", ") + std::string(name);
    };
    need(table.create != nullptr, "create");
    need(table.start != nullptr, "start");
    need(table.destroy != nullptr, "destroy");
    need(table.get_interface != nullptr, "get_interface");
    return names;
}

}  // namespace

Result<belfry_plugin> enter(EntryFunction entry, const belfry_host* host, const Manifest& manifest,
                            const std::string& file) {
    const belfry_plugin* raw = nullptr;
    try {
        raw = entry(host);
    } catch (...) {
        return refusal(file, "its entry function let an exception out", "report it to the plugin's author");
    }
    if (raw == nullptr)
        return refusal(file, "its entry function returned NULL: it refuses this host",
                       "see the plugin's own documentation");
    if (raw->size < kTableBytesMin) {
        return refusal(file,
                       "its table has " + std::to_string(raw->size) + " bytes, at least " +
                           std::to_string(kTableBytesMin) + " are needed",
                       "set size from sizeof(belfry_plugin)");
    }
    const belfry_plugin table = known_part<belfry_plugin>(raw);
    if (table.draft_revision != BELFRY_DRAFT_REVISION) {
        return refusal(file,
                       "its table was built for draft revision " + std::to_string(table.draft_revision) +
                           ", this host speaks " + std::to_string(BELFRY_DRAFT_REVISION),
                       "rebuild the plugin with this host's headers");
    }
    if (table.needs_minor > BELFRY_ABI_MINOR) {
        return refusal(file,
                       "its table needs plugin ABI 1." + std::to_string(table.needs_minor) + ", this host has 1." +
                           std::to_string(BELFRY_ABI_MINOR),
                       "update Belfry or take an older version of the plugin");
    }
    if (view(table.id) != manifest.id) {
        return refusal(file, "its table says id \"" + text(table.id) + "\", the manifest \"" + manifest.id + "\"",
                       "install the manifest that belongs to this build");
    }
    if (view(table.version) != manifest.version) {
        return refusal(
            file, "its table says version \"" + text(table.version) + "\", the manifest \"" + manifest.version + "\"",
            "install the manifest that belongs to this build");
    }
    const std::string missing = missing_functions(table);
    if (!missing.empty()) return refusal(file, "its table lacks " + missing, "every plugin has them");
    return table;
}

void DestroyInstance::operator()(belfry_instance* instance) const noexcept {
    try {
        destroy(instance);
    } catch (...) {  // nothing is left that could be told about it
    }
}

Result<InstancePtr> create_instance(const belfry_plugin& plugin, const belfry_host* host, const std::string& component,
                                    const std::string& config, const std::string& instance_name) {
    Faults faults(instance_name);
    belfry_instance* raw = nullptr;
    Door door(nullptr, faults, 0);
    const Status done = door.call("create", [&](belfry_instance*, belfry_why* why) {
        return plugin.create(host, str(std::string_view(component)), str(std::string_view(config)), &raw, why);
    });
    if (!done) return done.error();  // whatever *out says then, there is no instance
    if (raw == nullptr)
        return error(ErrorCode::Internal, "create answered OK without an instance; report it to the plugin's author");
    return InstancePtr(raw, DestroyInstance{plugin.destroy});
}

Result<const void*> interface_of(const belfry_plugin& plugin, belfry_instance* instance, const Component& component,
                                 const std::string& file) {
    const std::string_view id = interface_id(component.kind);
    const void* table = asked_for(plugin, instance, id);
    const std::string place = "component \"" + component.name + "\"";
    if (table == nullptr)
        return refusal(file, place + " does not offer " + std::string(id),
                       "implement it, or correct its kind in the manifest");
    const std::string missing = missing_of(component.kind, table);
    if (!missing.empty())
        return refusal(file, place + ": its " + std::string(id) + " table lacks " + missing,
                       "implement them or set size from sizeof");
    return table;
}

Result<const void*> limiter_of(const belfry_plugin& plugin, belfry_instance* instance, const Component& component,
                               const std::string& file) {
    if (component.kind != Kind::Queue) return nullptr;
    const void* table = asked_for(plugin, instance, BELFRY_LIMITER_ID);
    if (table == nullptr) return nullptr;
    const std::string missing = Limiter::missing(known_part<belfry_limiter>(table));
    if (missing.empty()) return table;
    return refusal(file, "component \"" + component.name + "\": its " BELFRY_LIMITER_ID " table lacks " + missing,
                   "implement it, or answer NULL to " BELFRY_LIMITER_ID);
}

}  // namespace belfry::plugins
