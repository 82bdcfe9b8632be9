// SPDX-License-Identifier: Apache-2.0
// Which addresses failed lately, so that the next connection begins with another: however many connections failed at
// once, each address is passed over for its own failures only.
//
// Threads: [loop].  Owner: Pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "http/door.h"

namespace belfry::http {

// An address in few bytes; 0: none.
using AddressMark = uint64_t;
AddressMark mark_of(const Address& address);

class AddressMemory {
public:
    static constexpr size_t kFailedMax = 32;  // more than two names have

    void failed(AddressMark address);
    void worked(AddressMark address);
    // Those that did not fail first, in their order; then the others, whose failure is longest ago first.
    void order(std::vector<Address>& addresses) const;

private:
    std::vector<AddressMark> failed_;  // the latest last
};

}  // namespace belfry::http
