// SPDX-License-Identifier: Apache-2.0
// One listening port on one loop, and the connections that came in by it.
//
// Threads: [its loop], the constructor excepted.  Owner: main wiring.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net/loop.h"
#include "net/session.h"
#include "net/socket.h"

namespace belfry::simulator {

class Server;

// One accepted connection: handshake, then bytes between its socket and its session.
class Connection final : public Watcher, public SessionHost {
public:
    Connection(Server& server, std::uint64_t id, int fd, SSL_CTX* tls, bool stalled);
    ~Connection() override;

    void on_events(std::uint32_t events) override;
    [[nodiscard]] std::uint64_t id() const override { return id_; }
    [[nodiscard]] Backend& backend() override;
    void later(std::chrono::milliseconds delay, std::function<void(Session&)> task) override;
    void reset_tcp() override;
    void go_silent() override;

    void wire_settings_changed();
    void check_age(const WireSettings& wire);
    void run_later(const std::function<void(Session&)>& task);

private:
    enum class State : std::uint8_t { Handshaking, Open, Lingering, Silent, Dead };

    void shake_hands();
    void read_all();
    void flush();
    void linger();
    void discard_input();
    void watch(std::uint32_t events);
    void settle();  // may destroy this object: nothing may follow it

    Server& server_;
    std::uint64_t id_;
    Socket socket_;
    State state_ = State::Handshaking;
    std::uint32_t watched_;
    std::unique_ptr<Session> session_;
    std::string output_;
    std::size_t output_sent_ = 0;
    std::chrono::steady_clock::time_point opened_;
    std::chrono::steady_clock::time_point last_active_;
};

class Server final : public Watcher {
public:
    // Listens at once, accepts when started. `tls` null: plain HTTP/1.1. Port 0 in `endpoint` is filled in.
    Server(Loop& loop, Endpoint& endpoint, SSL_CTX* tls, Backend& backend, std::atomic<std::uint64_t>& connection_ids);
    ~Server() override;

    void start();
    void on_events(std::uint32_t events) override;
    void set_accepting(bool accepting);
    void wire_settings_changed();
    void silence_all();

    [[nodiscard]] Loop& loop() { return loop_; }
    [[nodiscard]] Backend& backend() { return backend_; }
    Connection* find(std::uint64_t id);
    void drop(std::uint64_t id) { connections_.erase(id); }

private:
    void accept_all();
    void check_ages();

    Loop& loop_;
    Endpoint endpoint_;
    SSL_CTX* tls_;
    Backend& backend_;
    std::atomic<std::uint64_t>& connection_ids_;
    int listener_;
    std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
};

}  // namespace belfry::simulator
