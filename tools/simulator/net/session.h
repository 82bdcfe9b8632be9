// SPDX-License-Identifier: Apache-2.0
// The seams of the transport: a backend answers requests, a session speaks one protocol, its connection moves the
// bytes.
//
// Threads: a session belongs to one loop; a backend is shared by all loops and must be thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "net/exchange.h"

namespace belfry::simulator {

// Output is collected up to about this size before it is encrypted, so that small frames share TLS records.
constexpr std::size_t kOutputTarget = 64 * 1024;
// Larger request bodies are refused with 413: nothing that FCM accepts comes near it.
constexpr std::size_t kMaxRequestBody = 8 * 1024 * 1024;

struct WireSettings {
    std::uint32_t stream_limit = 100;
    bool refuse_excess_streams = false;  // RST_STREAM(REFUSED_STREAM) instead of GOAWAY
    bool close_refused_streams = false;  // and RST_STREAM(STREAM_CLOSED) after it, as APNs was seen to do
    std::uint32_t violation_code = 1;    // of that GOAWAY: PROTOCOL_ERROR
    std::string violation_debug = "exceeded_max_concurrent_streams";
    std::int32_t stream_window = 1 << 20;  // bytes a request may send ahead
    std::int32_t connection_window = 1 << 24;
    std::uint32_t header_list_max = 64 * 1024;
    bool http2_only = false;
    std::chrono::milliseconds max_age{0};   // 0: connections live on
    std::chrono::milliseconds max_idle{0};  // 0: idle connections live on
    // What the GOAWAY of an old or idle connection says; by default the words of Google's front end: fcm.md section 4.
    std::string age_debug = "max_age";
    std::string idle_debug = "session_timed_out";
};

// What a client certificate says of its owner. The TLS layer has verified it.
struct ClientCertificate {
    std::string subject_uid;  // attribute UID: for APNs the topic
    std::string common_name;
};

enum class AcceptFate : std::uint8_t { Serve, Reset, StallTls };

enum class ConnectionEvent : std::uint8_t {
    Opened,
    HandshakeDone,
    HandshakeFailed,
    Closed,
    StreamLimitViolated,
    StreamRefused,
    StreamReset,  // by the client
    Ping,
};

class Backend {
public:
    virtual ~Backend() = default;
    virtual Plan handle(Request&& request) = 0;
    // What holds for this connection now; Plan::wire_settings_changed makes its session ask again.
    virtual WireSettings wire_settings(std::uint64_t /*connection*/) { return {}; }
    virtual AcceptFate on_accept() { return AcceptFate::Serve; }
    virtual void on_connection_event(std::uint64_t /*connection*/, ConnectionEvent /*event*/) {}
    virtual void on_client_certificate(std::uint64_t /*connection*/, ClientCertificate /*certificate*/) {}
    virtual void on_streams_open(std::uint64_t /*connection*/, std::uint32_t /*open*/) {}
};

class Session;

// What a session may ask of the connection that carries it.
class SessionHost {
public:
    virtual ~SessionHost() = default;
    [[nodiscard]] virtual std::uint64_t id() const = 0;
    [[nodiscard]] virtual Backend& backend() = 0;
    // Runs `task` on this session after `delay`, unless the connection is gone by then.
    virtual void later(std::chrono::milliseconds delay, std::function<void(Session&)> task) = 0;
    virtual void reset_tcp() = 0;
    virtual void go_silent() = 0;
};

class Session {
public:
    virtual ~Session() = default;
    virtual void receive(std::span<const std::uint8_t> bytes) = 0;
    // Appends output that is ready, until `out` holds about kOutputTarget bytes.
    virtual void pull(std::string& out) = 0;
    // True when nothing more will be read or written: the connection closes once its output is sent.
    [[nodiscard]] virtual bool finished() const = 0;
    [[nodiscard]] virtual bool busy() const = 0;  // an exchange is under way
    virtual void wire_settings_changed() {}
    // Ends the connection the polite way: GOAWAY with NO_ERROR and `debug`, or "connection: close".
    virtual void retire(const std::string& debug) = 0;
};

// The date format of RFC 9110 section 5.6.7.
std::string http_date(std::chrono::system_clock::time_point at);

}  // namespace belfry::simulator
