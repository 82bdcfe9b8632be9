// SPDX-License-Identifier: Apache-2.0
// The HTTP server of the API: keys, methods, HTTP semantics and the front of sockets, put together.
//
// Threads: start and stop on main's thread; set_keys is [any].
// Owner: main. Ends: stop(); delivery, devices and channels live longer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/api_keys.h"
#include "api/http_api.h"
#include "audience/devices.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "delivery/delivery.h"

namespace belfry::api {

struct Keys {
    std::vector<AppKey> apps;
    std::vector<std::string> admin;  // who may use /admin/
};

// PEM files: the certificate with its chain, and its key.
struct TlsFiles {
    std::string cert, key;
};

struct ServerOptions {
    std::string listen = "127.0.0.1:8000";  // host:port, or unix:/path
    int64_t threads_max = 256;
    int64_t connections_max = 10'000;
    int64_t idle_timeout_s = 75;
    int64_t request_timeout_s = 30;
    std::optional<TlsFiles> tls;
    HttpOptions http;
    Keys keys;
    BackUp back_up;
};

class Server {
public:
    // Serves when it returns. Misconfigured: the address cannot be used.
    static Result<std::unique_ptr<Server>> start(const ServerOptions& options, delivery::Delivery& delivery,
                                                 audience::Devices& devices, plugins::Channels& channels,
                                                 Insight insight, const Clock& clock, Log& log, Metrics& metrics);
    // What start would refuse, or warn of, before it takes the address: http.tls.
    static Status check(const ServerOptions& options, const Clock& clock);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // "127.0.0.1:8000" with the port that was taken, "https://127.0.0.1:8000", or "unix:/path".
    const std::string& address() const noexcept;
    // Replaces all API keys (reload).
    void set_keys(const Keys& keys);
    // Reads certificate and key anew, for connections from now on (reload). If that fails the old ones stay.
    Status set_tls(const TlsFiles& files);
    // /ready answers 503 from now on; everything else still works.
    void announce_stop() noexcept;
    // Closes the listener, lets requests in work finish until the deadline, then ends.
    void stop(int64_t deadline_mono_ns);

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace belfry::api
