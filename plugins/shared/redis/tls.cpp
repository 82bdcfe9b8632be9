// SPDX-License-Identifier: Apache-2.0
#include "redis/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <belfry/services.hpp>
#include <cerrno>
#include <new>

namespace belfry::redis {

namespace {

std::string latest_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "TLS failed" : std::string("TLS: ") + reason;
}

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a server that went away would end a process that does not
// ignore SIGPIPE, and a plugin cannot know whose process it is in.
int to_socket(BIO* bio, const char* bytes, int n) {
    int socket = -1;
    BIO_get_fd(bio, &socket);
    BIO_clear_retry_flags(bio);
    const ssize_t went = ::send(socket, bytes, static_cast<size_t>(n), MSG_NOSIGNAL);
    if (went < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return static_cast<int>(went);
}

const BIO_METHOD* quiet_socket() {
    static const BIO_METHOD* const method = [] {
        const BIO_METHOD* usual = BIO_s_socket();
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "redis");
        if (made == nullptr) throw std::bad_alloc();
        BIO_meth_set_write(made, to_socket);
        BIO_meth_set_read(made, BIO_meth_get_read(usual));
        BIO_meth_set_ctrl(made, BIO_meth_get_ctrl(usual));
        BIO_meth_set_create(made, BIO_meth_get_create(usual));
        BIO_meth_set_destroy(made, BIO_meth_get_destroy(usual));
        return made;
    }();
    return method;
}

}  // namespace

TlsContext::TlsContext(const std::string& ca_file, const std::string& certificate_file, const std::string& key_file)
    : context_(SSL_CTX_new(TLS_client_method())) {
    if (!context_) throw std::bad_alloc();
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    const auto refuse = [](const char* key, const std::string& file) {
        throw Refused(BELFRY_CONFIG, key, "cannot use " + file + ": " + latest_error());
    };
    if (ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context_.get());
    } else if (SSL_CTX_load_verify_locations(context_.get(), ca_file.c_str(), nullptr) != 1) {
        refuse("ca_file", ca_file);
    }
    if (certificate_file.empty()) return;
    if (SSL_CTX_use_certificate_chain_file(context_.get(), certificate_file.c_str()) != 1)
        refuse("client_certificate_file", certificate_file);
    if (SSL_CTX_use_PrivateKey_file(context_.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1)
        refuse("client_key_file", key_file);
}

TlsSession::TlsSession(const TlsContext& context, int socket, const std::string& host)
    : session_(SSL_new(context.raw())) {
    BIO* const bio = session_ ? BIO_new(quiet_socket()) : nullptr;
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_fd(bio, socket, BIO_NOCLOSE);
    SSL_set_bio(session_.get(), bio, bio);
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session_.get()), host.c_str()) == 1) return;
    ERR_clear_error();
    SSL_set1_host(session_.get(), host.c_str());
    // What SSL_set_tlsext_host_name does, without its cast.
    std::string name = host;
    SSL_ctrl(session_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
}

TlsSession::Step TlsSession::step(int result, size_t bytes) const {
    Step step;
    if (result == 1) {
        step.is_done = true;
        step.bytes = bytes;
        return step;
    }
    switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            break;
        case SSL_ERROR_WANT_WRITE:
            step.waits_to_write = true;
            break;
        case SSL_ERROR_ZERO_RETURN:
            step.trouble = "the server closed the connection";
            break;
        default: {
            const long verdict = SSL_get_verify_result(session_.get());
            step.trouble = latest_error();
            if (verdict != X509_V_OK)
                step.trouble = std::string("its certificate is not believed: ") +
                               X509_verify_cert_error_string(verdict) + "; check ca_file and the host of address";
        }
    }
    return step;
}

TlsSession::Step TlsSession::shake_hands() {
    ERR_clear_error();
    return step(SSL_connect(session_.get()), 0);
}

TlsSession::Step TlsSession::write(std::string_view bytes) {
    ERR_clear_error();
    size_t went = 0;
    const int result = SSL_write_ex(session_.get(), bytes.data(), bytes.size(), &went);
    return step(result, went);
}

TlsSession::Step TlsSession::read(char* into, size_t most) {
    ERR_clear_error();
    size_t came = 0;
    const int result = SSL_read_ex(session_.get(), into, most, &came);
    return step(result, came);
}

}  // namespace belfry::redis
