// SPDX-License-Identifier: Apache-2.0
// What a plugin's tables must have before the host calls through them. Used by the loader and by the probe. Threads:
// [control].
#pragma once

#include <belfry/plugin.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "plugins/manifest.h"

namespace belfry::plugins {

using EntryFunction = const belfry_plugin* (*)(const belfry_host*);

// Calls the entry function and checks what it returns; the answer is this host's part of the table. Errors are lines
// that begin with `file`.
Result<belfry_plugin> enter(EntryFunction entry, const belfry_host* host, const Manifest& manifest,
                            const std::string& file);

// Ends an instance when its owner goes. Threads: [control].
struct DestroyInstance {
    void (*destroy)(belfry_instance*) = nullptr;
    void operator()(belfry_instance* instance) const noexcept;
};
using InstancePtr = std::unique_ptr<belfry_instance, DestroyInstance>;

// create(), with a wall against exceptions. The error says which component refused and why.
Result<InstancePtr> create_instance(const belfry_plugin& plugin, const belfry_host* host, const std::string& component,
                                    const std::string& config, const std::string& instance_name);

// The instance's table for its kind, complete as far as mandatory functions go.
Result<const void*> interface_of(const belfry_plugin& plugin, belfry_instance* instance, const Component& component,
                                 const std::string& file);

// The table of the queue's limiter, null if it has none; complete if it is there.
Result<const void*> limiter_of(const belfry_plugin& plugin, belfry_instance* instance, const Component& component,
                               const std::string& file);

}  // namespace belfry::plugins
