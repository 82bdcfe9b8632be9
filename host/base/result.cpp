// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

#include <cstdio>
#include <cstdlib>

namespace belfry {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
    std::fprintf(stderr, "belfry: broken invariant at %s:%d: %s\n", file, line, condition);
    std::abort();
}

const char* name_of(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::InvalidArgument:
            return "invalid_argument";
        case ErrorCode::NotFound:
            return "not_found";
        case ErrorCode::Conflict:
            return "conflict";
        case ErrorCode::Unauthenticated:
            return "unauthenticated";
        case ErrorCode::Misconfigured:
            return "misconfigured";
        case ErrorCode::Busy:
            return "busy";
        case ErrorCode::Unavailable:
            return "unavailable";
        case ErrorCode::DeadlineExceeded:
            return "deadline_exceeded";
        case ErrorCode::TooLarge:
            return "too_large";
        case ErrorCode::Unsupported:
            return "unsupported";
        case ErrorCode::StoreFull:
            return "store_full";
        case ErrorCode::Corrupt:
            return "corrupt";
        case ErrorCode::Cancelled:
            return "cancelled";
        case ErrorCode::Internal:
            return "internal";
    }
    return "internal";
}

}  // namespace belfry
