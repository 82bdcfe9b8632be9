// SPDX-License-Identifier: Apache-2.0
#include "http/proxy_tunnel.h"

#include <openssl/evp.h>

#include <algorithm>

namespace belfry::http {

namespace {

constexpr size_t kAnswerMax = 32 * 1024;  // bytes of a proxy's answer, interim ones included
constexpr size_t kCredentialsMax = 1024;  // of user and password together

bool printable(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7F;
    });
}

}  // namespace

// RFC 7617
Result<std::string> basic_credentials(const Proxy& proxy) {
    if (proxy.user.empty() && proxy.password.empty()) return std::string();
    if (proxy.user.find(':') != std::string::npos || !printable(proxy.user) || !printable(proxy.password))
        return error(ErrorCode::InvalidArgument,
                     "a proxy's user has no colon, and neither it nor its password control "
                     "characters");
    const std::string pair = proxy.user + ":" + proxy.password;
    if (pair.size() > kCredentialsMax)
        return error(ErrorCode::InvalidArgument,
                     "a proxy's user and password have at most " + std::to_string(kCredentialsMax) + " bytes together");
    std::string text(4 * ((pair.size() + 2) / 3) + 1, '\0');  // the codec ends with a zero
    const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                  reinterpret_cast<const unsigned char*>(pair.data()), static_cast<int>(pair.size()));
    text.resize(static_cast<size_t>(n));
    return "Basic " + text;
}

ProxyTunnel::ProxyTunnel(std::string proxy, std::string target, std::string_view credentials)
    : proxy_(std::move(proxy)), target_(std::move(target)) {
    request_ = "CONNECT " + target_ + " HTTP/1.1\r\nhost: " + target_ + "\r\n";
    if (!credentials.empty()) request_.append("proxy-authorization: ").append(credentials).append("\r\n");
    request_ += "\r\n";
    http_parser_init(&parser_, HTTP_RESPONSE);
    parser_.data = this;
}

ProxyTunnel::State ProxyTunnel::consume(std::string_view bytes) {
    static const http_parser_settings callbacks = [] {
        http_parser_settings all{};
        all.on_headers_complete = [](http_parser* parser) {
            auto& self = *static_cast<ProxyTunnel*>(parser->data);
            const unsigned status = parser->status_code;
            if (status < 200) return status == 101 ? -1 : 1;
            self.stands_ = status < 300;
            self.refused_ = !self.stands_;
            return self.stands_ ? 2 : -1;  // either way: nothing more is parsed
        };
        return all;
    }();
    received_ += bytes.size();
    const size_t n = http_parser_execute(&parser_, &callbacks, bytes.data(), bytes.size());
    if (refused_) return refuse(meaning());
    if (stands_) return n == bytes.size() ? State::Stands : refuse("the proxy speaks inside the tunnel before anybody");
    if (HTTP_PARSER_ERRNO(&parser_) != HPE_OK || n != bytes.size()) return refuse("its answer is not HTTP/1");
    return received_ <= kAnswerMax ? State::Asking : refuse("its answer is too long");
}

ProxyTunnel::State ProxyTunnel::refuse(const std::string& what) {
    why_ = "proxy " + proxy_ + " gives no tunnel to " + target_ + ": " + what;
    return State::Refused;
}

std::string ProxyTunnel::meaning() const {
    const unsigned status = parser_.status_code;
    const std::string number = std::to_string(status);
    switch (status) {
        case 407:
            return "407, it wants other credentials; check proxy.user and proxy.password";
        case 401:
        case 403:
        case 405:
            return number + ", it does not allow this; ask whoever runs it, or set proxy.url of the provider";
        case 502:
        case 503:
        case 504:
            return number + ", it cannot reach the other side";
        default:
            return "it answered " + number;
    }
}

}  // namespace belfry::http
