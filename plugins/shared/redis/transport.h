// SPDX-License-Identifier: Apache-2.0
// The bytes between us and a Redis server: a non-blocking socket with a deadline for everything that waits.
//
// Threads: one at a time.  Owner: Connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "redis/tls.h"

namespace belfry::redis {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// Where the server is and who we are there.
struct Address {
    std::string host = "127.0.0.1";
    uint16_t port = 6379;
    std::string path;  // of a Unix socket, instead
    std::string user, password;
    uint32_t database = 0;
    std::shared_ptr<const TlsContext> tls;  // null: none

    // For messages.
    std::string name() const { return path.empty() ? host + ":" + std::to_string(port) : path; }
    // Whether nobody else can listen.
    bool is_private() const {
        return !path.empty() || host == "localhost" || host.starts_with("127.") || host == "::1";
    }
};

// Everything throws Failure: LostServer.
class Transport {
public:
    Transport(const Address& address, Deadline deadline);
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    // How many bytes went, came; 0: none for now.
    size_t write(std::string_view bytes);
    size_t read(char* into, size_t most);
    // Until something came, or may go where `writing`; false: neither by the deadline.
    bool wait(bool writing, Deadline deadline);

private:
    void connect(const Address& address, Deadline deadline);
    void require(bool writing, Deadline deadline);
    void finish_connecting(Deadline deadline);
    void shake_hands(const Address& address, Deadline deadline);
    size_t bytes_of(const TlsSession::Step& step) const;
    [[noreturn]] void lose(const std::string& why) const;

    const std::string name_;
    int socket_ = -1;
    std::unique_ptr<TlsSession> tls_;
    bool reading_waits_to_write_ = false;  // TLS may have to write before it can read
};

}  // namespace belfry::redis
