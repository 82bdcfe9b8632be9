// SPDX-License-Identifier: Apache-2.0
// Stands between a client and its server, and passes on what an Ear lets pass.
//
// Threads: one that accepts and one for each connection, on which its Ear hears; the rest by the test's thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace belfry::fakes {

class Relay {
public:
    enum class Verdict : uint8_t { Pass, Swallow, End };
    // Hears one connection.
    class Ear {
    public:
        virtual ~Ear() = default;
        virtual void client_said(std::string_view bytes) = 0;
        virtual Verdict server_said(std::string_view bytes) = 0;
    };
    using MakeEar = std::function<std::unique_ptr<Ear>()>;

    // In front of 127.0.0.1:server.
    Relay(uint16_t server, MakeEar make_ear)
        : server_(server), make_ear_(std::move(make_ear)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in here = loopback(0);
        socklen_t size = sizeof here;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&here), size) != 0 || ::listen(listener_, 64) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size) != 0)
            throw std::runtime_error("the relay cannot listen");
        port_ = ntohs(here.sin_port);
        thread_ = std::thread([this] { accept_all(); });
    }
    ~Relay() {
        ended_ = true;
        thread_.join();
        for (std::thread& one : connections_) one.join();
        ::close(listener_);
    }
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    uint16_t port() const noexcept { return port_; }
    // Closed: new connections end at once.
    void close_door(bool closed) { closed_ = closed; }

private:
    static constexpr int kLookMs = 20;  // how soon the end is noticed

    static sockaddr_in loopback(uint16_t port) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        return address;
    }
    static bool write_all(int to, std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t took = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (took <= 0) return false;
            bytes.remove_prefix(static_cast<size_t>(took));
        }
        return true;
    }
    void accept_all() {
        while (!ended_) {
            pollfd ready{listener_, POLLIN, 0};
            if (::poll(&ready, 1, kLookMs) != 1) continue;
            const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (client < 0) continue;
            if (closed_) {
                ::close(client);
                continue;
            }
            connections_.emplace_back([this, client] { serve(client); });
        }
    }
    void serve(int client) {
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_in there = loopback(server_);
        if (::connect(server, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0) pass_on(client, server);
        ::close(server);
        ::close(client);
    }
    void pass_on(int client, int server) {
        const std::unique_ptr<Ear> ear = make_ear_();
        std::vector<char> room(1 << 16);
        while (!ended_) {
            pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
            if (::poll(ends, 2, kLookMs) <= 0) continue;
            for (const pollfd& end : ends) {
                if (end.revents == 0) continue;
                const ssize_t n = ::recv(end.fd, room.data(), room.size(), 0);
                if (n <= 0) return;
                const std::string_view bytes(room.data(), static_cast<size_t>(n));
                auto verdict = Verdict::Pass;
                if (end.fd == client)
                    ear->client_said(bytes);
                else
                    verdict = ear->server_said(bytes);
                if (verdict == Verdict::End) return;
                if (verdict == Verdict::Pass && !write_all(end.fd == client ? server : client, bytes)) return;
            }
        }
    }

    const uint16_t server_;
    const MakeEar make_ear_;
    const int listener_;
    uint16_t port_ = 0;
    std::atomic<bool> ended_{false}, closed_{false};
    std::list<std::thread> connections_;  // by thread_, and at the end
    std::thread thread_;
};

}  // namespace belfry::fakes
