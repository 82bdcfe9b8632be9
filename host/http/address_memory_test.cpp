// SPDX-License-Identifier: Apache-2.0
#include "http/address_memory.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace belfry::http {
namespace {

Address address_of(uint32_t host) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(443);
    v4.sin_addr.s_addr = htonl(host);
    Address address{};
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.length = sizeof v4;
    return address;
}

// The hosts 1, 2 and 3 in the order in which they would be tried.
std::vector<uint32_t> order(const AddressMemory& memory) {
    std::vector<Address> addresses{address_of(1), address_of(2), address_of(3)};
    memory.order(addresses);
    std::vector<uint32_t> hosts;
    for (const Address& address : addresses)
        hosts.push_back(ntohl(reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr));
    return hosts;
}

using Hosts = std::vector<uint32_t>;

TEST(AddressMemory, PutsWhatFailedLastAtTheEndHoweverOftenItFailedAtOnce) {
    AddressMemory memory;
    EXPECT_EQ(order(memory), (Hosts{1, 2, 3}));
    for (int connections = 0; connections < 3; ++connections) memory.failed(mark_of(address_of(1)));
    EXPECT_EQ(order(memory), (Hosts{2, 3, 1}));
    memory.failed(mark_of(address_of(2)));
    memory.failed(mark_of(address_of(3)));
    EXPECT_EQ(order(memory), (Hosts{1, 2, 3})) << "all failed: the one whose failure is longest ago";
    memory.failed(mark_of(address_of(1)));
    EXPECT_EQ(order(memory), (Hosts{2, 3, 1}));
}

TEST(AddressMemory, ForgetsAFailureWhenTheAddressWorks) {
    AddressMemory memory;
    memory.failed(mark_of(address_of(1)));
    memory.failed(mark_of(address_of(2)));
    memory.worked(mark_of(address_of(1)));
    EXPECT_EQ(order(memory), (Hosts{1, 3, 2}));
}

TEST(AddressMemory, KeepsTheLatestOnly) {
    AddressMemory memory;
    for (uint32_t host = 1; host <= 2; ++host) memory.failed(mark_of(address_of(host)));
    for (uint32_t host = 0; host < AddressMemory::kFailedMax - 1; ++host)
        memory.failed(mark_of(address_of(100 + host)));
    EXPECT_EQ(order(memory), (Hosts{1, 3, 2}));
    memory.failed(0);  // none: nothing is given up for it
    EXPECT_EQ(order(memory), (Hosts{1, 3, 2}));
}

}  // namespace
}  // namespace belfry::http
