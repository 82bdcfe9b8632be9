// SPDX-License-Identifier: Apache-2.0
#include "api/fault.h"

namespace belfry::api {

Fault bad_request(std::string message) {
    return {Code::BadRequest, std::move(message), 400, 0};
}

Fault not_available(std::string what) {
    return {Code::NotAvailable, std::move(what) + ": not available in this version", 400, 0};
}

Fault too_many_requests(std::string message, int64_t retry_after_ms) {
    return {Code::TooManyRequests, std::move(message), 429, retry_after_ms > 0 ? retry_after_ms : 1000};
}

Fault fault_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::InvalidArgument:
        case ErrorCode::TooLarge:
            return bad_request(error.to_string());
        case ErrorCode::NotFound:
            return {Code::NotFound, error.to_string(), 404, 0};
        case ErrorCode::Conflict:
            return {Code::Conflict, error.to_string(), 409, 0};
        case ErrorCode::Unsupported:
            return not_available(error.to_string());
        case ErrorCode::Busy:
            return too_many_requests(error.to_string(), error.retry_after_ms);
        case ErrorCode::StoreFull:
            return {Code::Internal, "internal server error: " + error.to_string(), 507, 0};
        case ErrorCode::Unavailable:
        case ErrorCode::DeadlineExceeded:
        case ErrorCode::Cancelled:
        case ErrorCode::Unauthenticated:
        case ErrorCode::Misconfigured:
            return {Code::Internal, "internal server error: " + error.to_string(), 503, 0};
        case ErrorCode::Corrupt:
        case ErrorCode::Internal:
            break;
    }
    return {Code::Internal, "internal server error: see the server's log", 500, 0};
}

}  // namespace belfry::api
