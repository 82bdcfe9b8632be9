// SPDX-License-Identifier: Apache-2.0
// Every way in which the API says no: what it looks like, when it happens, what to do. docs/errors.md is generated from
// it, and a test makes each of them happen.
//
// Threads: [immutable].
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace belfry::api {

struct ErrorEntry {
    std::string_view name;     // for tests
    int code = 0;              // 0: refused before there is a method; a status without an error code
    int http_status = 0;       // of transport error mode, or of both modes where there is no code
    std::string_view message;  // a part of it that is always the same; empty: an empty body
    std::string_view when, what_to_do;
};

std::span<const ErrorEntry> error_catalogue() noexcept;

// docs/errors.md.
std::string error_reference();

}  // namespace belfry::api
