// SPDX-License-Identifier: Apache-2.0
// Small numbers for names, the same on every node and after every restart: gates for provider instances, key slots for
// wire names.
//
// Kept as one value of the storage's cluster state; a name keeps its number for ever, even when it leaves the
// configuration, since device keys and queued work refer to it. Threads: [any]; number() may block for a storage call
// when a name is new.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/storage.h"

namespace belfry::audience {

constexpr std::string_view kGateNumbers = "belfry/gates";  // provider instance names -> 1..
constexpr std::string_view kSlotNumbers = "belfry/slots";  // wire names of providers -> 1..255
constexpr uint32_t kGatesMax = 65'535;
constexpr uint32_t kSlotsMax = 255;  // 8 bits of a device key; 0 stays free

class NameNumbers {
public:
    // Reads what is stored. `key` is kGateNumbers or kSlotNumbers.
    static Result<std::unique_ptr<NameNumbers>> open(plugins::Storage& storage, std::string_view key, uint32_t max);

    // The number of a name, from 1; a new name is stored first. TooLarge: all numbers are given away.
    Result<uint32_t> number(std::string_view name);
    // Empty: no such number.
    std::string name(uint32_t number) const;

private:
    NameNumbers(plugins::Storage& storage, std::string_view key, uint32_t max)
        : storage_(storage), key_(key), max_(max) {}
    Status load();
    uint32_t find(std::string_view name) const;

    plugins::Storage& storage_;
    const std::string key_;
    const uint32_t max_;
    mutable std::mutex mutex_;
    std::vector<std::string> names_;  // number - 1 -> name
    int64_t version_ = 0;
};

}  // namespace belfry::audience
