// SPDX-License-Identifier: Apache-2.0
#include "api/tls_socket.h"

#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace belfry::api {
namespace {

constexpr size_t kReadStep = 4096;
constexpr unsigned char kHttp1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
// With forward secrecy and authenticated encryption only; TLS 1.3 has nothing else.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::string_view kSpeakHttps =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "
    "49\r\n\r\nthis address speaks HTTPS; use https:// to reach\n";

std::string openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    std::string text = reason == nullptr ? "unknown TLS error" : reason;
    ERR_clear_error();
    return text;
}

// A key with a password would ask at the terminal.
int no_password(char*, int, int, void*) {
    return -1;
}

int choose_http1(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                 void*) {
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, out_size, kHttp1, sizeof kHttp1, in, in_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

Error unusable(const char* key, const std::string& file, const char* what) {
    return error(ErrorCode::Misconfigured, file + " " + what + " (" + openssl_reason() + ")", key);
}

}  // namespace

Result<TlsContext> tls_context(const std::string& cert_file, const std::string& key_file) {
    ERR_clear_error();
    TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!context) return error(ErrorCode::Internal, "no TLS context: " + openssl_reason());
    SSL_CTX* const raw = context.get();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Idle connections keep no buffers; clients keep their sessions themselves, as tickets.
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    // A client that only closes its side is still owed its answer; OpenSSL would fail the whole connection.
    SSL_CTX_set_options(raw, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_info_callback(raw, TlsSocket::note_goodbye);
    SSL_CTX_set_num_tickets(raw, 1);
    SSL_CTX_set_alpn_select_cb(raw, choose_http1, nullptr);
    SSL_CTX_set_default_passwd_cb(raw, no_password);
    if (SSL_CTX_set_cipher_list(raw, kTls12Ciphers) != 1)
        return error(ErrorCode::Internal, "no TLS 1.2 ciphers: " + openssl_reason());
    if (SSL_CTX_use_certificate_chain_file(raw, cert_file.c_str()) != 1)
        return unusable("http.tls.cert", cert_file, "is no PEM certificate that can be read, the server's own first");
    if (SSL_CTX_use_PrivateKey_file(raw, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return unusable("http.tls.key", key_file, "is no PEM key without a password, of this certificate");
    if (SSL_CTX_check_private_key(raw) != 1)
        return unusable("http.tls.key", key_file, "is not the key of the certificate");
    return context;
}

TlsSocket::TlsSocket(int fd, const TlsContext& context, std::chrono::seconds timeout)
    : StreamSocketImpl(fd), context_(context), timeout_(timeout), ssl_(SSL_new(context.get())) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd) != 1) {
        broken_ = true;
        ERR_clear_error();
        return;
    }
    SSL_set_accept_state(ssl_.get());
    SSL_set_app_data(ssl_.get(), this);
}

void TlsSocket::note_goodbye(const SSL* ssl, int where, int alert) {
    if (where == SSL_CB_READ_ALERT && (alert & 0xff) == SSL_AD_CLOSE_NOTIFY)
        static_cast<TlsSocket*>(SSL_get_app_data(ssl))->heard_goodbye_ = true;
}

TlsSocket::~TlsSocket() {
    TlsSocket::close();
}

void TlsSocket::close() {
    say_goodbye();
    broken_ = true;
    ssl_.reset();
    StreamSocketImpl::close();
}

TlsSocket::Handshake TlsSocket::shake_hands() {
    if (ready_) return Handshake::Done;
    if (broken_) return Handshake::Failed;
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) {
        ready_ = true;
        return Handshake::Done;
    }
    const int why = SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return Handshake::Waits;
    broken_ = true;
    if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST) {
        const ssize_t told = ::send(sockfd(), kSpeakHttps.data(), kSpeakHttps.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        static_cast<void>(told);  // a client that is gone already needs no explanation
    }
    ERR_clear_error();
    return Handshake::Failed;
}

bool TlsSocket::look_ahead(size_t most) {
    if (broken_ || !ready_) return !broken_;
    if (taken_ == ahead_.size()) {
        ahead_.clear();
        taken_ = 0;
    }
    while (ahead_.size() - taken_ < most) {
        const size_t had = ahead_.size();
        ahead_.resize(had + kReadStep);
        ERR_clear_error();
        const int n = SSL_read(ssl_.get(), ahead_.data() + had, static_cast<int>(kReadStep));
        ahead_.resize(had + static_cast<size_t>(std::max(n, 0)));
        if (n > 0) continue;
        if (ahead_.empty()) ahead_.shrink_to_fit();
        const int why = SSL_get_error(ssl_.get(), n);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return true;
        if (why != SSL_ERROR_ZERO_RETURN) broken_ = true;
        ERR_clear_error();
        return false;
    }
    return true;
}

int TlsSocket::take_ahead(void* buffer, int length) {
    const size_t n = std::min(ahead_.size() - taken_, static_cast<size_t>(length));
    std::memcpy(buffer, ahead_.data() + taken_, n);
    taken_ += n;
    if (taken_ == ahead_.size()) {
        std::string().swap(ahead_);
        taken_ = 0;
    }
    return static_cast<int>(n);
}

// Until the socket can do what OpenSSL wanted to. Throws what Poco's sockets throw.
void TlsSocket::wait(int result) {
    const int why = SSL_get_error(ssl_.get(), result);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
        broken_ = true;
        ERR_clear_error();
        throw Poco::Net::ConnectionResetException("TLS");
    }
    pollfd wanted{sockfd(), static_cast<short>(why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT), 0};
    int ready = 0;
    do {
        ready = ::poll(&wanted, 1, static_cast<int>(timeout_.count()));
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) throw Poco::TimeoutException("TLS");
}

int TlsSocket::receiveBytes(void* buffer, int length, int) {
    if (taken_ < ahead_.size()) return take_ahead(buffer, length);
    while (true) {
        if (broken_ || !ready_) throw Poco::Net::ConnectionResetException("TLS");
        ERR_clear_error();
        const int n = SSL_read(ssl_.get(), buffer, length);
        if (n > 0) return n;
        if (SSL_get_error(ssl_.get(), n) == SSL_ERROR_ZERO_RETURN) {
            if (heard_goodbye_) return 0;
            // Whoever cuts a connection could make less of a request that ends with it.
            throw Poco::Net::ConnectionResetException("TLS");
        }
        wait(n);
    }
}

int TlsSocket::sendBytes(const void* buffer, int length, int) {
    if (length == 0) return 0;
    while (true) {
        if (broken_ || !ready_) throw Poco::Net::ConnectionResetException("TLS");
        ERR_clear_error();
        const int n = SSL_write(ssl_.get(), buffer, length);
        if (n > 0) return n;
        wait(n);
    }
}

void TlsSocket::say_goodbye() noexcept {
    if (!ready_ || broken_ || said_goodbye_) return;
    said_goodbye_ = true;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

}  // namespace belfry::api
