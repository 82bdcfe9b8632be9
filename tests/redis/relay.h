// SPDX-License-Identifier: Apache-2.0
// Stands between a client and its Redis server. A test may do something between an answer and the client, or have the
// answer lost.
//
// Threads: one that accepts and one for each connection, which also runs what the test wants done; the rest by the
// test's thread.
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
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace belfry::tests {

class RedisRelay {
public:
    // Whether the client gets the answer; otherwise its connection ends.
    using Deed = std::function<bool()>;

    // In front of 127.0.0.1:server.
    explicit RedisRelay(uint16_t server)
        : server_(server), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in here = loopback(0);
        socklen_t size = sizeof here;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&here), size) != 0 || ::listen(listener_, 64) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size) != 0)
            throw std::runtime_error("the relay cannot listen");
        port_ = ntohs(here.sin_port);
        thread_ = std::thread([this] { accept_all(); });
    }
    ~RedisRelay() {
        ended_ = true;
        thread_.join();
        for (std::thread& one : connections_) one.join();
        ::close(listener_);
    }
    RedisRelay(const RedisRelay&) = delete;
    RedisRelay& operator=(const RedisRelay&) = delete;

    uint16_t port() const noexcept { return port_; }
    // Once, when the server has answered the next trip that has these bytes in it. A script that the server does not
    // know yet is no answer.
    void behind(std::string bytes, Deed deed) {
        const std::lock_guard lock(mutex_);
        wanted_ = std::move(bytes);
        deed_ = std::move(deed);
    }
    void lose_answer_to(std::string bytes) {
        behind(std::move(bytes), [] { return false; });
    }
    bool is_done() const {
        const std::lock_guard lock(mutex_);
        return wanted_.empty();
    }
    // Closed: new connections end at once.
    void close_door(bool closed) { closed_ = closed; }

private:
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

    bool is_wanted(std::string_view said) const {
        const std::lock_guard lock(mutex_);
        return !wanted_.empty() && said.find(wanted_) != std::string_view::npos;
    }
    // Nothing: it was done already.
    Deed take_deed() {
        const std::lock_guard lock(mutex_);
        wanted_.clear();
        return std::exchange(deed_, {});
    }
    void accept_all() {
        while (!ended_) {
            pollfd ready{listener_, POLLIN, 0};
            if (::poll(&ready, 1, 20) != 1) continue;
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
        std::string said;  // by the client, since the last answer
        std::vector<char> room(1 << 16);
        while (!ended_) {
            pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
            if (::poll(ends, 2, 20) <= 0) continue;
            for (const pollfd& end : ends) {
                if (end.revents == 0) continue;
                const ssize_t n = ::recv(end.fd, room.data(), room.size(), 0);
                if (n <= 0) return;
                const std::string_view bytes(room.data(), static_cast<size_t>(n));
                if (end.fd == client) {
                    said += bytes;
                } else {
                    const bool wanted = is_wanted(said) && !bytes.starts_with("-NOSCRIPT");
                    const Deed deed = wanted ? take_deed() : Deed();
                    if (deed && !deed()) return;
                    said.clear();
                }
                if (!write_all(end.fd == client ? server : client, bytes)) return;
            }
        }
    }

    const uint16_t server_;
    const int listener_;
    uint16_t port_ = 0;
    std::atomic<bool> ended_{false}, closed_{false};
    mutable std::mutex mutex_;
    std::string wanted_;
    Deed deed_;
    std::list<std::thread> connections_;  // by thread_, and at the end
    std::thread thread_;
};

}  // namespace belfry::tests
