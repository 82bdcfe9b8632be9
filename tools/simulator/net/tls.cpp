// SPDX-License-Identifier: Apache-2.0
#include "net/tls.h"

#include <stdexcept>
#include <string_view>

namespace belfry::simulator {

namespace {

constexpr std::string_view kProtocols("\x02h2\x08http/1.1", 12);

int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
    unsigned char* chosen = nullptr;
    const auto* ours = reinterpret_cast<const unsigned char*>(kProtocols.data());
    const int result = SSL_select_next_proto(&chosen, out_size, ours, static_cast<unsigned int>(kProtocols.size()),
                                             offered, offered_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int select_h2(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
              unsigned int offered_size, void*) {
    unsigned char* chosen = nullptr;
    const auto* ours = reinterpret_cast<const unsigned char*>(kProtocols.data());
    constexpr unsigned int kH2Size = 3;  // the first of them, with its length byte
    const int result = SSL_select_next_proto(&chosen, out_size, ours, kH2Size, offered, offered_size);
    *out = chosen;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

TlsContext make_tls_context(const std::string& certificate_file, const std::string& key_file) {
    TlsContext context(SSL_CTX_new(TLS_server_method()));
    if (context == nullptr) throw std::runtime_error("OpenSSL gives no TLS context");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One recv() may fetch several records: with small frames the syscall is what costs.
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_default_read_buffer_len(context.get(), 64 * 1024);
    SSL_CTX_set_alpn_select_cb(context.get(), select_protocol, nullptr);
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
        throw std::runtime_error("cannot use the certificate in " + certificate_file + ": delete it to get a new one");
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        throw std::runtime_error("cannot use the key in " + key_file + ": delete it to get a new one");
    }
    return context;
}

TlsContext make_h2_tls_context(const std::string& certificate_file, const std::string& key_file,
                               const std::string& client_ca_file) {
    TlsContext context = make_tls_context(certificate_file, key_file);
    SSL_CTX_set_alpn_select_cb(context.get(), select_h2, nullptr);
    if (SSL_CTX_load_verify_file(context.get(), client_ca_file.c_str()) != 1) {
        throw std::runtime_error("cannot use the CA in " + client_ca_file + ": delete it to get a new one");
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    return context;
}

}  // namespace belfry::simulator
