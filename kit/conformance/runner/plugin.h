// SPDX-License-Identifier: Apache-2.0
// A plugin under test, loaded and driven through nothing but the C ABI.
//
// Threads: [control]. Not here: the host it sees (fake_host.h).
#pragma once

#include <belfry/plugin.h>

#include <string>
#include <string_view>

#include "conformance/runner/fake_host.h"

namespace belfry::conformance {

// One started instance of the component that offers `interface_id`. Ends with destroy.
class Instance {
public:
    // Loads the plugin, takes the host's component, else the one that is named as the plugin's file, unless
    // `component` is given, creates and starts. Throws Failed with the plugin's own words if any of that does not work.
    Instance(FakeHost& host, const std::string& plugin_path, const std::string& config, std::string_view interface_id,
             std::string_view component = {});
    ~Instance() { stop(); }
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    void stop() noexcept;
    belfry_instance* get() const noexcept { return instance_; }
    const void* interface_table() const noexcept { return table_; }
    // The table of another interface; null if the instance does not offer it.
    const void* other_interface(std::string_view id) const;

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
