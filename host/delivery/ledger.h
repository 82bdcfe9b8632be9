// SPDX-License-Identifier: Apache-2.0
// What a page has to tell the queue and the storage: counters, owed lists, error samples, facts about tokens. Per
// group, which is one push (or bundle member) through one gate. A page has two: one for its checkpoint, one for the
// stragglers it leaves behind.
//
// Threads: one at a time (the page's worker; the settler while the page waits for it). Memory is recycled, not freed.
#pragma once

#include <belfry/queue.h>
#include <belfry/storage.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "delivery/gate.h"

namespace belfry::delivery {

constexpr uint32_t kListEntriesMax = 1'000;  // queues take no longer lists
constexpr size_t kSamplesPerPage = 5;
constexpr size_t kSampleBytesMax = 512;

// Beside BELFRY_OWED_*: waits behind the gate's second number.
constexpr uint32_t kOwedBehindOrigin = 1u << 31;

// A list to be: what is owed with one attempt and due time.
struct OwedList {
    uint16_t group = 0;
    uint32_t flags = 0;  // BELFRY_OWED_*, kOwedBehindOrigin
    uint32_t attempt = 0;
    int64_t due_unix_ms = 0;
    std::vector<int64_t> keys;
    std::vector<uint32_t> picks;
    std::string note;
};

struct Sample {
    uint16_t group = 0;
    int32_t outcome = 0;
    std::string text;
};

// A dead token, and on what evidence.
struct DeadToken {
    belfry_fact fact{};
    uint16_t group = 0;
    bool suspect = false;
    OriginKey origin;  // that said so
};

// Which variant of its provider's plans a device needs.
struct LearntVariant {
    belfry_fact fact{};
    uint16_t group = 0;
};

class Ledger {
public:
    void clear(size_t groups);
    bool empty() const noexcept { return tallied_ == 0 && owed_used_ == 0; }

    void count(uint16_t group, int32_t outcome, uint32_t n = 1) {
        counts_[group][static_cast<size_t>(outcome)] += n;
        tallied_ += n;
    }
    uint32_t counted(uint16_t group, int32_t outcome) const { return counts_[group][static_cast<size_t>(outcome)]; }
    uint32_t counted() const noexcept { return tallied_; }
    // Puts an entry on the list of (group, flags, attempt, due), or on another one if that is full.
    void owe(uint16_t group, uint32_t flags, uint32_t attempt, int64_t due_unix_ms, bool pick, int64_t ref,
             std::string_view note = {});
    void sample(uint16_t group, int32_t outcome, std::string text);
    bool wants_samples() const noexcept { return samples_.size() < kSamplesPerPage; }
    void add_group() { counts_.emplace_back(); }

    size_t groups() const noexcept { return counts_.size(); }
    const std::array<uint32_t, kOutcomes>& counts(size_t group) const { return counts_[group]; }
    std::vector<Sample>& samples() noexcept { return samples_; }
    OwedList* owed_begin() noexcept { return owed_.data(); }
    OwedList* owed_end() noexcept { return owed_.data() + owed_used_; }

    std::vector<DeadToken> dead;
    std::vector<LearntVariant> learnt;

private:
    std::vector<std::array<uint32_t, kOutcomes>> counts_;
    std::vector<OwedList> owed_;  // the first owed_used_ are in use, the others keep their memory
    size_t owed_used_ = 0;
    std::vector<Sample> samples_;
    uint32_t tallied_ = 0;
};

}  // namespace belfry::delivery
