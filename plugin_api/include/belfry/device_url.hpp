// SPDX-License-Identifier: Apache-2.0
// URLs that come from devices, and which of them may be called: the server posts to an address that somebody nobody
// trusts has given. What is refused here never reaches a resolver; declare the endpoint UNTRUSTED, and the host checks
// the addresses again when it connects. Header-only, C++17. Threads: [any].
#pragma once

#include <algorithm>
#include <belfry/services.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace belfry {

inline constexpr size_t kDeviceUrlMax = 2048;  // bytes

// `origin` is its own text: "https://host[:port]", lower case, without the default port.
struct DeviceUrl {
    std::string origin, host;
    uint16_t port = 443;
    bool plain = false;     // http://
    std::string_view path;  // a view into the URL, with the query, byte for byte
};

namespace sdk {

inline constexpr std::string_view kHttps = "https://", kHttp = "http://";
inline constexpr uint16_t kHttpsPort = 443, kHttpPort = 80;

[[noreturn]] inline void bad_url(const std::string& where, const std::string& what) {
    throw Refused(BELFRY_BAD_REQUEST, where, where + " " + what);
}

// "host:port" or "[v6]:port"; false if the port is no number.
inline bool split_port(std::string_view authority, std::string& host, uint16_t& port) {
    const bool v6 = starts_with(authority, "[");
    const size_t end = authority.find(v6 ? ']' : ':');
    const size_t colon = v6 && end != std::string_view::npos ? end + 1 : end;
    host = lower(authority.substr(0, colon));
    if (colon >= authority.size()) return true;
    const std::string_view digits = authority.substr(colon + 1);
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return authority[colon] == ':' && is_digits(digits) && error == std::errc{} &&
           rest == digits.data() + digits.size() && port != 0;
}

inline bool is_host(std::string_view host) {
    constexpr size_t kHostMax = 253;  // RFC 1035, 2.3.4
    if (host.empty() || host.size() > kHostMax) return false;
    if (starts_with(host, "[")) {
        const auto inside = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.'; };
        return host.size() > 2 && host.back() == ']' && std::all_of(host.begin() + 1, host.end() - 1, inside);
    }
    return is_word(host, "-._") && host.front() != '.' && host.back() != '.' && host.front() != '-' &&
           host.find("..") == std::string_view::npos;
}

// Why a host is no public DNS name; empty if it may be one. An address in any spelling a resolver takes ends in a
// number (WHATWG URL).
inline std::string not_public(std::string_view host) {
    const std::string_view last = host.substr(host.rfind('.') + 1);
    if (starts_with(host, "[") || last.empty() || is_digits(last) || starts_with(last, "0x"))
        return "is an address, not a name";
    bool local = host.find('.') == std::string_view::npos;
    for (const std::string_view suffix : {".local", ".localhost", ".internal", ".home.arpa", ".lan"})
        local = local || ends_with(host, suffix);
    return local ? "is a local name" : "";
}

}  // namespace sdk

// Refused with BAD_REQUEST and `where` for anything but https://host[:port]/path?query in visible ASCII; http:// is
// left to AllowedHosts.
inline DeviceUrl split_device_url(std::string_view url, const std::string& where) {
    const auto refuse = [&](const char* what) { sdk::bad_url(where, what); };
    if (url.size() > kDeviceUrlMax) refuse("is longer than 2048 bytes");
    if (!is_visible(url) || url.find_first_of("\\\"<>") != std::string_view::npos)
        refuse("is empty, or holds a blank, a control character or one that is not ASCII");
    DeviceUrl out;
    out.plain = starts_with(url, sdk::kHttp);
    if (!out.plain && !starts_with(url, sdk::kHttps)) refuse("must begin with https://");
    if (url.find('#') != std::string_view::npos) refuse("has a fragment");
    const std::string_view scheme = out.plain ? sdk::kHttp : sdk::kHttps;
    const uint16_t usual = out.plain ? sdk::kHttpPort : sdk::kHttpsPort;
    const size_t slash = std::min(url.find_first_of("/?", scheme.size()), url.size());
    const std::string_view authority = url.substr(scheme.size(), slash - scheme.size());
    if (authority.find('@') != std::string_view::npos) refuse("has user information");
    out.port = usual;
    if (!sdk::split_port(authority, out.host, out.port)) refuse("has a malformed port");
    if (!sdk::is_host(out.host)) refuse("has a malformed host");
    out.path = url.substr(slash);
    if (!starts_with(out.path, "/")) refuse("has no path");
    out.origin = std::string(scheme) + out.host;
    if (out.port != usual) out.origin += ":" + std::to_string(out.port);
    return out;
}

// Which hosts a configuration allows: "host", "*.suffix", either with ":port"; "*" is every public name.
class AllowedHosts {
public:
    // `private_networks`: addresses and local names are hosts, too, and http:// is for the host to refuse, which takes
    // it with plain_loopback for this machine only.
    explicit AllowedHosts(bool private_networks) : private_networks_(private_networks) {}
    // Refused with CONFIG and the key `where` for what is no pattern.
    void add(const std::vector<std::string>& patterns, const std::string& where) {
        for (const std::string& text : patterns) patterns_.push_back(read(text, where));
    }

    bool private_networks() const { return private_networks_; }
    // Refused with BAD_REQUEST, saying what to do; `extend` is the key that allows more.
    void check(const DeviceUrl& url, const std::string& where, const std::string& extend) const {
        if (url.plain && !private_networks_) sdk::bad_url(where, "must begin with https://");
        const std::string problem = private_networks_ ? std::string() : sdk::not_public(url.host);
        if (!problem.empty())
            sdk::bad_url(where, "host " + url.host + " " + problem + " (allow_private_networks is off)");
        const auto fits = [&](const Pattern& pattern) {
            const bool name = pattern.suffix
                                  ? url.host.size() > pattern.host.size() && ends_with(url.host, pattern.host)
                                  : url.host == pattern.host;
            return name && url.port == pattern.port;
        };
        if (std::any_of(patterns_.begin(), patterns_.end(), fits)) return;
        sdk::bad_url(where, "is at " + url.origin + ", which is not allowed; if it is right, add it to " + extend);
    }

private:
    struct Pattern {
        std::string host;  // with `suffix`: begins with a dot; empty: any
        bool suffix = false;
        uint16_t port = 443;
    };
    static Pattern read(const std::string& text, const std::string& where) {
        std::string_view rest = text;
        if (starts_with(rest, sdk::kHttps)) rest.remove_prefix(sdk::kHttps.size());
        if (ends_with(rest, "/")) rest.remove_suffix(1);
        Pattern pattern;
        pattern.suffix = starts_with(rest, "*");
        if (pattern.suffix) rest.remove_prefix(1);
        const bool split = sdk::split_port(rest, pattern.host, pattern.port);
        const bool dotted = starts_with(pattern.host, ".");
        const std::string_view name = std::string_view(pattern.host).substr(dotted ? 1 : 0);
        const bool all = pattern.suffix && pattern.host.empty();
        if (split && (all || (sdk::is_host(name) && pattern.suffix == dotted))) return pattern;
        throw Refused(BELFRY_CONFIG, where, "\"" + text + "\" is not a host, *.suffix, either with :port, or *");
    }
    std::vector<Pattern> patterns_;
    bool private_networks_;
};

}  // namespace belfry
