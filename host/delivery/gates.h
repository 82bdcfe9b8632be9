// SPDX-License-Identifier: Apache-2.0
// All gates of this process, by instance name and by their persisted number.
//
// A number whose instance left the configuration has no gate: its items are not claimed and wait, with an alarm.
// Threads: lookups [any], lock-free; made once at start.
// Owner: the delivery core.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audience/name_numbers.h"
#include "delivery/gate.h"

namespace belfry::delivery {

// Behind an instance's name: its second number. No instance is called so.
constexpr std::string_view kWaitingSuffix = "/waiting";

class Gates {
public:
    Gates(audience::NameNumbers& numbers, std::vector<std::unique_ptr<Gate>> gates);

    // Null: this process has no such provider instance.
    Gate* by_name(std::string_view name) const noexcept;
    Gate* by_number(uint32_t number) const noexcept;  // either of its two
    // Also of instances that are no longer configured. Empty: not tied to one.
    std::string name_of(uint32_t number) const;
    // 0: it cannot be had now.
    uint32_t number_of(std::string_view name) const;
    const std::vector<std::unique_ptr<Gate>>& all() const noexcept { return gates_; }
    // Numbers of the gates that work may be claimed for, into `numbers`, which is cleared first; answers how many pages
    // of `page_rows` there is room for. With several gates no one may hold all of `slots`: one that answers nothing
    // must not stop others. `high` may hold a tenth more, so that a broadcast through the same gate does not hold it
    // back.
    uint32_t open_gates(bool high, uint32_t slots, uint32_t page_rows, std::vector<uint32_t>& numbers) const;

private:
    audience::NameNumbers& numbers_;
    const std::vector<std::unique_ptr<Gate>> gates_;
};

}  // namespace belfry::delivery
