// SPDX-License-Identifier: Apache-2.0
// Result<T>: a value, or an Error that says what the caller can do next. Shaped like std::expected, so that it can
// become it.
//
// Expected answers of the domain (a refused token, an unknown uid) are values, not errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace belfry {

// Chosen by what the caller does next.
enum class ErrorCode : uint8_t {
    InvalidArgument,  // the input is wrong; repeating it will fail again
    NotFound,
    Conflict,          // the stored state is not the one relied on
    Unauthenticated,   // a credential was refused; an operator must act
    Misconfigured,     // a setting is wrong; an operator must act
    Busy,              // a bound is reached; the same later, see retry_after_ms
    Unavailable,       // trouble that passes; the same again
    DeadlineExceeded,  // the outcome may be unknown
    TooLarge,
    Unsupported,
    StoreFull,  // disk or quota full, nothing was written
    Corrupt,
    Cancelled,  // fenced, stopped or shutting down: discard
    Internal    // a fault of ours or of a plugin
};

const char* name_of(ErrorCode code) noexcept;

struct Error {
    ErrorCode code = ErrorCode::Internal;
    std::string message;  // for people: what is wrong and what to do
    std::string where;    // the place in the input or configuration, may be empty
    int64_t retry_after_ms = 0;

    // "where: message", for logs and answers.
    std::string to_string() const { return where.empty() ? message : where + ": " + message; }
};

inline Error error(ErrorCode code, std::string message, std::string where = {}) {
    return Error{code, std::move(message), std::move(where), 0};
}

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    T& value() & { return BELFRY_CHECKED(has_value(), std::get<0>(state_)); }
    const T& value() const& { return BELFRY_CHECKED(has_value(), std::get<0>(state_)); }
    T&& value() && { return std::move(BELFRY_CHECKED(has_value(), std::get<0>(state_))); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& { return BELFRY_CHECKED(!has_value(), std::get<1>(state_)); }
    Error& error() & { return BELFRY_CHECKED(!has_value(), std::get<1>(state_)); }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

    bool has_value() const noexcept { return !error_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    const Error& error() const& { return BELFRY_CHECKED(error_.has_value(), *error_); }

private:
    std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace belfry
