// SPDX-License-Identifier: Apache-2.0
// A client's socket that speaks TLS, for Poco's HTTP session: what the session reads and writes is plain.
//
// The handshake and looking ahead never wait, so that an idle client, or a slow one, costs no thread; receiveBytes and
// sendBytes wait as a plain socket does. Threads: one at a time, its connection's. Owner: the connection's session.
#pragma once

#include <Poco/Net/StreamSocketImpl.h>
#include <openssl/ssl.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace belfry::api {

using TlsContext = std::shared_ptr<SSL_CTX>;

// What a listener needs: TLS 1.2 and later, HTTP/1.1. Misconfigured: the files cannot be used, and why.
Result<TlsContext> tls_context(const std::string& cert_file, const std::string& key_file);

class TlsSocket final : public Poco::Net::StreamSocketImpl {
public:
    // Takes over `fd`. `timeout`: for one wait of receiveBytes or sendBytes.
    TlsSocket(int fd, const TlsContext& context, std::chrono::seconds timeout);

    enum class Handshake : uint8_t { Done, Waits, Failed };
    // Does what can be done at once.
    Handshake shake_hands();
    bool is_ready() const noexcept { return ready_; }

    // Reads what has arrived, up to `most` bytes in all, and keeps it for receiveBytes. False: the peer has ended; it
    // can still be answered.
    bool look_ahead(size_t most);
    std::string_view ahead() const noexcept { return std::string_view(ahead_).substr(taken_); }
    // Tells the peer that nothing follows.
    void say_goodbye() noexcept;

    int sendBytes(const void* buffer, int length, int flags) override;
    int receiveBytes(void* buffer, int length, int flags) override;
    bool secure() const override { return true; }
    // OpenSSL's callback, set in tls_context.
    static void note_goodbye(const SSL* ssl, int where, int alert);
    // Says goodbye first: afterwards the descriptor's number may be another's, and nothing is written to it.
    void close() override;

private:
    ~TlsSocket() override;  // by reference count
    void wait(int result);
    int take_ahead(void* buffer, int length);

    struct Free {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };
    const TlsContext context_;
    const std::chrono::milliseconds timeout_;
    std::unique_ptr<SSL, Free> ssl_;
    std::string ahead_;
    size_t taken_ = 0;  // of ahead_
    bool ready_ = false, broken_ = false, said_goodbye_ = false, heard_goodbye_ = false;
};

}  // namespace belfry::api
