// SPDX-License-Identifier: Apache-2.0
// Memory that a plugin may read during one call. Taken back, any use of it ends the process: a plugin that keeps what
// it was lent is caught in the act, not by what the bytes happen to be later.
//
// Threads: one.
#pragma once

#include <belfry/plugin.h>

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <vector>

namespace belfry::conformance {

class Lent {
public:
    explicit Lent(size_t bytes = 4 << 20);
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    // The address stays taken, so that nothing else is found there later.
    ~Lent() { take_back(); }

    belfry_str text(std::string_view text);
    template <class Row>
    Row* row(const Row& row) {
        static_assert(std::is_trivially_copyable_v<Row>);
        return static_cast<Row*>(bytes(&row, sizeof(Row)));
    }
    // One after the other, `gap` bytes apart, as a newer host's longer rows would be.
    template <class Row>
    belfry_list rows(const std::vector<Row>& rows, uint32_t gap = 0) {
        static_assert(std::is_trivially_copyable_v<Row>);
        const auto stride = static_cast<uint32_t>(sizeof(Row)) + gap;
        auto* at = static_cast<char*>(bytes(nullptr, rows.size() * stride));
        for (size_t i = 0; i < rows.size(); ++i) copy(at + i * stride, &rows[i], sizeof(Row));
        return {at, static_cast<uint32_t>(rows.size()), stride};
    }
    void take_back() noexcept;

private:
    void* bytes(const void* from, size_t n);
    static void copy(void* to, const void* from, size_t n) noexcept;
    char* room_;
    size_t size_, used_ = 0;
};

}  // namespace belfry::conformance
