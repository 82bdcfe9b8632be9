// SPDX-License-Identifier: Apache-2.0
#include "delivery/gates.h"

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
        if (gate->number() == number) return gate.get();
    }
    return nullptr;
}

uint32_t Gates::number_of(std::string_view name) const {
    const Result<uint32_t> number = numbers_.number(name);
    return number ? *number : 0;
}

void Gates::open_gates(bool high, std::vector<uint32_t>& numbers) const {
    numbers.clear();
    for (const std::unique_ptr<Gate>& gate : gates_) {
        if (gate->open(high)) numbers.push_back(gate->number());
    }
}

}  // namespace belfry::delivery
