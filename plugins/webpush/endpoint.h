// SPDX-License-Identifier: Apache-2.0
// Which URLs may be called. An endpoint comes from a browser nobody trusts, and the server posts to it: what is refused
// here never reaches a resolver. The host checks the addresses again when it connects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace webpush {

inline constexpr size_t kEndpointMax = 2048;  // bytes

// Views into the URL; `origin` is its own text: "https://host[:port]", lower case, without the default port.
struct Endpoint {
    std::string origin, host;
    uint16_t port = 443;
    std::string_view path;  // with the query, byte for byte
};

// Throws Refused with BAD_REQUEST and `where` for anything but https://host[:port]/path?query in visible ASCII.
Endpoint split_endpoint(std::string_view url, const std::string& where);

// Which hosts a configuration allows: "host", "*.suffix", either with ":port"; "*" is every public name.
class AllowList {
public:
    // Throws Refused with CONFIG for what is no pattern. `private_networks`: addresses and local names are hosts, too.
    AllowList(const std::vector<std::string>& patterns, bool private_networks);

    bool private_networks() const { return private_networks_; }
    // Throws Refused with BAD_REQUEST, saying what to do.
    void check(const Endpoint& endpoint, const std::string& where) const;

private:
    struct Pattern {
        std::string host;  // with `suffix`: begins with a dot; empty: any
        bool suffix = false;
        uint16_t port = 443;
    };
    std::vector<Pattern> patterns_;
    bool private_networks_;
};

}  // namespace webpush
