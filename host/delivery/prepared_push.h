// SPDX-License-Identifier: Apache-2.0
// A push as one generation of a provider will send it: the plugin's handle and its plans, compiled for the engine.
//
// Threads: immutable but for `refuse`. Shared by the pages that send it and by the cache; it keeps its generation
// alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "delivery/gate.h"
#include "delivery/stored_push.h"
#include "http/plan.h"

namespace belfry::delivery {

// One compiled plan: for the devices of one variant.
struct CompiledPlan {
    http::Plan plan;
    uint32_t variant = 0;
    int32_t credential = -1;  // slot of the authorizer
    uint32_t items_max = 1;
    bool encoded = false;  // the provider's encode writes its requests
    bool wants_delivery_id = false;
};

class PreparedPush {
public:
    // What is to be prepared. `target` is empty for tokens.
    struct Content {
        audience::Hash16 push_id{};  // of (app, uid): a refusal belongs to one push, however alike another is
        std::string_view target;
        int32_t kind = 0;  // belfry_content_kind
        bool dry_run = false;
        int64_t expires_unix_ms = 0;
    };
    // InvalidArgument, TooLarge, Unsupported: the provider will never take this push. Unavailable: later perhaps.
    static Result<std::shared_ptr<PreparedPush>> make(std::shared_ptr<const StoredPush> push,
                                                      const std::string& payload, Gate& gate,
                                                      std::shared_ptr<Generation> generation, const Content& content);

    // The plan for a device of `variant`; its provider's first one if there is none for it.
    const CompiledPlan& plan(uint32_t variant) const noexcept;
    const std::string& payload() const noexcept { return payload_; }
    const plugins::Prepared& handle() const noexcept { return handle_; }
    Generation& generation() const noexcept { return *generation_; }

    // The provider refused the push as a whole: nothing of it is sent any more.
    void refuse(std::string_view reason);
    bool refused() const noexcept { return refused_.load(std::memory_order_acquire); }
    std::string refusal() const;

private:
    PreparedPush(std::shared_ptr<const StoredPush> push, const std::string& payload,
                 std::shared_ptr<Generation> generation)
        : push_(std::move(push)), payload_(payload), generation_(std::move(generation)) {}
    void add(const belfry_plan& plan, Gate& gate, std::string_view target);

    const std::shared_ptr<const StoredPush> push_;  // holds the payload
    const std::string& payload_;
    const std::shared_ptr<Generation> generation_;
    plugins::Prepared handle_;
    std::vector<std::unique_ptr<CompiledPlan>> plans_;
    std::atomic<bool> refused_{false};
    mutable std::mutex mutex_;
    std::string refusal_;
};

// The prepared pushes used last. Failures are kept too: a payload is not checked again for every page.
class PreparedCache {
public:
    explicit PreparedCache(size_t entries_max) : entries_max_(entries_max) {}
    Result<std::shared_ptr<PreparedPush>> get(const std::shared_ptr<const StoredPush>& push, const std::string& payload,
                                              Gate& gate, const std::shared_ptr<Generation>& generation,
                                              const PreparedPush::Content& content);
    // Before plugins are destroyed.
    void clear();

private:
    using Outcome = Result<std::shared_ptr<PreparedPush>>;
    struct Entry {
        std::string key;
        Outcome outcome;
    };
    const size_t entries_max_;
    std::mutex mutex_;
    std::list<Entry> recent_;  // newest first
    std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace belfry::delivery
