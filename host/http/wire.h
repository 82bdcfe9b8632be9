// SPDX-License-Identifier: Apache-2.0
// A connected socket, with TLS on it or without: bytes in, bytes out, and why it does not go on.
//
// Threads: [loop].  Owner: Connection.  Not here: connecting, what the bytes mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/handles.h"
#include "http/origin.h"
#include "http/tls.h"

namespace belfry::http {

class Wire {
public:
    enum class Io : uint8_t {
        Moved,  // at least a byte
        Wait,   // for the socket
        Ended,  // the peer said in order that nothing more comes
        Cut,    // it closed TLS's connection without saying so: maybe somebody else did
        Lost    // anything else; why() knows
    };

    int fd() const noexcept { return fd_.get(); }
    explicit operator bool() const noexcept { return static_cast<bool>(fd_); }
    bool secure() const noexcept { return ssl_ != nullptr; }
    SSL* ssl() const noexcept { return ssl_.get(); }

    void take(UniqueFd fd) noexcept { fd_ = std::move(fd); }
    void take(Ssl ssl) noexcept { ssl_ = std::move(ssl); }
    // Wait: `for_output` says for what. Moved: the session stands.
    Io shake_hands(const Origin& origin, bool& for_output);
    Io read(const Origin& origin, char* out, size_t room, size_t& n);
    Io write(const Origin& origin, std::string_view bytes, size_t& n);
    // After Ended, Cut or Lost.
    const std::string& why() const noexcept { return why_; }
    // The peer ended TLS by a fatal alert; by one that says that our certificate will not do.
    bool refused_by_alert() const noexcept { return alert_ >= 0; }
    bool refused_by_certificate_alert() const noexcept;
    // Says goodbye, if asked to, and closes.
    void close(bool in_order) noexcept;

private:
    Io judge(const Origin& origin, int code);
    Io judge_errno();

    UniqueFd fd_;
    Ssl ssl_;
    std::string why_;
    int alert_ = -1;  // -1: none
};

}  // namespace belfry::http
