// SPDX-License-Identifier: Apache-2.0
// One created and started object of a plugin, with the adapter for its kind. A changed configuration makes a new
// generation; work in flight keeps the old one until its last page.
//
// Threads: adapters as they say; made and destroyed on the instance's control thread. Owner: shared by the Instance
// (the current one) and by whatever is in flight on it; the last reference may be dropped by any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/assert.h"
#include "base/result.h"
#include "plugins/component.h"
#include "plugins/faults.h"
#include "plugins/host_factory.h"
#include "plugins/limiter.h"
#include "plugins/plugin_table.h"
#include "plugins/provider.h"
#include "plugins/queue.h"
#include "plugins/sink.h"
#include "plugins/storage.h"

namespace belfry::plugins {

// A start that failed like this may succeed later.
bool may_pass(ErrorCode code) noexcept;

class Generation {
public:
    // [control] create, get_interface, start.
    static Result<std::unique_ptr<Generation>> begin(const PreparedComponent& component, HostFactory& hosts,
                                                     std::shared_ptr<Faults> faults, uint64_t number,
                                                     int64_t deadline_mono_ns);
    ~Generation() = default;  // [control] destroys the instance
    Generation(const Generation&) = delete;
    Generation& operator=(const Generation&) = delete;

    uint64_t number() const noexcept { return number_; }
    const HostSettings& settings() const noexcept { return component_.settings; }
    const PreparedComponent& component() const noexcept { return component_; }
    // [any]
    HostFacts facts() const { return host_->facts(); }
    // The adapter; the kind must be the instance's.
    Storage& storage() { return as<Storage>(); }
    Queue& queue() { return as<Queue>(); }
    // Of a queue; null if its plugin limits no rates.
    Limiter* limiter() noexcept { return limiter_ ? &*limiter_ : nullptr; }
    Provider& provider() { return as<Provider>(); }
    Sink& sink() { return as<Sink>(); }

private:
    Generation(PreparedComponent component, std::shared_ptr<Faults> faults, uint64_t number)
        : component_(std::move(component)), faults_(std::move(faults)), number_(number) {}
    void adapt(const void* table);
    template <class Adapter>
    Adapter& as() {
        return BELFRY_CHECKED(std::holds_alternative<Adapter>(adapter_), std::get<Adapter>(adapter_));
    }

    // In the order of their dependence: the adapter goes first, then the instance, then what it refers to.
    const PreparedComponent component_;
    const std::shared_ptr<Faults> faults_;  // shared with the instance, whose counts outlive a generation
    const uint64_t number_;
    std::unique_ptr<InstanceHost> host_;
    InstancePtr instance_;
    std::variant<std::monostate, Storage, Queue, Provider, Sink> adapter_;
    std::optional<Limiter> limiter_;
};

}  // namespace belfry::plugins
