// SPDX-License-Identifier: Apache-2.0
#include "api/tls_socket.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <climits>
#include <ctime>

#include "crypto/bytes.h"

namespace belfry::api {
namespace {

constexpr unsigned char kHttp1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
// With forward secrecy and authenticated encryption only; TLS 1.3 has nothing else.
constexpr const char* kTls12Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr std::string_view kSpeakHttps =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "
    "49\r\n\r\nthis address speaks HTTPS; use https:// to reach\n";

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
    return error(ErrorCode::Misconfigured, file + " " + what + " (" + crypto::take_reason() + ")", key);
}

std::string date_of(const ASN1_TIME* time) {
    std::tm parts{};
    std::array<char, 32> text{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return "a time that cannot be read";
    return {text.data(), std::strftime(text.data(), text.size(), "%F %T UTC", &parts)};
}

}  // namespace

Result<TlsContext> tls_context(const std::string& cert_file, const std::string& key_file) {
    ERR_clear_error();
    TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    if (!context) return error(ErrorCode::Internal, "no TLS context: " + crypto::take_reason());
    SSL_CTX* const raw = context.get();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Idle connections keep no buffers; clients keep their sessions themselves, as tickets.
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    // A client that only closes its side is still owed its answer; OpenSSL would fail the whole connection. Requests
    // tell their length: one that is cut is seen as such.
    SSL_CTX_set_options(raw, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_num_tickets(raw, 1);
    SSL_CTX_set_alpn_select_cb(raw, choose_http1, nullptr);
    SSL_CTX_set_default_passwd_cb(raw, no_password);
    if (SSL_CTX_set_cipher_list(raw, kTls12Ciphers) != 1)
        return error(ErrorCode::Internal, "no TLS 1.2 ciphers: " + crypto::take_reason());
    if (SSL_CTX_use_certificate_chain_file(raw, cert_file.c_str()) != 1)
        return unusable("http.tls.cert", cert_file, "is no PEM certificate that can be read, the server's own first");
    if (SSL_CTX_use_PrivateKey_file(raw, key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        return unusable("http.tls.key", key_file, "is no PEM key without a password, of this certificate");
    if (SSL_CTX_check_private_key(raw) != 1)  // of another kind; one of its kind was refused above
        return unusable("http.tls.key", key_file, "is no key of the kind that the certificate has");
    return context;
}

Status check_validity(const TlsContext& context, const std::string& cert_file, int64_t unix_ms) {
    const X509* const cert = SSL_CTX_get0_certificate(context.get());
    time_t now = unix_ms / 1000;
    const auto wrong = [&](const std::string& what) {
        return error(ErrorCode::Misconfigured, cert_file + " " + what, "http.tls.cert");
    };
    if (X509_cmp_time(X509_get0_notAfter(cert), &now) < 0)
        return wrong("has expired on " + date_of(X509_get0_notAfter(cert)) + "; renew the certificate");
    if (X509_cmp_time(X509_get0_notBefore(cert), &now) > 0)
        return wrong("is valid from " + date_of(X509_get0_notBefore(cert)) + " only; is this machine's clock right?");
    return {};
}

TlsSocket::TlsSocket(int fd, const TlsContext& context) : fd_(fd), context_(context), ssl_(SSL_new(context.get())) {
    if (!ssl_ || SSL_set_fd(ssl_.get(), fd) != 1) {
        broken_ = true;
        ERR_clear_error();
        return;
    }
    SSL_set_accept_state(ssl_.get());
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
    const bool http = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
    ERR_clear_error();
    if (!http) return Handshake::Failed;
    const ssize_t told = ::send(fd_, kSpeakHttps.data(), kSpeakHttps.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    static_cast<void>(told);  // a client that is gone already needs no explanation
    return Handshake::SpokeHttp;
}

Transfer TlsSocket::failed(int result) noexcept {
    const int why = SSL_get_error(ssl_.get(), result);
    if (why == SSL_ERROR_WANT_READ) return {Transfer::Outcome::WaitsToRead};
    if (why == SSL_ERROR_WANT_WRITE) return {Transfer::Outcome::WaitsToWrite};
    if (why == SSL_ERROR_ZERO_RETURN) return {Transfer::Outcome::Ended};
    broken_ = true;
    ERR_clear_error();
    return {Transfer::Outcome::Broken};
}

Transfer TlsSocket::receive(char* into, size_t room) noexcept {
    if (broken_ || !ready_) return {Transfer::Outcome::Broken};
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), into, static_cast<int>(std::min<size_t>(room, INT_MAX)));
    return n > 0 ? Transfer{Transfer::Outcome::Done, static_cast<size_t>(n)} : failed(n);
}

Transfer TlsSocket::send(std::string_view bytes) noexcept {
    if (broken_ || !ready_) return {Transfer::Outcome::Broken};
    ERR_clear_error();
    const int n = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX)));
    return n > 0 ? Transfer{Transfer::Outcome::Done, static_cast<size_t>(n)} : failed(n);
}

void TlsSocket::say_goodbye() noexcept {
    if (!ready_ || broken_ || said_goodbye_) return;
    said_goodbye_ = true;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

}  // namespace belfry::api
