// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/plugin.h"

#include <dlfcn.h>

#include <belfry/limiter.h>
#include <belfry/provider.h>
#include <belfry/queue.h>
#include <belfry/storage.h>

#include <array>
#include <belfry/abi.hpp>
#include <filesystem>

#include "conformance/runner/runner.h"
#include "conformance/runner/trace.h"

namespace belfry::conformance {

namespace {

const belfry_plugin* load(FakeHost& host, const std::string& path) {
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw Failed(std::string("cannot load: ") + ::dlerror());
    void* symbol = ::dlsym(library, BELFRY_ENTRY_SYMBOL);
    if (symbol == nullptr) throw Failed(std::string("no symbol ") + BELFRY_ENTRY_SYMBOL);
    const auto entry = reinterpret_cast<const belfry_plugin* (*)(const belfry_host*)>(symbol);
    const belfry_plugin* plugin = entry(host.table());
    if (plugin == nullptr) throw Failed("the entry function refused this host");
    if (plugin->draft_revision != BELFRY_DRAFT_REVISION) throw Failed("built for another draft revision");
    return plugin;
}

std::string component_of(const FakeHost& host, const std::string& path, std::string_view component) {
    if (!component.empty()) return std::string(component);
    return host.component().empty() ? std::filesystem::path(path).stem().string() : host.component();
}

// The table itself, or with --trace one that tells what goes through it.
const void* watched(const belfry_instance* instance, std::string_view id, const void* table) {
    if (table == nullptr || !trace::on()) return table;
    if (id == BELFRY_STORAGE_ID) return trace::traced(instance, *static_cast<const belfry_storage*>(table));
    if (id == BELFRY_QUEUE_ID) return trace::traced(instance, *static_cast<const belfry_queue*>(table));
    if (id == BELFRY_LIMITER_ID) return trace::traced(instance, *static_cast<const belfry_limiter*>(table));
    if (id == BELFRY_PROVIDER_ID) return trace::traced(instance, *static_cast<const belfry_provider*>(table));
    return table;
}

void tell(const std::string& line) {
    if (trace::on()) trace::write_line(line);
}

}  // namespace

Instance::Instance(FakeHost& host, const std::string& plugin_path, const std::string& config,
                   std::string_view interface_id, std::string_view component) {
    plugin_ = load(host, plugin_path);
    belfry_why why{};
    const std::string name = component_of(host, plugin_path, component);
    belfry_code code =
        plugin_->create(host.table(), str(std::string_view(name)), str(std::string_view(config)), &instance_, &why);
    tell("  . create(" + name + ", " + config + ") = " + said(code, why));
    if (code != BELFRY_OK) throw Failed("create: " + said(code, why));
    code = plugin_->start(instance_, host.far_deadline(), &why);
    tell("  . start = " + said(code, why));
    if (code != BELFRY_OK) {
        stop();
        throw Failed("start: " + said(code, why));
    }
    table_ = watched(instance_, interface_id, plugin_->get_interface(instance_, str(interface_id)));
    if (table_ == nullptr) {
        stop();
        throw Failed("the instance does not offer " + std::string(interface_id));
    }
}

const void* Instance::other_interface(std::string_view id) const {
    return watched(instance_, id, plugin_->get_interface(instance_, str(id)));
}

void Instance::stop() noexcept {
    if (instance_ == nullptr) return;
    plugin_->destroy(instance_);
    tell("  . destroy");
    instance_ = nullptr;
}

belfry_code Instance::try_start(FakeHost& host, const std::string& plugin_path, const std::string& config,
                                belfry_why* why) {
    const belfry_plugin* plugin = load(host, plugin_path);
    belfry_instance* instance = nullptr;
    const std::string name = component_of(host, plugin_path, {});
    belfry_code code =
        plugin->create(host.table(), str(std::string_view(name)), str(std::string_view(config)), &instance, why);
    if (code != BELFRY_OK) return code;
    code = plugin->start(instance, host.far_deadline(), why);
    plugin->destroy(instance);
    return code;
}

std::string said(belfry_code code, const belfry_why& why) {
    constexpr std::array<const char*, 18> kNames{"OK",        "RETRY_LATER", "BUSY",      "BAD_REQUEST", "AUTH",
                                                 "NOT_FOUND", "CONFLICT",    "DUPLICATE", "TOO_LARGE",   "FENCED",
                                                 "STOPPED",   "PAUSED",      "DEADLINE",  "UNSUPPORTED", "STORE_FULL",
                                                 "CORRUPT",   "CONFIG",      "INTERNAL"};
    const auto number = static_cast<size_t>(static_cast<uint32_t>(code) >> 16);
    std::string text = number < kNames.size() ? kNames[number] : "code " + std::to_string(code);
    if (why.text[0] != '\0')
        text += std::string(" (") + why.where + (why.where[0] != '\0' ? ": " : "") + why.text + ")";
    return text;
}

}  // namespace belfry::conformance
