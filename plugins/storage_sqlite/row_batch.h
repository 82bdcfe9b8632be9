// SPDX-License-Identifier: Apache-2.0
// Collects rows with copies of their texts and hands them out kRowsPerEmit at a time: SQLite's own pointers end with
// the next step.
//
// Threads: its reader's.  Memory: the largest batch seen, at most kBytesPerEmit and one row.
#pragma once

#include <belfry/storage.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "storage/arena.h"
#include "storage/limits.h"
#include "storage_sqlite/device.h"

namespace belfry::storage {

class RowBatch {
public:
    RowBatch();
    // Starts anew for a call; rows of `fields`, see BELFRY_FIELD_*.
    void start(belfry_emit emit, void* ctx, uint32_t fields);

    // The fast way of fan-out: words stay where they are, only the token is copied. False: the receiver wants no more.
    bool add_fanout(int64_t key, Traits traits, std::string_view token, std::string_view data, Words& words) {
        belfry_device& row = next(key);
        if ((fields_ & BELFRY_FIELD_TOKEN) != 0) {
            row.token = arena_.keep(token);
            row.data = arena_.keep(data);
            row.variant = traits.variant();
        }
        // Neighbours mostly have the same words.
        if (traits.words() != words_of_) find_words(traits, words);
        if ((fields_ & BELFRY_FIELD_PROVIDER) != 0) row.provider = texts_[0];
        if ((fields_ & BELFRY_FIELD_PLATFORM) != 0) row.platform = texts_[1];
        if ((fields_ & BELFRY_FIELD_TIMEZONE) != 0) row.timezone = texts_[2];
        if ((fields_ & BELFRY_FIELD_LOCALE) != 0) row.locale = texts_[3];
        return flush_if_full();
    }
    // Any row; `topics` are the names of its topics, sorted.
    bool add(const DeviceView& view, uint32_t index, const std::vector<std::string_view>& topics);
    // Hands out what is left. False: the receiver wants no more, now or before.
    bool flush();

    uint32_t fields() const noexcept { return fields_; }
    // A row of its own, with copies in `arena`.
    static belfry_device row_of(const DeviceView& view, uint32_t index, uint32_t fields,
                                const std::vector<std::string_view>& topics, Arena& arena);

private:
    static constexpr size_t kBytesPerEmit = 256 << 10;
    belfry_device& next(int64_t key) {
        belfry_device& row = rows_[count_++];
        row.key = key;
        row.index = 0;
        return row;
    }
    bool flush_if_full() { return (count_ < kRowsPerEmit && arena_.used() < kBytesPerEmit) || flush(); }

    void find_words(Traits traits, Words& words) {
        for (size_t i = 0; i < kWordKinds; ++i) {
            const auto kind = static_cast<Word>(i);
            const std::string_view text = words.text(kind, traits.id(kind));
            texts_[i] = belfry_str{text.data(), text.size()};
        }
        words_of_ = traits.words();
    }

    static constexpr uint64_t kNoWords = ~uint64_t{0};

    belfry_emit emit_ = nullptr;
    void* ctx_ = nullptr;
    uint32_t fields_ = 0;
    uint32_t count_ = 0;  // rows that wait
    uint32_t used_ = 0;   // rows that this call handed out in one batch, at most
    bool stopped_ = false;
    uint64_t words_of_ = kNoWords;  // whose words are in texts_, by kind
    std::array<belfry_str, kWordKinds> texts_{};
    std::vector<belfry_device> rows_;
    Arena arena_;
};

}  // namespace belfry::storage
