// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/plugin.h"

#include <dlfcn.h>

#include <belfry/provider.h>
#include <belfry/storage.h>
#include <belfry/abi.hpp>

#include <array>
#include <chrono>
#include <filesystem>

#include "conformance/runner/runner.h"

namespace belfry::conformance {

namespace {

constexpr size_t kLogLinesMax = 1000;

template <class Duration, class TimePoint>
int64_t count(TimePoint now) noexcept {
    return std::chrono::duration_cast<Duration>(now.time_since_epoch()).count();
}

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

std::string component_of(const std::string& path, std::string_view component) {
    return component.empty() ? std::filesystem::path(path).stem().string() : std::string(component);
}

}  // namespace

FakeHost::FakeHost(std::string state_directory)
    : bridge_{}, log_{}, clock_{}, state_{}, state_directory_(std::move(state_directory)) {
    std::filesystem::create_directories(state_directory_);
    bridge_.table = sized<belfry_host>();
    bridge_.table.abi_minor = BELFRY_ABI_MINOR;
    bridge_.table.service = &FakeHost::service;
    bridge_.self = this;
    log_ = sized<belfry_log>();
    log_.enabled = [](const belfry_host*, int32_t level) noexcept -> int32_t {
        return level >= BELFRY_LEVEL_INFO ? 1 : 0;
    };
    log_.write = &FakeHost::write_line;
    clock_ = sized<belfry_clock>();
    clock_.mono_ns = [](const belfry_host* host) noexcept { return of(host).mono_ns(); };
    clock_.unix_ms = [](const belfry_host* host) noexcept { return of(host).unix_ms(); };
    state_ = sized<belfry_state>();
    state_.directory = &FakeHost::directory;
    state_.get = &FakeHost::get;
    state_.cas = &FakeHost::cas;
}

FakeHost& FakeHost::of(const belfry_host* host) noexcept {
    // The table is the bridge's first member.
    return *reinterpret_cast<const Bridge*>(host)->self;
}

const void* FakeHost::service(const belfry_host* host, belfry_str id) noexcept {
    const std::string_view name = view(id);
    if (name == BELFRY_LOG_ID) return &of(host).log_;
    if (name == BELFRY_CLOCK_ID) return &of(host).clock_;
    if (name == BELFRY_STATE_ID) return &of(host).state_;
    return nullptr;
}

int64_t FakeHost::unix_ms() const noexcept {
    return count<std::chrono::milliseconds>(std::chrono::system_clock::now()) + offset_ms_.load();
}
int64_t FakeHost::mono_ns() const noexcept {
    return count<std::chrono::nanoseconds>(std::chrono::steady_clock::now());
}
int64_t FakeHost::far_deadline() const noexcept {
    return mono_ns() + int64_t{3600} * 1000000000;
}

void FakeHost::write_line(const belfry_host* host, int32_t level, belfry_str event, belfry_list fields) noexcept {
    FakeHost& self = of(host);
    std::string line = std::to_string(level) + " " + text(event);
    for (const belfry_header& field : Rows<belfry_header>(fields))
        line += " " + text(field.name) + "=" + text(field.value);
    const std::lock_guard hold(self.mutex_);
    if (self.lines_.size() < kLogLinesMax) self.lines_.push_back(std::move(line));
}

std::vector<std::string> FakeHost::log_lines() const {
    const std::lock_guard hold(mutex_);
    return lines_;
}

belfry_code FakeHost::directory(const belfry_host* host, belfry_emit emit, void* ctx, belfry_why*) noexcept {
    const belfry_str row = str(of(host).state_directory_);
    emit(ctx, one_row(row));
    return BELFRY_OK;
}

belfry_code FakeHost::get(const belfry_host* host, int32_t scope, belfry_str key, belfry_emit emit, void* ctx,
                          belfry_why*) noexcept {
    FakeHost& self = of(host);
    const std::lock_guard hold(self.mutex_);
    const auto found = self.values_.find(std::to_string(scope) + "/" + text(key));
    if (found == self.values_.end()) return BELFRY_OK;
    belfry_kv row = sized<belfry_kv>();
    row.key = key;
    row.value = str(found->second.second);
    row.version = found->second.first;
    emit(ctx, one_row(row));
    return BELFRY_OK;
}

belfry_code FakeHost::cas(const belfry_host* host, int32_t scope, belfry_str key, int64_t version, belfry_str value,
                          belfry_why* why) noexcept {
    FakeHost& self = of(host);
    const std::lock_guard hold(self.mutex_);
    const std::string name = std::to_string(scope) + "/" + text(key);
    const auto found = self.values_.find(name);
    const int64_t stored = found == self.values_.end() ? 0 : found->second.first;
    if (stored != version) return because(why, BELFRY_CONFLICT, "version", "the stored version differs");
    self.values_[name] = {version + 1, text(value)};
    return BELFRY_OK;
}

Instance::Instance(FakeHost& host, const std::string& plugin_path, const std::string& config,
                   std::string_view interface_id, std::string_view component) {
    plugin_ = load(host, plugin_path);
    belfry_why why{};
    const std::string name = component_of(plugin_path, component);
    belfry_code code =
        plugin_->create(host.table(), str(std::string_view(name)), str(std::string_view(config)), &instance_, &why);
    if (code != BELFRY_OK) throw Failed("create: " + said(code, why));
    code = plugin_->start(instance_, host.far_deadline(), &why);
    if (code != BELFRY_OK) {
        stop();
        throw Failed("start: " + said(code, why));
    }
    table_ = plugin_->get_interface(instance_, str(interface_id));
    if (table_ == nullptr) {
        stop();
        throw Failed("the instance does not offer " + std::string(interface_id));
    }
}

void Instance::stop() noexcept {
    if (instance_ == nullptr) return;
    plugin_->destroy(instance_);
    instance_ = nullptr;
}

belfry_code Instance::try_start(FakeHost& host, const std::string& plugin_path, const std::string& config,
                                belfry_why* why) {
    const belfry_plugin* plugin = load(host, plugin_path);
    belfry_instance* instance = nullptr;
    const std::string name = component_of(plugin_path, {});
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
