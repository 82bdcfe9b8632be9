// SPDX-License-Identifier: Apache-2.0
#include "http/address_memory.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace belfry::http {

AddressMark mark_of(const Address& address) {
    const std::string_view bytes(reinterpret_cast<const char*>(&address.storage), address.length);
    return std::max<AddressMark>(1, std::hash<std::string_view>{}(bytes));
}

void AddressMemory::failed(AddressMark address) {
    if (address == 0) return;
    worked(address);
    if (failed_.size() == kFailedMax) failed_.erase(failed_.begin());
    failed_.push_back(address);
}

void AddressMemory::worked(AddressMark address) {
    std::erase(failed_, address);
}

void AddressMemory::order(std::vector<Address>& addresses) const {
    if (failed_.empty()) return;
    // 0: it did not fail.
    const auto turn = [this](const Address& address) {
        const auto at = std::find(failed_.begin(), failed_.end(), mark_of(address));
        return at == failed_.end() ? 0 : at - failed_.begin() + 1;
    };
    std::stable_sort(addresses.begin(), addresses.end(),
                     [&](const Address& a, const Address& b) { return turn(a) < turn(b); });
}

}  // namespace belfry::http
