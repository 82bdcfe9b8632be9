// SPDX-License-Identifier: Apache-2.0
#include "http/wire.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace belfry::http {

namespace {

constexpr size_t kRecord = 16 * 1024;  // RFC 8446 5.1: plaintext of one TLS record

void forget_errors() {
    ERR_clear_error();
    errno = 0;
}

}  // namespace

Wire::Io Wire::shake_hands(const Origin& origin, bool& for_output) {
    forget_errors();
    const int code = SSL_do_handshake(ssl_.get());
    if (code == 1) return Io::Moved;
    for_output = SSL_get_error(ssl_.get(), code) == SSL_ERROR_WANT_WRITE;
    return judge(origin, code);
}

Wire::Io Wire::read(const Origin& origin, char* out, size_t room, size_t& n) {
    n = 0;
    forget_errors();
    if (!ssl_) {
        const ssize_t got = recv(fd_.get(), out, room, 0);
        if (got > 0) n = static_cast<size_t>(got);
        if (got == 0) why_ = "the peer closed the connection";
        return got > 0 ? Io::Moved : got == 0 ? Io::Ended : judge_errno();
    }
    const int got = SSL_read(ssl_.get(), out, static_cast<int>(std::min<size_t>(room, INT_MAX)));
    if (got <= 0) return judge(origin, got);
    n = static_cast<size_t>(got);
    return Io::Moved;
}

Wire::Io Wire::write(const Origin& origin, std::string_view bytes, size_t& n) {
    n = 0;
    forget_errors();
    if (!ssl_) {
        const ssize_t put = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put < 0) return judge_errno();
        n = static_cast<size_t>(put);
        return Io::Moved;
    }
    const int put = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min(kRecord, bytes.size())));
    if (put <= 0) return judge(origin, put);
    n = static_cast<size_t>(put);
    return Io::Moved;
}

Wire::Io Wire::judge(const Origin& origin, int code) {
    const int saved_errno = errno;
    const int failure = SSL_get_error(ssl_.get(), code);
    if (failure == SSL_ERROR_WANT_READ || failure == SSL_ERROR_WANT_WRITE) return Io::Wait;
    alert_ = peers_alert();
    const bool cut = cut_off();
    why_ = explain_tls_failure(ssl_.get(), origin, failure, saved_errno);
    return failure == SSL_ERROR_ZERO_RETURN ? Io::Ended : cut ? Io::Cut : Io::Lost;
}

Wire::Io Wire::judge_errno() {
    if (errno == EAGAIN || errno == EINTR) return Io::Wait;
    why_ = std::strerror(errno);
    return Io::Lost;
}

// RFC 8446 6.2: bad_certificate ... unknown_ca, access_denied, and certificate_required.
bool Wire::refused_by_certificate_alert() const noexcept {
    return (alert_ >= 42 && alert_ <= 49 && alert_ != 47) || alert_ == 116;
}

void Wire::close(bool in_order) noexcept {
    if (ssl_ && in_order) SSL_shutdown(ssl_.get());
    ERR_clear_error();
    ssl_.reset();
    fd_.reset();
}

}  // namespace belfry::http
