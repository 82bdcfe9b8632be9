// SPDX-License-Identifier: Apache-2.0
// JSON as spans of its own text: validate once, then look values up without a tree and without allocation.
//
// check() is the only judge of text from outside. Everything else expects text that passed it; on other text answers
// are unspecified ("absent", cut short), but nothing outside of the text is ever read. Duplicate keys: the last one
// counts. Threads: [any], no state. Not here: building documents beyond escape(); numbers beyond integers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace belfry::json {

inline constexpr size_t kDepthMax = 64;  // containers inside each other

// Numbered as belfry_json_type.
enum class Type : uint8_t { Absent = 0, Null = 1, False = 2, True = 3, Number = 4, String = 5, Array = 6, Object = 7 };

// "null", "boolean", "number", "string", "array", "object" or "nothing", for messages.
const char* name_of(Type type) noexcept;

// One value inside a text; borrowed from it. A string's raw text includes its quotes.
struct Value {
    Type type = Type::Absent;
    std::string_view raw;

    explicit operator bool() const noexcept { return type != Type::Absent; }
    bool is(Type t) const noexcept { return type == t; }
    // Absent and null mean the same to most readers.
    bool is_nothing() const noexcept { return type == Type::Absent || type == Type::Null; }
    bool is_bool() const noexcept { return type == Type::True || type == Type::False; }
};

// The answer of check. `fault` is null if the text is one valid JSON value.
struct Check {
    const char* fault = nullptr;
    size_t at = 0;  // byte of the fault

    explicit operator bool() const noexcept { return fault == nullptr; }
};

// RFC 8259, valid UTF-8 (escaped surrogates only in pairs), depth <= kDepthMax, nothing after the value, no byte order
// mark.
Check check(std::string_view text) noexcept;

// "line 3, column 7 (byte 41): expected ',' or '}'". Columns count bytes.
std::string describe(std::string_view text, const Check& check);

// The value that a text is, without the white space around it.
Value root(std::string_view text) noexcept;

// The member `key` of an object, or element of an array by index.
Value member(const Value& object, std::string_view key) noexcept;
Value element(const Value& array, size_t index) noexcept;

// The value at a path like "error.details" or "results.0.error"; the empty path is the value itself. Keys that contain
// a dot cannot be named. One pass over each container on the way.
Value find(const Value& from, std::string_view path) noexcept;
inline Value find(std::string_view text, std::string_view path) noexcept {
    return find(root(text), path);
}

struct Entry {
    Value key;  // Absent in arrays
    Value value;
};

// Walks the members of an object or the elements of an array in text order, duplicates included; nothing for other
// values.
//     for (const json::Entry& entry : json::Entries(value)) ...
class Entries {
public:
    explicit Entries(const Value& container) noexcept : container_(container) {}

    class Iterator {
    public:
        using value_type = Entry;
        using difference_type = std::ptrdiff_t;
        explicit Iterator(const Value& container) noexcept;
        const Entry& operator*() const noexcept { return entry_; }
        const Entry* operator->() const noexcept { return &entry_; }
        Iterator& operator++() noexcept {
            advance();
            return *this;
        }
        void operator++(int) noexcept { advance(); }
        friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.done_; }

    private:
        void advance() noexcept;
        const char* p_ = nullptr;
        const char* end_ = nullptr;
        bool object_ = false, done_ = true;
        Entry entry_;
    };
    Iterator begin() const noexcept { return Iterator(container_); }
    std::default_sentinel_t end() const noexcept { return {}; }

private:
    Value container_;
};

size_t count(const Value& container) noexcept;

// Whether a string value means exactly `text`, escapes resolved.
bool equals(const Value& string, std::string_view text) noexcept;
// True if the string has no escapes, so that inside() already is its meaning.
bool is_plain(const Value& string) noexcept;
// A string's raw text without the quotes, escapes unresolved; empty for other types.
std::string_view inside(const Value& string) noexcept;
// Appends what a string value means. Nothing is appended for other types.
void unescape_to(const Value& string, std::string& out);
std::string unescape(const Value& string);

// Appends `raw` as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the result is always
// valid.
void escape_to(std::string_view raw, std::string& out);
std::string escape(std::string_view raw);

// A number written as an integer (no fraction, no exponent) that fits.
std::optional<int64_t> to_int64(const Value& number) noexcept;

bool valid_utf8(std::string_view text) noexcept;

}  // namespace belfry::json
