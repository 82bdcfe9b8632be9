// SPDX-License-Identifier: Apache-2.0
// C++ views over the leaves of the ABI: strings, lists that are walked by stride, and growth-safe copies of rows.
// Header-only, C++17, no dependencies; used by the SDK, by plugins and by the host alike.
#pragma once

#include <belfry/plugin.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace belfry {

inline std::string_view view(belfry_str s) noexcept {
    return s.n == 0 ? std::string_view{} : std::string_view{s.p, s.n};
}
inline std::string text(belfry_str s) {
    return std::string{view(s)};
}
inline belfry_str str(std::string_view s) noexcept {
    return belfry_str{s.data(), s.size()};
}
inline belfry_str str(const char* s) noexcept {
    return str(std::string_view(s));
}
inline belfry_str str(const std::string&&) = delete;  // a temporary would dangle

// A row of an older or newer peer as this side knows it: what the peer did not have reads as zero.
template <class T>
T known_part(const void* row) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    T copy{};
    uint32_t size = 0;
    std::memcpy(&size, row, sizeof size);
    std::memcpy(&copy, row, std::min<size_t>(size, sizeof(T)));
    return copy;
}

// Whether the peer's table or row is long enough to have this member.
#define BELFRY_HAS(row, member) \
    ((row)->size >=             \
     offsetof(std::remove_cv_t<std::remove_reference_t<decltype(*(row))>>, member) + sizeof((row)->member))

// Walks a belfry_list of T by its stride. Rows are read in place, which is right for frozen leaves and for rows whose
// writer was built with these headers or newer ones; use rows.known(i) where an older peer may have written shorter
// rows.
template <class T>
class Rows {
public:
    explicit Rows(belfry_list list) noexcept : list_(list) {}
    size_t size() const noexcept { return list_.n; }
    bool empty() const noexcept { return list_.n == 0; }
    const T& operator[](size_t i) const noexcept { return *static_cast<const T*>(at(i)); }
    T known(size_t i) const noexcept { return known_part<T>(at(i)); }

    class Iterator {
    public:
        Iterator(const char* p, uint32_t stride) noexcept : p_(p), stride_(stride) {}
        const T& operator*() const noexcept { return *static_cast<const T*>(static_cast<const void*>(p_)); }
        Iterator& operator++() noexcept {
            p_ += stride_;
            return *this;
        }
        bool operator!=(const Iterator& o) const noexcept { return p_ != o.p_; }

    private:
        const char* p_;
        uint32_t stride_;
    };
    Iterator begin() const noexcept { return {first(), list_.stride}; }
    Iterator end() const noexcept { return {first() + static_cast<size_t>(list_.n) * list_.stride, list_.stride}; }

private:
    const char* first() const noexcept { return static_cast<const char*>(list_.p); }
    const void* at(size_t i) const noexcept { return first() + i * list_.stride; }
    belfry_list list_;
};

// A contiguous container or a single row as a belfry_list.
template <class Container>
belfry_list list_of(const Container& c) noexcept {
    return belfry_list{c.data(), static_cast<uint32_t>(c.size()), static_cast<uint32_t>(sizeof(*c.data()))};
}
template <class T>
belfry_list one_row(const T& row) noexcept {
    return belfry_list{&row, 1, static_cast<uint32_t>(sizeof(T))};
}

// A zeroed row with its size set.
template <class T>
T sized() noexcept {
    T row{};
    row.size = static_cast<uint32_t>(sizeof(T));
    return row;
}

// Copies text into a buffer of a struct, NUL-terminated and cut to fit between two characters.
inline void put(char* buffer, size_t size, std::string_view text) noexcept {
    size_t n = std::min(text.size(), size - 1);
    if (n < text.size()) {
        while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0u) == 0x80u) --n;
    }
    if (n > 0) std::memcpy(buffer, text.data(), n);
    buffer[n] = '\0';
}

// Fills a belfry_why (may be null) and returns `code`, so that a refusal is one statement.
inline belfry_code because(belfry_why* why, belfry_code code, std::string_view where, std::string_view text) noexcept {
    if (why != nullptr) {
        put(why->where, sizeof why->where, where);
        put(why->text, sizeof why->text, text);
    }
    return code;
}

// Calls `fn(row)` for every row that `call(emit, ctx)` emits. `fn` may return void, or bool false to stop.
// An exception in fn stops the emission and is thrown again here: nothing crosses the C boundary.
template <class Row, class Call, class Fn>
belfry_code collect(Call&& call, Fn&& fn) {
    struct Context {
        std::remove_reference_t<Fn>* fn;
        std::exception_ptr* error;
    };
    std::exception_ptr error;
    Context context{&fn, &error};
    const belfry_emit emit = [](void* raw, belfry_list rows) noexcept -> int32_t {
        auto& c = *static_cast<Context*>(raw);
        try {
            for (const Row& row : Rows<Row>(rows)) {
                if constexpr (std::is_same_v<std::invoke_result_t<Fn&, const Row&>, bool>) {
                    if (!(*c.fn)(row)) return 1;
                } else {
                    (*c.fn)(row);
                }
            }
            return 0;
        } catch (...) {
            *c.error = std::current_exception();
            return 1;
        }
    };
    const belfry_code code = std::forward<Call>(call)(emit, static_cast<void*>(&context));
    if (error) std::rethrow_exception(error);
    return code;
}

}  // namespace belfry
