// SPDX-License-Identifier: Apache-2.0
// Checks for programmer errors. On in release builds too: a broken invariant ends the process with one line, and
// restarts are cheap.
#pragma once

namespace belfry {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace belfry

#define BELFRY_ASSERT(condition) ((condition) ? void() : ::belfry::assertion_failed(#condition, __FILE__, __LINE__))
// The expression, after the condition was asserted.
#define BELFRY_CHECKED(condition, expression) \
    (*((condition) ? &(expression) : (::belfry::assertion_failed(#condition, __FILE__, __LINE__), &(expression))))
