// SPDX-License-Identifier: Apache-2.0
#include "endpoint.h"

#include <algorithm>
#include <belfry/services.hpp>
#include <charconv>

namespace webpush {
namespace {

using belfry::Refused;

constexpr std::string_view kScheme = "https://";
constexpr size_t kHostMax = 253;  // RFC 1035, 2.3.4

[[noreturn]] void wrong(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, where, where + " " + what);
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool host_byte(char c) {
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_';
}
std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return out;
}

// "host:port" or "[v6]:port"; false if the port is no number.
bool split_port(std::string_view authority, std::string& host, uint16_t& port) {
    const size_t end = authority.starts_with('[') ? authority.find(']') : authority.find(':');
    const size_t colon = authority.starts_with('[') && end != std::string_view::npos ? end + 1 : end;
    host = lower(authority.substr(0, colon));
    if (colon >= authority.size()) return true;
    const std::string_view digits = authority.substr(colon + 1);
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return authority[colon] == ':' && !digits.empty() && error == std::errc{} &&
           rest == digits.data() + digits.size() && port != 0;
}

// An IPv4 address in any spelling a resolver takes: its last part is a number (WHATWG URL, "ends in a number").
bool ends_in_number(std::string_view host) {
    const std::string_view last = host.substr(host.rfind('.') + 1);
    return last.starts_with("0x") || std::all_of(last.begin(), last.end(), is_digit);
}

// Why a host is no public DNS name; empty if it may be one.
std::string not_public(std::string_view host) {
    if (host.starts_with('[') || ends_in_number(host)) return "is an address; push services have names";
    if (host.find('.') == std::string_view::npos) return "is a local name";
    for (const std::string_view local : {".local", ".localhost", ".internal", ".home.arpa", ".lan"}) {
        if (host.ends_with(local)) return "is a local name";
    }
    return {};
}

bool well_formed(std::string_view host) {
    if (host.empty() || host.size() > kHostMax) return false;
    if (host.starts_with('[')) {
        const auto inside = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.'; };
        return host.size() > 2 && host.ends_with(']') && std::all_of(host.begin() + 1, host.end() - 1, inside);
    }
    return std::all_of(host.begin(), host.end(), host_byte) && host.front() != '.' && host.back() != '.' &&
           host.front() != '-' && host.find("..") == std::string_view::npos;
}

}  // namespace

Endpoint split_endpoint(std::string_view url, const std::string& where) {
    if (url.size() > kEndpointMax) wrong(where, "is longer than 2048 bytes");
    const auto visible = [](char c) { return c > 0x20 && c < 0x7F && c != '\\' && c != '"' && c != '<' && c != '>'; };
    if (!std::all_of(url.begin(), url.end(), visible))
        wrong(where, "holds a blank, a control character or one that is not ASCII");
    if (!url.starts_with(kScheme)) wrong(where, "must begin with https://");
    if (url.find('#') != std::string_view::npos) wrong(where, "has a fragment");
    const size_t slash = std::min(url.find_first_of("/?", kScheme.size()), url.size());
    const std::string_view authority = url.substr(kScheme.size(), slash - kScheme.size());
    if (authority.find('@') != std::string_view::npos) wrong(where, "has user information");
    Endpoint endpoint;
    if (!split_port(authority, endpoint.host, endpoint.port)) wrong(where, "has a malformed port");
    if (!well_formed(endpoint.host)) wrong(where, "has a malformed host");
    endpoint.path = url.substr(slash);
    if (!endpoint.path.starts_with('/')) wrong(where, "has no path");
    endpoint.origin = std::string(kScheme) + endpoint.host;
    if (endpoint.port != 443) endpoint.origin += ":" + std::to_string(endpoint.port);
    return endpoint;
}

AllowList::AllowList(const std::vector<std::string>& patterns, bool private_networks)
    : private_networks_(private_networks) {
    for (const std::string& text : patterns) {
        std::string_view rest = text;
        if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
        if (rest.ends_with('/')) rest.remove_suffix(1);
        Pattern pattern;
        pattern.suffix = rest.starts_with('*');
        if (pattern.suffix) rest.remove_prefix(1);
        const bool split = split_port(rest, pattern.host, pattern.port);
        const std::string_view name = std::string_view(pattern.host).substr(pattern.host.starts_with('.') ? 1 : 0);
        const bool good = split && ((pattern.suffix && pattern.host.empty()) ||
                                    (well_formed(name) && pattern.suffix == pattern.host.starts_with('.')));
        if (!good) {
            throw Refused(BELFRY_CONFIG, "allowed_origins",
                          "\"" + text + "\" is not a host, *.suffix, either with :port, or *");
        }
        patterns_.push_back(std::move(pattern));
    }
}

void AllowList::check(const Endpoint& endpoint, const std::string& where) const {
    if (!private_networks_) {
        const std::string problem = not_public(endpoint.host);
        if (!problem.empty())
            wrong(where, "host " + endpoint.host + " " + problem + " (allow_private_networks is off)");
    }
    const std::string_view host = endpoint.host;
    for (const Pattern& pattern : patterns_) {
        const bool fits =
            pattern.suffix ? host.size() > pattern.host.size() && host.ends_with(pattern.host) : host == pattern.host;
        if (fits && endpoint.port == pattern.port) return;
    }
    wrong(where, "is at " + endpoint.origin + ", no known push service; if it is one, add it to extra_allowed_origins");
}

}  // namespace webpush
