// SPDX-License-Identifier: Apache-2.0
// Which devices a list or count means, walked in key order: the narrowest of keys, users, topics or the whole app gives
// candidates, the other conditions are tested on each.
//
// Threads: its reader's.  Lives for one call.
#pragma once

#include <belfry/storage.h>

#include <cstdint>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "storage_sqlite/reader.h"

namespace belfry::storage {

class Selection {
public:
    struct Candidate {
        int64_t key;
        int64_t traits;
    };

    Selection(Reader& reader, int64_t app, const belfry_selection& which);
    Selection(const Selection&) = delete;
    Selection& operator=(const Selection&) = delete;

    // The next candidates after a key, ascending and without repetitions; fewer than `n` only if there are no more.
    const std::vector<Candidate>& next(int64_t after, uint32_t n);
    // Whether a candidate is a device of the selection. `row` is filled if it had to be read: its key is set then.
    bool matches(const Candidate& candidate, DeviceView* row);
    // Whether a name is one of the wanted topics.
    bool is_wanted_topic(std::string_view name) const;

private:
    enum class Driver { Keys, Users, Topics, App };
    static constexpr int64_t kTraitsUnread = -2;
    bool has_wanted_labels(const Candidate& candidate, const DeviceView* row);
    void collect(sqlite::Statement& statement);

    Reader& reader_;
    int64_t app_;
    Driver driver_ = Driver::App;
    std::vector<int64_t> keys_;  // ascending
    std::unordered_set<std::string_view> users_, topics_, providers_, platforms_;
    std::vector<int64_t> topic_numbers_;  // ascending
    std::string_view prefix_;
    std::vector<Candidate> found_;
    std::vector<TopicRef> refs_;
};

}  // namespace belfry::storage
