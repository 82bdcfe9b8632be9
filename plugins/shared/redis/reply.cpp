// SPDX-License-Identifier: Apache-2.0
#include "redis/reply.h"

#include <belfry/services.hpp>
#include <charconv>
#include <cmath>

namespace belfry::redis {

namespace {

[[noreturn]] void unexpected() {
    throw Refused(BELFRY_CORRUPT, {},
                  "Redis answered something else than was asked for; is something else using this key_prefix?");
}

}  // namespace

Value Value::operator[](size_t i) const {
    if (i >= size()) unexpected();
    return Value(raw_->element[i]);
}

std::string_view Value::text() const {
    if (raw_->type == REDIS_REPLY_NIL) return {};
    if (raw_->type != REDIS_REPLY_STRING && raw_->type != REDIS_REPLY_STATUS && raw_->type != REDIS_REPLY_ERROR)
        unexpected();
    return {raw_->str, raw_->len};
}

int64_t Value::number() const {
    if (raw_->type == REDIS_REPLY_INTEGER) return raw_->integer;
    if (raw_->type == REDIS_REPLY_NIL) return 0;
    const std::string_view digits = text();
    double value = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) unexpected();
    return std::llround(value);
}

}  // namespace belfry::redis
