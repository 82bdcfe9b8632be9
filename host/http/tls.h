// SPDX-License-Identifier: Apache-2.0
// TLS towards providers: verified chain and host name, SNI, TLS 1.2 or newer, ALPN h2 and, where the
// endpoint allows it, http/1.1. Not here: sockets, records (Wire). Threads: contexts are made on [control] and shared
// read-only by all loops; sessions belong to one loop.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/handles.h"
#include "base/result.h"
#include "http/engine.h"
#include "http/origin.h"

namespace belfry::http {

using SslCtx = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, FreeWith<SSL_free>>;

// The newest session that a peer gave a ticket for: a later handshake with it needs no certificates and no signature.
using TlsMemory = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

// Reads the trust and client certificate settings of an endpoint. InvalidArgument names the file or setting.
Result<SslCtx> make_tls_context(const EndpointConfig&);
// Whether the last operation failed because the peer closed the connection without saying so by TLS; to be asked before
// explain_tls_failure.
bool cut_off() noexcept;
// Whether the peer chose HTTP/2.
bool chose_h2(const SSL*) noexcept;
// A client session over a connected socket, ready for SSL_connect. It offers what `memory` holds and leaves new tickets
// there; `memory` outlives it and belongs to this origin and context alone.
Result<Ssl> make_tls_session(SSL_CTX&, const Origin&, int fd, TlsMemory& memory);
// What went wrong in the last operation on `ssl`, in words an operator can act on: verification first. Clears OpenSSL's
// error queue.
std::string explain_tls_failure(const SSL* ssl, const Origin&, int ssl_error, int saved_errno);
// The fatal alert by which the peer ended the connection, -1 if it did not; to be asked before explain_tls_failure.
int peers_alert() noexcept;

}  // namespace belfry::http
