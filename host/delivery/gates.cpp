// SPDX-License-Identifier: Apache-2.0
#include "delivery/gates.h"

#include <algorithm>

namespace belfry::delivery {

Gates::Gates(audience::NameNumbers& numbers, std::vector<std::unique_ptr<Gate>> gates)
    : numbers_(numbers), gates_(std::move(gates)) {}

Gate* Gates::by_name(std::string_view name) const noexcept {
    for (const std::unique_ptr<Gate>& gate : gates_) {
        if (gate->name() == name) return gate.get();
    }
    return nullptr;
}

Gate* Gates::by_number(uint32_t number) const noexcept {
    for (const std::unique_ptr<Gate>& gate : gates_) {
        if (gate->number() == number || (number != 0 && gate->waiting_number() == number)) return gate.get();
    }
    return nullptr;
}

std::string Gates::name_of(uint32_t number) const {
    std::string name = number == 0 ? std::string() : numbers_.name(number);
    if (name.ends_with(kWaitingSuffix)) name.resize(name.size() - kWaitingSuffix.size());
    return name;
}

uint32_t Gates::number_of(std::string_view name) const {
    const Result<uint32_t> number = numbers_.number(name);
    return number ? *number : 0;
}

uint32_t Gates::open_gates(bool high, uint32_t slots, uint32_t page_rows, std::vector<uint32_t>& numbers) const {
    numbers.clear();
    uint32_t share = gates_.size() <= 1 ? slots : gates_.size() == 2 ? slots / 2 : slots * 2 / 5;
    share = std::max(1u, share) + (high && gates_.size() > 1 ? std::max(1u, slots / 10) : 0);
    uint64_t pages = 0;
    uint32_t smallest_share_left = slots;
    for (const std::unique_ptr<Gate>& gate : gates_) {
        const uint32_t held = gate->pages();
        const uint32_t room = held < share ? gate->room(high) : 0;
        if (room == 0) continue;
        numbers.push_back(gate->number());
        if (gate->waiting_number() != 0 && gate->origins().may_ask_refused()) numbers.push_back(gate->waiting_number());
        pages += (room + page_rows - 1) / page_rows;
        smallest_share_left = std::min(smallest_share_left, share - held);
    }
    // All items of a claim may be for the same gate.
    return static_cast<uint32_t>(std::min<uint64_t>(pages, smallest_share_left));
}

}  // namespace belfry::delivery
