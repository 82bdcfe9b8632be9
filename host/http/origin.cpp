// SPDX-License-Identifier: Apache-2.0
#include "http/origin.h"

#include <arpa/inet.h>

#include <charconv>

namespace belfry::http {

namespace {

constexpr std::string_view kScheme = "https://", kPlainScheme = "http://";
constexpr uint16_t kPlainPort = 80;
constexpr size_t kHostMax = 253;  // RFC 1035 2.3.4, without the root's dot

Error bad_url(std::string_view url, std::string_view why) {
    return error(ErrorCode::InvalidArgument,
                 "endpoint URL \"" + std::string(url) + "\" " + std::string(why) + "; write https://host[:port]");
}

bool is_address(const std::string& host) {
    in6_addr buffer;
    return inet_pton(AF_INET, host.c_str(), &buffer) == 1 || inet_pton(AF_INET6, host.c_str(), &buffer) == 1;
}

bool host_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == ':';
}

// Splits "host:port", "[v6]:port" or either without port.
bool split(std::string_view text, std::string_view& host, std::string_view& port) {
    size_t end = 0;
    if (!text.empty() && text.front() == '[') {
        end = text.find(']');
        if (end == std::string_view::npos) return false;
        host = text.substr(1, end - 1);
        ++end;
    } else {
        end = text.find(':');
        if (end == std::string_view::npos) end = text.size();
        host = text.substr(0, end);
    }
    port = text.substr(end);
    if (port.empty()) return true;
    if (port.size() < 2 || port.front() != ':') return false;
    port.remove_prefix(1);
    return true;
}

}  // namespace

std::string Origin::with_port() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Origin> parse_origin(std::string_view url, bool plain_ok) {
    Origin origin;
    origin.plain = plain_ok && url.substr(0, kPlainScheme.size()) == kPlainScheme;
    if (!origin.plain && url.substr(0, kScheme.size()) != kScheme) return bad_url(url, "does not begin with https://");
    const uint16_t usual_port = origin.plain ? kPlainPort : origin.port;
    origin.port = usual_port;
    std::string_view rest = url.substr(origin.plain ? kPlainScheme.size() : kScheme.size());
    if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
    if (rest.find_first_of("/?#@") != std::string_view::npos) return bad_url(url, "has more than a host and a port");
    std::string_view host, port;
    if (!split(rest, host, port)) return bad_url(url, "has a malformed host or port");
    if (host.empty() || host.size() > kHostMax) return bad_url(url, "has no host, or one that is too long");
    for (const char c : host) {
        const char lower = (c >= 'A' && c <= 'Z') ? static_cast<char>(c + ('a' - 'A')) : c;
        if (!host_byte(lower)) return bad_url(url, "has a host with characters that are not allowed there");
        origin.host.push_back(lower);
    }
    if (!port.empty()) {
        const auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), origin.port);
        if (code != std::errc() || end != port.data() + port.size() || origin.port == 0) {
            return bad_url(url, "has a port that is not a number between 1 and 65535");
        }
    }
    origin.literal = is_address(origin.host);
    const bool v6 = origin.host.find(':') != std::string::npos;
    if (v6 && !origin.literal) return bad_url(url, "has a malformed IPv6 address");
    origin.authority = v6 ? "[" + origin.host + "]" : origin.host;
    if (origin.port != usual_port) origin.authority += ":" + std::to_string(origin.port);
    return origin;
}

}  // namespace belfry::http
