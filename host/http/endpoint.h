// SPDX-License-Identifier: Apache-2.0
// A declared endpoint: its settings, trust and meters, and what its pools (one per loop) tell the rest of the host.
// Threads: [any] for reading; a Share is written by its loop.  Owner: shared by the table, pools and
// whoever uses it for a moment.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "base/metrics.h"
#include "http/engine.h"
#include "http/origin.h"
#include "http/tls.h"

namespace belfry::http {

// Counters of one endpoint; loops add to them once per turn.
struct EndpointMeters {
    EndpointMeters(Metrics& metrics, const std::string& label);
    Metric &connections, &handshakes, &connect_failures, &requests, &answers_2xx, &answers_3xx, &answers_4xx,
        &answers_5xx, &resets, &goaways, &replays, &timeouts, &never_sent;
};

// The way to a proxy.
struct ProxyRoute {
    Origin at;                // host empty: there is none
    std::string credentials;  // the value of proxy-authorization; empty: none

    explicit operator bool() const noexcept { return !at.host.empty(); }
};
// InvalidArgument: an URL or credentials that cannot be used.
Result<ProxyRoute> route_of(const Proxy& proxy);

struct Endpoint {
    Endpoint(EndpointId number, EndpointConfig settings, bool came_by, Origin where, ProxyRoute route,
             std::shared_ptr<SSL_CTX> trust, unsigned loops, Metrics& metrics);

    // What a loop's pool could take, published by the loop.
    struct alignas(64) Share {
        std::atomic<uint32_t> open{0};       // free streams of open connections
        std::atomic<uint32_t> potential{0};  // the same plus those of connections that may still be opened
        std::atomic<int64_t> opens_at{0};    // monotonic ns: before it no connection may be opened
    };
    uint32_t credit(int64_t now_mono_ns) const noexcept;
    void set_connect_error(const std::string& text);  // empty: connected
    std::string connect_error() const;
    // As if it had never failed to connect: whoever declares an endpoint again may have mended what was wrong.
    void declare_again() noexcept;

    const EndpointId id;
    const EndpointConfig config;
    const bool passing;  // came with a push: one of many, kept while it is used
    const Origin origin;
    const ProxyRoute proxy;
    const std::shared_ptr<SSL_CTX> tls;
    EndpointMeters meters;
    const unsigned loops;
    const std::unique_ptr<Share[]> shares;  // by loop
    std::atomic<uint32_t> declared{0};      // how often again

private:
    mutable std::mutex mutex_;
    std::string connect_error_;
};

}  // namespace belfry::http
