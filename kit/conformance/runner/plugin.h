// SPDX-License-Identifier: Apache-2.0
// A plugin under test, loaded and driven through nothing but the C ABI, and the small host it sees: log, clock and
// state services.
//
// Threads: FakeHost's services [any]; Instance [control].
#pragma once

#include <belfry/plugin.h>
#include <belfry/services.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::conformance {

// The wall clock a plugin sees runs with the real one plus an offset that tests move.
class FakeHost {
public:
    explicit FakeHost(std::string state_directory);
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;

    const belfry_host* table() const noexcept { return &bridge_.table; }
    int64_t unix_ms() const noexcept;
    int64_t mono_ns() const noexcept;
    // A deadline so far away that no call meets it.
    int64_t far_deadline() const noexcept;
    void advance_ms(int64_t by) noexcept { offset_ms_ += by; }
    std::vector<std::string> log_lines() const;

private:
    struct Bridge {
        belfry_host table;
        FakeHost* self;
    };
    static FakeHost& of(const belfry_host* host) noexcept;
    static const void* service(const belfry_host*, belfry_str id) noexcept;
    static void write_line(const belfry_host*, int32_t level, belfry_str event, belfry_list fields) noexcept;
    static belfry_code directory(const belfry_host*, belfry_emit, void* ctx, belfry_why*) noexcept;
    static belfry_code get(const belfry_host*, int32_t scope, belfry_str key, belfry_emit, void* ctx,
                           belfry_why*) noexcept;
    static belfry_code cas(const belfry_host*, int32_t scope, belfry_str key, int64_t version, belfry_str value,
                           belfry_why*) noexcept;

    Bridge bridge_;
    belfry_log log_;
    belfry_clock clock_;
    belfry_state state_;
    std::string state_directory_;
    std::atomic<int64_t> offset_ms_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    std::map<std::string, std::pair<int64_t, std::string>> values_;
};

// One started instance of the component that offers `interface_id`. Ends with destroy.
class Instance {
public:
    // Loads the plugin, takes the component whose name is the plugin's file name unless `component` is given, creates
    // and starts. Throws Failed with the plugin's own words if any of that does not work.
    Instance(FakeHost& host, const std::string& plugin_path, const std::string& config, std::string_view interface_id,
             std::string_view component = {});
    ~Instance() { stop(); }
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    void stop() noexcept;
    belfry_instance* get() const noexcept { return instance_; }
    const void* interface_table() const noexcept { return table_; }

    // create and start without throwing, for cases about refusals: the code of the call that failed, OK if none.
    static belfry_code try_start(FakeHost& host, const std::string& plugin_path, const std::string& config,
                                 belfry_why* why);

private:
    const belfry_plugin* plugin_ = nullptr;
    belfry_instance* instance_ = nullptr;
    const void* table_ = nullptr;
};

// "CLASS (where: text)" for messages.
std::string said(belfry_code code, const belfry_why& why);

}  // namespace belfry::conformance
