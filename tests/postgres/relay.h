// SPDX-License-Identifier: Apache-2.0
// Stands between a client and its PostgreSQL server, and loses what a test wants lost: the answer to a statement that
// the server has done, or everybody's way to the server.
//
// Threads: one that accepts and one for each connection; the rest by the test's thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace belfry::tests {

class Relay {
public:
    // In front of 127.0.0.1:server.
    explicit Relay(uint16_t server) : server_(server), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
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
    // The server does the next statement that begins like this, and the connection ends before it can say so.
    void lose_answer_to(std::string beginning) {
        const std::lock_guard lock(mutex_);
        wanted_ = std::move(beginning);
    }
    bool has_lost_it() const {
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

    // What a client says: messages with a type and a length, but for the first, which has no type.
    class Speech {
    public:
        // The statements that these bytes ask for, by the names they were prepared under.
        std::vector<std::string> asked(std::string_view bytes) {
            waiting_ += bytes;
            std::vector<std::string> found;
            for (;;) {
                const size_t head = started_ ? 1 : 0;
                if (waiting_.size() < head + 4) return found;
                const size_t size = head + length(head);
                if (waiting_.size() < size) return found;
                if (started_) hear(waiting_.substr(0, size), found);
                started_ = true;
                waiting_.erase(0, size);
            }
        }

    private:
        size_t length(size_t at) const {
            size_t n = 0;
            for (size_t i = at; i < at + 4; ++i) n = n << 8 | static_cast<unsigned char>(waiting_[i]);
            return n;
        }
        void hear(const std::string& message, std::vector<std::string>& found) {
            if (message[0] != 'P' && message[0] != 'B') return;
            const std::string first = message.c_str() + 5;
            const std::string second = message.c_str() + 5 + first.size() + 1;
            if (message[0] == 'P') texts_[first] = second;           // parse: name, text
            if (message[0] == 'B') found.push_back(texts_[second]);  // bind: portal, name
        }
        std::string waiting_;
        std::map<std::string, std::string> texts_;  // by name
        bool started_ = false;
    };

    bool is_wanted(const std::vector<std::string>& statements) {
        const std::lock_guard lock(mutex_);
        const auto fits = [&](const std::string& one) { return one.starts_with(wanted_); };
        if (wanted_.empty() || std::none_of(statements.begin(), statements.end(), fits)) return false;
        wanted_.clear();
        return true;
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
        Speech speech;
        bool is_lost = false;
        std::vector<char> room(1 << 16);
        while (!ended_) {
            pollfd ends[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
            if (::poll(ends, 2, 20) <= 0) continue;
            for (const pollfd& end : ends) {
                if (end.revents == 0) continue;
                const ssize_t n = ::recv(end.fd, room.data(), room.size(), 0);
                if (n <= 0) return;
                const std::string_view bytes(room.data(), static_cast<size_t>(n));
                if (end.fd == server && is_lost) {
                    if (bytes.ends_with(std::string_view("Z\0\0\0\5I", 6))) return;
                    continue;
                }
                if (end.fd == client && is_wanted(speech.asked(bytes))) is_lost = true;
                const int to = end.fd == client ? server : client;
                for (size_t sent = 0; sent < bytes.size();) {
                    const ssize_t took = ::send(to, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
                    if (took <= 0) return;
                    sent += static_cast<size_t>(took);
                }
            }
        }
    }

    const uint16_t server_;
    const int listener_;
    uint16_t port_ = 0;
    std::atomic<bool> ended_{false}, closed_{false};
    mutable std::mutex mutex_;
    std::string wanted_;
    std::list<std::thread> connections_;  // by thread_, and at the end
    std::thread thread_;
};

}  // namespace belfry::tests
