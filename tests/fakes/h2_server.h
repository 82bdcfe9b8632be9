// SPDX-License-Identifier: Apache-2.0
// A scripted HTTP/2 server over TLS on loopback, for tests of the client engine: it answers as a function of the
// request says, keeps a journal, and misbehaves on demand.
//
// Threads: one of its own; the script's functions run on it; everything public is [any].
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fakes/test_ca.h"

namespace belfry::fakes {

struct SeenRequest {
    int connection = 0;  // number of the connection, from 0
    int32_t stream = 0;
    std::string method, path, authority, body;
    std::map<std::string, std::string> headers;
    int64_t at_ns = 0;  // steady clock, when the request was complete
    bool complete = false;
};

struct Reply {
    enum class Action : uint8_t {
        Answer,        // status, headers, body
        Silence,       // never
        Refuse,        // RST_STREAM(REFUSED_STREAM)
        Reset,         // RST_STREAM(INTERNAL_ERROR)
        HeadThenReset  // status and headers, then RST_STREAM(INTERNAL_ERROR)
    };
    Action action = Action::Answer;
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    int delay_ms = 0;
};

struct ServerScript {
    uint32_t streams_max = 100;  // SETTINGS_MAX_CONCURRENT_STREAMS at first; UINT32_MAX: not sent
    uint32_t window = 65'535;    // SETTINGS_INITIAL_WINDOW_SIZE
    bool offer_h2 = true;        // by ALPN
    bool handshake = true;       // false: accepts TCP and says nothing
    bool settings = true;        // false: no SETTINGS frame is ever sent, nothing is read
    bool require_client_certificate = false;
    bool close_after_handshake = false;
    int early_status = 0;  // if set: answered as soon as the head is there, whatever follows
    std::string names = "DNS:localhost,IP:127.0.0.1";  // of its certificate
    int certificate_days = 2;
    // Called for every complete request.
    std::function<Reply(const SeenRequest&)> reply;
};

class H2Server {
public:
    H2Server(const TestCa& ca, ServerScript script);
    ~H2Server();
    H2Server(const H2Server&) = delete;
    H2Server& operator=(const H2Server&) = delete;

    uint16_t port() const { return port_; }
    std::string url(const std::string& host = "localhost") const {
        return "https://" + host + ":" + std::to_string(port_);
    }

    // At run time; connections: by number, -1 = all.
    void set_streams_max(uint32_t streams, int connection = -1);
    // GOAWAY with this last stream id; the server goes on answering streams up to it and ignores the others.
    void go_away(int32_t last_stream, uint32_t code = 0, const std::string& debug = {}, int connection = -1);
    void freeze(bool frozen, int connection = -1);  // neither reads nor writes: half-open
    void fall_off(int connection = -1);             // its kernel acknowledges nothing more: as if the cable were cut
    void drop(int connection = -1);                 // closes the TCP connection
    void stop_listening();

    std::vector<SeenRequest> journal() const;
    size_t seen() const;     // complete requests
    int accepted() const;    // connections
    int handshakes() const;  // completed
    int resumed() const;     // of them, with a ticket of an earlier one
    int open_connections() const;
    uint32_t most_streams() const;  // that were ever open at once on one connection
    int pings() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
    uint16_t port_ = 0;
};

}  // namespace belfry::fakes
