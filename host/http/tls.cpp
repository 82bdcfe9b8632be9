// SPDX-License-Identifier: Apache-2.0
#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstring>

#include "crypto/bytes.h"

namespace belfry::http {

namespace {

using crypto::Bio;
using crypto::take_reason;
using X509Handle = std::unique_ptr<X509, FreeWith<X509_free>>;

constexpr unsigned char kAlpn[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr unsigned kAlpnH2 = 3;  // bytes of it that name h2 alone

Error bad_setting(std::string what, const EndpointConfig& config) {
    return error(ErrorCode::InvalidArgument, std::move(what), "endpoint " + config.url);
}

// SSL_set_tlsext_host_name without its C cast. OpenSSL copies the name.
bool set_sni(SSL& ssl, const std::string& host) {
    return SSL_ctrl(&ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())) ==
           1;
}

// Called on the session's loop when the peer hands out a ticket. 1: the reference is ours now.
int keep_ticket(SSL* ssl, SSL_SESSION* ticket) {
    static_cast<TlsMemory*>(SSL_get_ex_data(ssl, 0))->reset(ticket);
    return 1;
}

int no_password(char*, int, int, void*) {
    return -1;
}

Status use_client_certificate(SSL_CTX& context, const EndpointConfig& config) {
    const Bio certs(BIO_new_mem_buf(config.client_cert_pem.data(), static_cast<int>(config.client_cert_pem.size())));
    X509Handle leaf(PEM_read_bio_X509_AUX(certs.get(), nullptr, no_password, nullptr));
    if (!leaf || SSL_CTX_use_certificate(&context, leaf.get()) != 1) {
        return bad_setting("the client certificate is not a usable PEM certificate: " + take_reason(), config);
    }
    while (X509* next = PEM_read_bio_X509(certs.get(), nullptr, no_password, nullptr)) {
        if (SSL_CTX_add0_chain_cert(&context, next) != 1) {
            X509_free(next);
            return bad_setting("the client certificate's chain is unusable: " + take_reason(), config);
        }
    }
    ERR_clear_error();  // the end of the PEM text is an error to OpenSSL
    const Bio keys(BIO_new_mem_buf(config.client_key_pem.data(), static_cast<int>(config.client_key_pem.size())));
    const crypto::Key key(PEM_read_bio_PrivateKey(keys.get(), nullptr, no_password, nullptr));
    if (!key || SSL_CTX_use_PrivateKey(&context, key.get()) != 1) {
        return bad_setting("the client key is not an unencrypted PEM key of this certificate: " + take_reason(),
                           config);
    }
    return {};
}

Status use_roots(SSL_CTX& context, const EndpointConfig& config) {
    if (config.ca_file.empty()) {
        if (SSL_CTX_set_default_verify_paths(&context) == 1) return {};
        return bad_setting("the system's root certificates cannot be read: " + take_reason(), config);
    }
    if (SSL_CTX_load_verify_file(&context, config.ca_file.c_str()) == 1) return {};
    return bad_setting("ca_file " + config.ca_file + " cannot be read as PEM certificates: " + take_reason(), config);
}

}  // namespace

Result<SslCtx> make_tls_context(const EndpointConfig& config) {
    ERR_clear_error();
    SslCtx context(SSL_CTX_new(TLS_client_method()));
    if (!context) return error(ErrorCode::Internal, "no TLS context: " + take_reason());
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context.get(), keep_ticket);
    if (SSL_CTX_set_alpn_protos(context.get(), kAlpn, config.http1_ok ? sizeof kAlpn : kAlpnH2) != 0) {
        return error(ErrorCode::Internal, "ALPN cannot be set: " + take_reason());
    }
    if (const Status roots = use_roots(*context, config); !roots) return roots.error();
    if (config.client_cert_pem.empty() != config.client_key_pem.empty()) {
        return bad_setting("a client certificate needs its key, and a key its certificate", config);
    }
    if (!config.client_cert_pem.empty()) {
        if (const Status client = use_client_certificate(*context, config); !client) return client.error();
    }
    return context;
}

Result<Ssl> make_tls_session(SSL_CTX& context, const Origin& origin, int fd, TlsMemory& memory) {
    ERR_clear_error();
    Ssl ssl(SSL_new(&context));
    if (!ssl || SSL_set_fd(ssl.get(), fd) != 1 || SSL_set_ex_data(ssl.get(), 0, &memory) != 1) {
        return error(ErrorCode::Internal, "no TLS session: " + take_reason());
    }
    X509_VERIFY_PARAM* param = SSL_get0_param(ssl.get());
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const bool named = origin.literal
                           ? X509_VERIFY_PARAM_set1_ip_asc(param, origin.host.c_str()) == 1
                           : SSL_set1_host(ssl.get(), origin.host.c_str()) == 1 && set_sni(*ssl, origin.host);
    if (!named) return error(ErrorCode::Internal, "TLS host name cannot be set: " + take_reason());
    if (memory && SSL_SESSION_is_resumable(memory.get()) == 1) SSL_set_session(ssl.get(), memory.get());
    SSL_set_connect_state(ssl.get());
    return ssl;
}

std::string explain_tls_failure(const SSL* ssl, const Origin& origin, int ssl_error, int saved_errno) {
    const long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK) {
        std::string text = "certificate of " + origin.host + " refused: ";
        text += X509_verify_cert_error_string(verdict);
        if (verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT || verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
            verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) {
            text += " (a private CA must be named by ca_file)";
        }
        ERR_clear_error();
        return text;
    }
    if (ssl_error == SSL_ERROR_ZERO_RETURN || cut_off()) {
        ERR_clear_error();
        return "the peer closed the connection";
    }
    if (ssl_error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {
        return saved_errno == 0 ? "the peer closed the connection" : std::strerror(saved_errno);
    }
    return "TLS failed: " + take_reason();
}

int peers_alert() noexcept {
    const unsigned long code = ERR_peek_last_error();
    // SSL_R_SSLV3_ALERT_... = SSL_AD_REASON_OFFSET + alert.
    const bool alert = code != 0 && ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) > SSL_AD_REASON_OFFSET;
    return alert ? ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET : -1;
}

bool cut_off() noexcept {
    const unsigned long code = ERR_peek_error();
    return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

bool chose_h2(const SSL* ssl) noexcept {
    const unsigned char* protocol = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &length);
    return length == 2 && std::memcmp(protocol, "h2", 2) == 0;
}

}  // namespace belfry::http
