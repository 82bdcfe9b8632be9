// SPDX-License-Identifier: Apache-2.0
// Answers of a Redis server, as hiredis' parser builds them.
//
// Threads: values; a Reply owns, a Value looks into one.
#pragma once

#include <hiredis/hiredis.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace belfry::redis {

class Value {
public:
    explicit Value(const redisReply* raw) noexcept : raw_(raw) {}
    bool is_nil() const noexcept { return raw_->type == REDIS_REPLY_NIL; }
    bool is_error() const noexcept { return raw_->type == REDIS_REPLY_ERROR; }
    // Of an array; 0 for everything else.
    size_t size() const noexcept { return raw_->type == REDIS_REPLY_ARRAY ? raw_->elements : 0; }
    // Throw Refused: CORRUPT if the answer is of another kind.
    Value operator[](size_t i) const;
    std::string_view text() const;
    // Of a field of a hash; nothing: it is not there.
    std::optional<std::string_view> row() const {
        return raw_->type == REDIS_REPLY_STRING ? std::optional<std::string_view>({raw_->str, raw_->len})
                                                : std::nullopt;
    }
    // An integer, or a text that is one; 0 for nil.
    int64_t number() const;

private:
    const redisReply* raw_;
};

class Reply : public Value {
public:
    explicit Reply(redisReply* raw) noexcept : Value(raw), owned_(raw) {}

private:
    struct Free {
        void operator()(redisReply* raw) const noexcept { freeReplyObject(raw); }
    };
    std::unique_ptr<redisReply, Free> owned_;
};

}  // namespace belfry::redis
