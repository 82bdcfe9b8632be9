// SPDX-License-Identifier: Apache-2.0
// Writes one JSON value into a string, commas included. The shape is the caller's care; texts are escaped.
// Threads: [any], one writer per thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"

namespace belfry::api {

class JsonWriter {
public:
    JsonWriter& open(char bracket) {
        separate();
        out_ += bracket;
        first_ = true;
        return *this;
    }
    JsonWriter& close(char bracket) {
        out_ += bracket;
        first_ = false;
        return *this;
    }
    JsonWriter& key(std::string_view name) {
        text(name);
        out_ += ':';
        first_ = true;
        return *this;
    }
    JsonWriter& text(std::string_view value) {
        separate();
        out_ += '"';
        json::escape_to(value, out_);
        out_ += '"';
        return *this;
    }
    JsonWriter& integer(int64_t value) { return raw(std::to_string(value)); }
    JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
    // `value` must be valid JSON.
    JsonWriter& raw(std::string_view value) {
        separate();
        out_ += value;
        return *this;
    }
    // Members that are left out when empty, as the published server does.
    JsonWriter& text_unless_empty(std::string_view name, std::string_view value) {
        return value.empty() ? *this : key(name).text(value);
    }
    JsonWriter& integer_unless_zero(std::string_view name, int64_t value) {
        return value == 0 ? *this : key(name).integer(value);
    }
    std::string take() { return std::move(out_); }

private:
    void separate() {
        if (!first_) out_ += ',';
        first_ = false;
    }
    std::string out_;
    bool first_ = true;
};

}  // namespace belfry::api
