// SPDX-License-Identifier: Apache-2.0
// What a plugin did against the contract, counted per instance. A fault never stops the host: the call it happened in
// answers Internal (or drops the offending row) and the count says so in health and metrics.
//
// Threads: [any]. Owner: the instance; adapters refer to it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"

namespace belfry::plugins {

enum class Fault : uint8_t {
    NoReason,         // failed without a text in belfry_why
    UnknownCode,      // answered a code of no known class
    Threw,            // let an exception out
    EmitAfterReturn,  // emitted rows after its call had returned, or from another thread
    BadRow,           // emitted a list or row without a usable size, or with values outside of their range
    MissingRow,       // did not answer an item of a batch
    RepeatedRow,      // answered an item twice
    ForeignRow,       // answered an item it was not asked about
    NotAdvancing,     // a scan or encode that makes no progress
    MissingVerdict,
    RepeatedVerdict,
    ForeignVerdict,
    BadVerdict,     // unknown outcome
    MissingResult,  // answered OK but left its out parameter empty
    Count
};

std::string_view name_of(Fault fault) noexcept;

class Faults {
public:
    // Without a log (tests, the probe) faults are only counted.
    explicit Faults(std::string instance, Log* log = nullptr) : instance_(std::move(instance)), log_(log) {}
    Faults(const Faults&) = delete;
    Faults& operator=(const Faults&) = delete;

    // Says it in the log at the 1st, 10th, 100th ... time of each kind.
    void add(Fault fault, std::string_view call) noexcept;
    uint64_t of(Fault fault) const noexcept {
        return counts_[static_cast<size_t>(fault)].load(std::memory_order_relaxed);
    }
    uint64_t total() const noexcept;
    const std::string& instance() const noexcept { return instance_; }

    // A call answered that disk or quota are full; remembered until one of its name succeeds.
    void note_full(std::string_view call, std::string_view why) noexcept;
    void note_stored(std::string_view call) noexcept {
        if (is_full_.load(std::memory_order_relaxed)) forget_full(call);
    }
    // "storage.register (disk full), ..."; empty: nothing is known to be full.
    std::string full() const;

private:
    void forget_full(std::string_view call) noexcept;

    const std::string instance_;
    Log* const log_;
    std::array<std::atomic<uint64_t>, static_cast<size_t>(Fault::Count)> counts_{};
    struct Full {
        std::string call, why;
    };
    std::atomic<bool> is_full_{false};  // there is something in full_
    mutable std::mutex mutex_;
    std::vector<Full> full_;  // guarded; one per name of a call
};

}  // namespace belfry::plugins
