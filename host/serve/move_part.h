// SPDX-License-Identifier: Apache-2.0
// What a migration moves, part by part and page by page, and the sums by which both sides are compared.
// Threads: main's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serve/stores.h"

namespace belfry::serve {

// A sum over records that does not depend on their order: two stores keep them in different ones.
struct Sum {
    uint64_t records = 0;
    std::array<uint64_t, 2> of{};

    void add(std::string_view record);
    bool operator==(const Sum&) const = default;
};

inline constexpr const char* kState = "state";
inline constexpr const char* kDevices = "devices";
inline constexpr const char* kQueue = "queue";

// One of the things that are moved one after the other.
struct Part {
    std::string what, app, cursor;
    bool done = false;
    Sum sum;

    std::string words() const { return what + (app.empty() ? "" : " of " + app); }
};

struct Page {
    std::vector<std::string> records;
    std::string next;  // empty: that was the last
    size_t seen = 0;   // records with those that stay behind
};

// The record of the cluster's state that says how far the sequence of device keys is.
bool is_sequence(std::string_view record);
// What it says; 0 for any other record.
int64_t next_sequence_of(std::string_view record);

Result<Page> read_page(Stores& stores, const Part& part, uint32_t limit);
Status load_page(Stores& stores, const Part& part, const Page& page);

}  // namespace belfry::serve
