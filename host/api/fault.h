// SPDX-License-Identifier: Apache-2.0
// The API's errors: a published code, a message that says what to do, and the HTTP status of transport error mode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

namespace belfry::api {

enum class Code : uint16_t {
    Internal = 100,
    Unauthorized = 101,      // /admin only
    PermissionDenied = 103,  // /admin only
    NotFound = 104,
    BadRequest = 107,
    NotAvailable = 108,
    TooManyRequests = 111,
    Conflict = 113
};

struct Fault {
    Code code = Code::Internal;
    std::string message;
    int http_status = 500;       // in transport error mode
    int64_t retry_after_ms = 0;  // with 111
};

Fault bad_request(std::string message);
Fault not_available(std::string what);
Fault too_many_requests(std::string message, int64_t retry_after_ms);
// The code by what the caller can do next; details of our own faults stay in the log.
Fault fault_of(const Error& error);

}  // namespace belfry::api
