// SPDX-License-Identifier: Apache-2.0
// Names to addresses by the system's resolver, on threads of their own: two for names an operator configured, two for
// names that came with a push, so that slow foreign names never delay a provider.
//
// Nothing is cached: the system's resolver does that better, and a connect is rare.
// Threads: resolve is [any]; answers are posted to the door they were asked through.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/door.h"

namespace belfry::http {

class Resolver {
public:
    static constexpr size_t kQueueMax = 256;  // lookups waiting per kind

    using AddressesOf = std::function<std::vector<std::string>(const std::string& host)>;

    // `addresses_of`: instead of the system's resolver; may be empty.
    explicit Resolver(AddressesOf addresses_of = {});
    // Waits a second for lookups that hang; leaves them to end by themselves then.
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    // Addresses of both families, alternating, arrive as Door::Resolved with `ticket`. False: too many lookups are
    // waiting. `untrusted`: a name with any address that is not public unicast has none at all (it would let a push
    // reach into our own network).
    bool resolve(std::string host, uint16_t port, bool untrusted, uint64_t ticket, std::shared_ptr<Door> answer_to);

private:
    class Pool;
    std::unique_ptr<Pool> trusted_, untrusted_;
};

// What may be connected to of a lookup's result, at most eight.
std::vector<Address> usable_addresses(const addrinfo* list, bool untrusted);

// "1.2.3.4:443", "[v6]:443".
std::string to_text(const Address& address);

// Whether an address means this machine.
bool is_loopback(const sockaddr* address) noexcept;

// Whether an address is reachable from everywhere: not private, loopback, link-local, multicast, documentation or an
// embedded one of these (RFC 6890, RFC 4291, RFC 6052).
bool is_public(const sockaddr* address) noexcept;

}  // namespace belfry::http
