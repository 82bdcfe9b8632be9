// SPDX-License-Identifier: Apache-2.0
// A client's socket, plain or TLS: nothing waits but wait() and send().
//
// Threads: one at a time, its connection's; cut() is [any]. Owner: Connection.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "api/tls_socket.h"
#include "base/handles.h"

namespace belfry::api {

class ClientSocket {
public:
    // Takes over `fd`. With a context the client must speak TLS.
    ClientSocket(int fd, const TlsContext& tls);

    int fd() const noexcept { return fd_.get(); }
    TlsSocket* tls() noexcept { return tls_.get(); }
    const TlsSocket* tls() const noexcept { return tls_.get(); }

    // What has arrived, up to `room` bytes.
    Transfer receive(char* into, size_t room) noexcept;
    // Whether asking again may bring more, though nothing new makes the socket readable.
    bool may_hold_more(size_t received, size_t room) const noexcept { return tls_ || received == room; }
    // What has arrived, decrypted or not; for what nobody reads.
    Transfer receive_raw(char* into, size_t room) noexcept;
    // Until `outcome`, which a transfer waits for, can go on. False: not within this time.
    bool wait(Transfer::Outcome outcome, std::chrono::milliseconds time) const noexcept;
    // Takes from `bytes` what the socket takes at once. Done: that is all of it.
    Transfer::Outcome send_now(std::string_view& bytes) noexcept;
    // All of it; false: the connection broke or did not take anything for this time.
    bool send(std::string_view bytes, std::chrono::milliseconds time) noexcept;
    // Tells the client that nothing follows.
    void finish() noexcept;
    // Ends whatever is waited for on this socket.
    void cut() noexcept;

private:
    UniqueFd fd_;
    std::unique_ptr<TlsSocket> tls_;  // says goodbye before the descriptor is closed
};

}  // namespace belfry::api
