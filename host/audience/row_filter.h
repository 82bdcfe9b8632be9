// SPDX-License-Identifier: Apache-2.0
// Whether a device row is meant by a filter: lists are OR inside, AND between; an empty list does not restrict.
// Threads: [any]; values.
#pragma once

#include <belfry/storage.h>

#include <cstdint>
#include <string>
#include <vector>

namespace belfry::audience {

// Refers to the lists of a longer living filter.
struct RowFilter {
    const std::vector<std::string>& users;
    const std::vector<std::string>& topics;
    const std::vector<std::string>& providers;
    const std::vector<std::string>& platforms;

    // BELFRY_FIELD_* that a row must carry for `matches`.
    uint32_t fields() const noexcept;
    bool matches(const belfry_device& device) const noexcept;
};

}  // namespace belfry::audience
