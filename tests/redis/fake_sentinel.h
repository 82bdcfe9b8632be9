// SPDX-License-Identifier: Apache-2.0
// A sentinel that says what a test wants: where the master is, and after how many failovers.
//
// Threads: set_master by the test; one of its own answers, one connection after the other.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace belfry::tests {

class FakeSentinel {
public:
    FakeSentinel(std::string host, uint16_t master, int epoch) {
        set_master(std::move(host), master, epoch);
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in here{};
        here.sin_family = AF_INET;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof here;
        ::bind(listener_, reinterpret_cast<const sockaddr*>(&here), size);
        ::listen(listener_, 8);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size);
        port_ = ntohs(here.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~FakeSentinel() {
        ended_ = true;
        thread_.join();
        ::close(listener_);
    }
    FakeSentinel(const FakeSentinel&) = delete;
    FakeSentinel& operator=(const FakeSentinel&) = delete;

    uint16_t port() const noexcept { return port_; }
    void set_master(std::string host, uint16_t port, int epoch) {
        const std::lock_guard lock(mutex_);
        place_ = "*2\r\n$" + std::to_string(host.size()) + "\r\n" + host + "\r\n" + bulk(std::to_string(port));
        facts_ = "*2\r\n" + bulk("config-epoch") + bulk(std::to_string(epoch));
    }

private:
    static std::string bulk(const std::string& text) {
        return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
    }
    static bool is_ready(int socket) {
        pollfd one{socket, POLLIN, 0};
        return ::poll(&one, 1, 20) > 0;
    }
    void run() {
        while (!ended_) {
            if (!is_ready(listener_)) continue;
            const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            serve(client);
            ::close(client);
        }
    }
    void serve(int client) {
        std::array<char, 4096> room;
        while (!ended_) {
            if (!is_ready(client)) continue;
            const ssize_t came = ::recv(client, room.data(), room.size(), 0);
            if (came <= 0) return;
            const std::string_view said(room.data(), static_cast<size_t>(came));
            std::string answer;
            if (said.find("PING") != std::string_view::npos) answer += "+PONG\r\n";
            const std::lock_guard lock(mutex_);
            if (said.find("GET-MASTER-ADDR") != std::string_view::npos) answer += place_ + facts_;
            ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        }
    }

    std::mutex mutex_;
    std::string place_, facts_;  // answers
    std::atomic<bool> ended_{false};
    int listener_ = -1;
    uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace belfry::tests
