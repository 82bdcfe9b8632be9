// SPDX-License-Identifier: Apache-2.0
// One connection to an endpoint: name, socket, TLS and a session of HTTP/2 or HTTP/1.1, driven by one loop.
//
//   Resolving -> Connecting [-> Tunnelling] -> Handshaking -> Open -> Closed        any state -> Closed
//
// Tunnelling is for endpoints behind a proxy; http:// skips Handshaking.
// While Open it may be retiring: no new streams, closed after the last answer.
// Invariants: HEADERS never wait inside the session between turns (their text lives in the loop's scratch); a request
// whose first byte did not leave this process is replayed when the connection ends, one that did is Unknown; a slot is
// reused only after the session ended its stream. Threads: [loop].  Owner: its Pool, then the loop's graveyard until
// the end of the turn. Not here: which connection a request takes, back-off (Pool); frames (Session).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/address_memory.h"
#include "http/door.h"
#include "http/plan.h"
#include "http/proxy_tunnel.h"
#include "http/request_head.h"
#include "http/session.h"
#include "http/timers.h"
#include "http/wire.h"

namespace belfry::http {

class Pool;
struct Active;

class Connection final : private Timer, private SessionListener {
public:
    static constexpr uint32_t kStreamsMax = 1000;  // per connection, whatever the peer allows

    enum class State : uint8_t { Resolving, Connecting, Tunnelling, Handshaking, Open, Closed };
    enum class Sent : uint8_t { Yes, Full, NoCredential, Malformed };

    Connection(Loop& loop, Pool& pool);
    ~Connection() override;

    void begin();
    void on_resolved(Notice&& notice);
    void on_socket(uint32_t epoll_events);
    // Reads once more; the loop asks for it when a turn's share of reading was used up.
    void read();
    // Writes what the session has. Called once per turn for connections that asked for it.
    void flush();
    void retire(std::string_view why);
    void abandon(std::string_view why);  // closes at once

    // Streams that may be opened now; lane `high` also gets the reserved tenth.
    uint32_t room(bool high) const noexcept;
    uint32_t limit() const noexcept;
    uint32_t in_flight() const noexcept { return in_flight_; }
    Sent send(Active& active, Exchange& exchange);

    State state() const noexcept { return state_; }
    bool open() const noexcept { return state_ == State::Open; }
    bool retiring() const noexcept { return retiring_; }
    bool settings_seen() const noexcept { return settings_seen_; }
    bool answered() const noexcept { return answers_ > 0; }
    bool idle() const noexcept { return state_ == State::Open && in_flight_ == 0 && !retiring_; }
    int64_t idle_since() const noexcept { return idle_since_; }
    void remember_failure(AddressMemory& addresses) const;
    void remember_success(AddressMemory& addresses) const;
    bool shares_streams() const noexcept { return !http1_; }  // more than one request at a time

    bool flush_listed = false, read_listed = false;  // the loop's: listed for this turn

private:
    struct Stream {
        Exchange* exchange = nullptr;  // null: free, or nobody waits for it any more
        Active* active = nullptr;
        int64_t deadline = 0, unix_s = 0;
        uint64_t produced_at = 0;  // bytes the session had produced before this request
        uint64_t surplus = 0;      // answer bytes beyond what is kept
        size_t field_bytes = 0;    // of answer headers that were wanted
        int32_t id = 0;
        uint32_t next_free = 0;
        std::string partial;  // a body that flow control cut: rendered once
    };

    // Setting up: connection_setup.cpp.
    void look_up(const Origin& name, bool untrusted);
    void choose_target();
    void try_next_address(std::string_view why);
    void connected();
    void start_tunnel();
    void continue_tunnel();
    void start_handshake();
    void continue_handshake();
    void choose_session();
    void opened();
    void setup_timed_out();
    void fail_setup(std::string_view why);
    // Open: connection.cpp.
    bool write_out(std::string_view bytes, size_t& written);  // false: the peer takes no more
    bool write_backlog();
    void say_last();
    void after_input();
    void input_ended(Wire::Io how);
    int64_t idle_until() const noexcept;
    int64_t leave_by() const noexcept;
    void arm_next();
    void watch(bool output);
    void close(std::string_view why, bool unprocessed = false);
    // Streams, and all that a session tells of them: connection_streams.cpp.
    uint32_t take_slot();
    void end_stream(Stream& stream, Transport transport);
    void expire_streams(int64_t now);
    void end_streams(bool unprocessed);

    void on_time(int64_t now) noexcept override;
    void on_status(uint32_t slot, int status) noexcept override;
    void on_field(uint32_t slot, std::string_view name, std::string_view value) noexcept override;
    void on_body(uint32_t slot, std::string_view bytes) noexcept override;
    void on_end(uint32_t slot, StreamEnd end, uint32_t error_code) noexcept override;
    void on_peer_settings(uint32_t streams_max) noexcept override;
    void on_goaway(int32_t last_stream, uint32_t error_code, std::string_view debug) noexcept override;
    void on_pong() noexcept override;
    bool write_body(uint32_t slot, uint64_t size, uint64_t from, size_t n, char* out) noexcept override;

    Loop& loop_;
    Pool& pool_;
    State state_ = State::Resolving;
    bool retiring_ = false, settings_seen_ = false, watching_output_ = false, ended_by_peer_ = false;
    std::string retire_reason_;
    std::string output_fault_;  // not empty: nothing can be written any more, what came is still being read

    Wire wire_;
    bool http1_ = false;
    std::unique_ptr<Session> session_;
    std::string target_;  // what the proxy is asked for
    std::unique_ptr<ProxyTunnel> tunnel_;
    std::vector<Address> addresses_;
    size_t next_address_ = 0;
    AddressMark peer_mark_ = 0, target_mark_ = 0;  // what it is connected to, and what a proxy was asked for
    uint64_t ticket_ = 0;                          // of the lookup

    std::vector<Stream> streams_;  // by slot
    uint32_t free_slot_ = kNoSlot;
    uint32_t in_flight_ = 0;
    uint32_t peer_limit_ = Session::kAssumedStreams;
    std::vector<int32_t> to_cancel_;  // decided during consume

    std::vector<char> backlog_;  // produced, not yet taken by the socket
    size_t backlog_done_ = 0;
    size_t unflushed_ = 0;  // estimate of what sends have queued in the session
    uint64_t produced_ = 0, written_ = 0;

    uint64_t requests_ = 0, answers_ = 0;
    int64_t setup_until_ = 0, opened_at_ = 0, attempt_until_ = kNever;
    int64_t received_at_ = 0, idle_since_ = 0;
    int64_t retired_at_ = 0;
    int64_t heard_at_ = 0;  // something of an answer: a peer may be alive and yet answer nothing
    int64_t pinged_at_ = 0, pong_until_ = kNever;
    int64_t first_deadline_ = kNever;  // no stream's deadline is earlier

    static constexpr uint32_t kNoSlot = UINT32_MAX;
};

}  // namespace belfry::http
