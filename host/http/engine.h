// SPDX-License-Identifier: Apache-2.0
// The HTTP client engine: endpoints, loops and their connections behind one door.
//
// A portion goes to one loop in one post; the loop writes its requests straight into TLS records and its answers into
// the exchanges. Requests the peer certainly did not process (GOAWAY above its last stream, REFUSED_STREAM) are
// replayed inside. Every exchange is finished by its deadline. Threads: every method is [any]; none may be called from
// a loop except recall. Not here: retry policy, verdicts (delivery/), provider knowledge (plugins/).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "http/plan.h"

namespace belfry::http {

struct EngineOptions {
    unsigned loops = 1;
    uint32_t handshakes_max = 16;            // concurrently, per loop
    uint32_t connect_timeout_ms = 10'000;    // name, TCP and TLS together
    uint32_t attempt_timeout_ms = 3'000;     // one address, while a name has others
    uint32_t unacknowledged_ms = 20'000;     // data nobody acknowledges: the kernel gives the connection up
    uint32_t passing_connections_max = 512;  // to origins that came with pushes, per loop; idle ones make room
    // Instead of the system's resolver: the addresses of a name, as text. Called on threads of the resolver.
    std::function<std::vector<std::string>(const std::string& host)> addresses_of;
    bool nghttp2_frames = false;  // sessions by nghttp2 instead of DirectSession
};

// An HTTP proxy that is asked for tunnels; what goes through them is TLS from end to end.
struct Proxy {
    std::string url;             // "http://host[:port]"; empty: none
    std::string user, password;  // Basic, RFC 7617
    // Names of untrusted endpoints: false: they are looked up here, by the address policy, and the proxy is asked for
    // the address; true: the proxy is told the name and has to keep pushes out of the network itself.
    bool looks_up = false;

    bool operator==(const Proxy&) const = default;
};

struct EndpointConfig {
    std::string url;        // "https://host[:port]"; "http://..." with plain_loopback
    std::string partition;  // connections are shared only between equal (url, partition, trust settings)
    std::string ca_file;    // PEM bundle; empty: the system's roots
    std::string client_cert_pem, client_key_pem;
    Proxy proxy;                   // not used for http://
    bool untrusted = false;        // the URL came from outside: public addresses only
    bool http1_ok = false;         // HTTP/1.1 will do if the peer does not choose h2
    bool plain_loopback = false;   // http:// will do, but connects to this machine only
    bool wait_settings = false;    // one stream at most until the peer's SETTINGS came; no second connection before
                                   // the first has answered
    uint32_t connections_max = 8;  // per loop
    uint32_t idle_s = 300;         // an idle connection is closed after so long
    uint32_t age_max_s = 0;        // an older connection is replaced; 0: never
    uint32_t ping_s = 60;          // an idle connection is probed after so long; providers resent it more often
};

struct CallRequest {
    std::string method = "GET", path = "/", body;
    std::vector<std::pair<std::string, std::string>> headers;
    uint32_t answer_max = 64 * 1024;
    std::vector<std::string> keep;  // answer headers wanted, lower case; empty: all, up to 16 KiB
};

struct CallAnswer {
    int status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
    int64_t date_unix_ms = 0;
};

class Engine {
public:
    static Result<std::unique_ptr<Engine>> create(const EngineOptions&, const Clock&, Log&, Metrics&);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Declares an endpoint; an equal one gives the same id. InvalidArgument: URL or certificate files unusable.
    Result<EndpointId> add_endpoint(const EndpointConfig&);
    // An endpoint for another origin with the settings of `like`; an unknown `like` means an untrusted one with default
    // settings. Its id is good for a minute after the last such call, and while it is used. Busy: too many endpoints.
    Result<EndpointId> add_origin(EndpointId like, std::string_view url);
    // Posts a portion to a loop. Its owner hears on_complete exactly once, whatever happens; after stop, from within
    // this call.
    void submit(Portion&);
    // Unsent exchanges of a submitted portion finish soon as NeverSent. Harmless on finished ones.
    void recall(Portion&);
    // How many more requests this endpoint could take right now: free streams of open connections and those it may
    // still open.
    uint32_t credit(EndpointId) const;
    // Connections open now to the endpoint's host, whichever endpoint of that host opened them.
    uint32_t connections(EndpointId) const;
    // Connections that are open now take no more requests and close after their last answer.
    void retire(EndpointId);
    // Why the last attempt to connect failed; empty once one succeeded.
    std::string last_connect_error(EndpointId) const;
    // One request, blocking until the answer or the deadline. Unavailable / DeadlineExceeded say what happened.
    Result<CallAnswer> call(EndpointId, const CallRequest&, int64_t deadline_mono_ns);
    // Finishes what is unsent at once, waits for answers until the deadline, then closes everything and joins the
    // loops.
    void stop(int64_t deadline_mono_ns);

private:
    struct Impl;
    explicit Engine(std::unique_ptr<Impl>);
    std::unique_ptr<Impl> impl_;
};

}  // namespace belfry::http
