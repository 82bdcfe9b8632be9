// SPDX-License-Identifier: Apache-2.0
// Asks an HTTP proxy for a tunnel (CONNECT, RFC 9110 9.3.6) and reads its answer. What the tunnel carries is not its
// business: TLS to the origin begins behind it, with the origin's own name and certificate.
//
// Threads: [loop].  Owner: Connection, until the tunnel stands.
#pragma once

#include <http_parser.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/engine.h"

namespace belfry::http {

// The value of proxy-authorization; empty without a user. InvalidArgument: it cannot be said in a header.
Result<std::string> basic_credentials(const Proxy& proxy);

class ProxyTunnel {
public:
    enum class State : uint8_t {
        Asking,
        Stands,
        Refused  // why() says by what
    };

    // `target`: "host:port" or "[v6]:port".
    ProxyTunnel(std::string proxy, std::string target, std::string_view credentials);
    ProxyTunnel(const ProxyTunnel&) = delete;
    ProxyTunnel& operator=(const ProxyTunnel&) = delete;

    std::string_view unsent() const { return std::string_view(request_).substr(sent_); }
    void sent(size_t n) { sent_ += n; }
    State consume(std::string_view bytes);
    const std::string& why() const { return why_; }

private:
    State refuse(const std::string& what);
    std::string meaning() const;

    const std::string proxy_, target_;
    std::string request_, why_;
    size_t sent_ = 0, received_ = 0;
    bool stands_ = false, refused_ = false;
    http_parser parser_{};
};

}  // namespace belfry::http
