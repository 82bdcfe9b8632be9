// SPDX-License-Identifier: Apache-2.0
#include "http/endpoint.h"

#include <algorithm>

#include "http/proxy_tunnel.h"
#include "http/session.h"

namespace belfry::http {

namespace {

Metric& answers(Metrics& metrics, const std::string& label, const char* answer_class) {
    return metrics.counter("http_answers_total", "Answers received, by class of status",
                           {{"endpoint", label}, {"class", answer_class}});
}

}  // namespace

EndpointMeters::EndpointMeters(Metrics& metrics, const std::string& label)
    : connections(metrics.gauge("http_connections", "Connections open now", {{"endpoint", label}})),
      handshakes(metrics.counter("http_handshakes_total", "Connections that became usable", {{"endpoint", label}})),
      connect_failures(
          metrics.counter("http_connect_failures_total", "Attempts to connect that failed", {{"endpoint", label}})),
      requests(metrics.counter("http_requests_total", "Requests written, replays included", {{"endpoint", label}})),
      answers_2xx(answers(metrics, label, "2xx")),
      answers_3xx(answers(metrics, label, "3xx")),
      answers_4xx(answers(metrics, label, "4xx")),
      answers_5xx(answers(metrics, label, "5xx")),
      resets(
          metrics.counter("http_resets_total", "Requests lost to a reset stream or connection", {{"endpoint", label}})),
      goaways(metrics.counter("http_goaways_total", "GOAWAY frames received", {{"endpoint", label}})),
      replays(metrics.counter("http_replays_total", "Requests sent again because the peer had not processed them",
                              {{"endpoint", label}})),
      timeouts(metrics.counter("http_timeouts_total", "Requests without an answer by their deadline",
                               {{"endpoint", label}})),
      never_sent(metrics.counter("http_never_sent_total", "Requests given back unsent", {{"endpoint", label}})) {}

Result<ProxyRoute> route_of(const Proxy& proxy) {
    ProxyRoute route;
    if (proxy.url.empty()) return route;
    Result<Origin> at = parse_origin(proxy.url, true);
    if (!at || !at->plain) {
        return error(
            ErrorCode::InvalidArgument,
            "a proxy's URL must be http://host:port, with user and password beside it; what goes through it is "
            "TLS from end to end");
    }
    Result<std::string> credentials = basic_credentials(proxy);
    if (!credentials) return credentials.error();
    route.at = std::move(*at);
    route.credentials = std::move(*credentials);
    return route;
}

Endpoint::Endpoint(EndpointId number, EndpointConfig settings, bool came_by, Origin where, ProxyRoute route,
                   std::shared_ptr<SSL_CTX> trust, unsigned loop_count, Metrics& metrics)
    : id(number),
      config(std::move(settings)),
      passing(came_by),
      origin(std::move(where)),
      proxy(std::move(route)),
      tls(std::move(trust)),
      meters(metrics, config.untrusted || passing ? "untrusted" : origin.authority),
      loops(loop_count),
      shares(std::make_unique<Share[]>(loop_count)) {
    const uint32_t streams = config.wait_settings ? 1 : Session::kAssumedStreams;
    for (unsigned i = 0; i < loops; ++i) shares[i].potential = config.connections_max * streams;
}

uint32_t Endpoint::credit(int64_t now_mono_ns) const noexcept {
    uint32_t sum = 0;
    for (unsigned i = 0; i < loops; ++i) {
        const Share& share = shares[i];
        const bool may_open = now_mono_ns >= share.opens_at.load(std::memory_order_relaxed);
        sum += (may_open ? share.potential : share.open).load(std::memory_order_relaxed);
    }
    return sum;
}

void Endpoint::declare_again() noexcept {
    declared.fetch_add(1, std::memory_order_relaxed);
    for (unsigned i = 0; i < loops; ++i) shares[i].opens_at.store(0, std::memory_order_relaxed);
}

void Endpoint::set_connect_error(const std::string& text) {
    std::lock_guard lock(mutex_);
    connect_error_ = text;
}

std::string Endpoint::connect_error() const {
    std::lock_guard lock(mutex_);
    return connect_error_;
}

}  // namespace belfry::http
