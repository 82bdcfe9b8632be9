// SPDX-License-Identifier: Apache-2.0
// Every declared endpoint by its id and by its settings, and the TLS contexts they share.
//
// Endpoints of the configuration stay. Those that came by with a push (`passing`) make room for others when the table
// is full, no loop has a pool for them and nobody asked for them for a while; their ids are never used again. An
// endpoint's memory lives as long as anybody holds it. Threads: [any], one lock; loops come here only to make a pool.
// Owner: the engine.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "http/endpoint.h"

namespace belfry::http {

class EndpointTable {
public:
    static constexpr size_t kSlots = 16 * 1024;
    static constexpr int64_t kKeepNs = 60'000'000'000;  // longer than any page that may hold an id

    explicit EndpointTable(unsigned loops, Metrics& metrics) : loops_(loops), metrics_(metrics) {}

    // The endpoint with these settings. InvalidArgument: unusable ones. Busy: no slot is free.
    Result<EndpointId> add(EndpointConfig config, bool passing, int64_t now_mono_ns);
    std::shared_ptr<Endpoint> find(EndpointId id) const;
    // The same for a pool, which keeps it in the table until leave().
    std::shared_ptr<Endpoint> join(EndpointId id);
    void leave(Endpoint& endpoint);
    // Where an endpoint's pool stands in a loop's list.
    static size_t slot_of(EndpointId id) noexcept { return static_cast<size_t>(id) % kSlots; }
    size_t size() const;

private:
    struct Entry {
        std::shared_ptr<Endpoint> endpoint;  // null: free
        const std::string* key = nullptr;    // in ids_
        int64_t used_at = 0;
        uint32_t pools = 0;
        int32_t generation = 0;  // of its next endpoint
    };

    Entry* entry_of(EndpointId id);
    size_t take_slot(int64_t now);
    Result<std::shared_ptr<SSL_CTX>> trust_of(const EndpointConfig& config);

    const unsigned loops_;
    Metrics& metrics_;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
    std::unordered_map<std::string, EndpointId> ids_;                   // by settings
    std::unordered_map<std::string, std::shared_ptr<SSL_CTX>> trusts_;  // by the settings that matter to TLS
};

}  // namespace belfry::http
