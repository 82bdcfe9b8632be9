// SPDX-License-Identifier: Apache-2.0
// Inside services/ only: the table of each service, and what their functions share.
#pragma once

#include <belfry/services.h>

#include <belfry/abi.hpp>
#include <utility>

#include "base/result.h"

namespace belfry::services {

extern const belfry_log kLogTable;
extern const belfry_metrics kMetricsTable;
extern const belfry_clock kClockTable;
extern const belfry_http kHttpTable;
extern const belfry_crypto kCryptoTable;
extern const belfry_json kJsonTable;
extern const belfry_secret kSecretTable;
extern const belfry_state kStateTable;

belfry_code code_of(ErrorCode code) noexcept;
// Writes the error into `why` and gives its code.
belfry_code refuse(belfry_why* why, const Error& error) noexcept;

// Runs the body of a service function; what it throws (out of memory, at most) becomes `fallback`.
template <class T, class Body>
T guarded(T fallback, Body&& body) noexcept {
    try {
        return std::forward<Body>(body)();
    } catch (...) {
        return fallback;
    }
}
template <class Body>
belfry_code guarded(belfry_why* why, Body&& body) noexcept {
    try {
        return std::forward<Body>(body)();
    } catch (...) {
        return because(why, BELFRY_INTERNAL, "", "the host ran out of memory");
    }
}

inline void emit_text(std::string_view text, belfry_emit emit, void* ctx) {
    const belfry_str row = str(text);
    emit(ctx, one_row(row));
}

}  // namespace belfry::services
