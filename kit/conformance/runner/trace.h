// SPDX-License-Identifier: Apache-2.0
// What goes through the ABI, a line per call on standard error: what a plugin is asked and answers, and what it asks
// its host meanwhile.
//
// C functions have no room for an object of ours, so what tracing needs lies in the process; a process runs one case.
// Threads: [any]; turn_on before the first call.
#pragma once

#include <belfry/limiter.h>
#include <belfry/provider.h>
#include <belfry/queue.h>
#include <belfry/storage.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace belfry::conformance::trace {

void turn_on() noexcept;
bool on() noexcept;
void write_line(const std::string& line);

// Whom a call asks; what the host is asked stands indented below the call that it is part of.
enum class Side : uint8_t { Plugin, Host };

// An argument in a few characters; empty: not worth any.
std::string shown(belfry_str text);
std::string shown(belfry_list rows);
std::string shown(const belfry_token* token);
std::string shown(const belfry_content* content);
std::string shown(const belfry_scan* scan);
std::string shown_code(belfry_code code, const belfry_why* why);
template <class T>
std::string shown(const T& value) {
    if constexpr (std::integral<T>) {
        return std::to_string(value);
    } else {
        return {};
    }
}

// Counts the rows on their way to whom they are for.
struct Counter {
    belfry_emit emit = nullptr;
    void* ctx = nullptr;
    uint32_t rows = 0;
    bool context_follows = false;
};
int32_t count(void* counter, belfry_list rows);
template <class T>
T through(T argument, Counter&) noexcept {
    return argument;
}
inline belfry_emit through(belfry_emit emit, Counter& counter) noexcept {
    counter.emit = emit;
    counter.context_follows = true;
    return &count;
}
inline void* through(void* ctx, Counter& counter) noexcept {
    if (!counter.context_follows) return ctx;
    counter.context_follows = false;
    counter.ctx = ctx;
    return &counter;
}

inline belfry_why* why_among() noexcept {
    return nullptr;
}
template <class First, class... Rest>
belfry_why* why_among(First first, Rest... rest) noexcept {
    if constexpr (std::is_same_v<First, belfry_why*>) {
        return first;
    } else {
        return why_among(rest...);
    }
}

struct Call {
    Side side;
    std::string_view name;
    std::string arguments;
    const Counter& counter;
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
    void begin() const;
    void end(const std::string& answer) const;
};

// Calls fn(passed...), with a line before and one behind it.
template <class Result, class Fn, class... Args>
Result told(Side side, std::string_view name, const Fn& fn, Args... args) {
    Counter counter;
    std::string arguments;
    [[maybe_unused]] const auto add = [&](const std::string& text) {
        if (!text.empty()) arguments += (arguments.empty() ? "" : ", ") + text;
    };
    (add(shown(args)), ...);
    const Call call{side, name, arguments, counter};
    call.begin();
    std::tuple<Args...> passed{through(args, counter)...};
    if constexpr (std::is_void_v<Result>) {
        std::apply(fn, passed);
        call.end({});
    } else {
        const Result result = std::apply(fn, passed);
        if constexpr (std::is_same_v<Result, belfry_code>) {
            call.end(shown_code(result, why_among(args...)));
        } else {
            call.end(shown(result));
        }
        return result;
    }
}

// A copy of `table` whose functions say what goes through them. Lives as long as the process.
const belfry_storage* traced(const belfry_instance* instance, const belfry_storage& table);
const belfry_queue* traced(const belfry_instance* instance, const belfry_queue& table);
const belfry_limiter* traced(const belfry_instance* instance, const belfry_limiter& table);
const belfry_provider* traced(const belfry_instance* instance, const belfry_provider& table);

}  // namespace belfry::conformance::trace
