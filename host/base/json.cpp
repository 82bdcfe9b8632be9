// SPDX-License-Identifier: Apache-2.0
// Readers of checked text. The judge is in json_check.cpp.
#include "base/json.h"

#include <charconv>
#include <cstring>

#include "base/json_bytes.h"

namespace belfry::json {
namespace {

const char* skip_space(const char* p, const char* end) noexcept {
    while (p != end && is_space(*p)) ++p;
    return p;
}

// From the opening quote to after the closing one.
const char* skip_string(const char* p, const char* end) noexcept {
    ++p;
    while (true) {
        p = skip_ordinary(p, end);
        if (p == end) return end;
        if (*p == '"') return p + 1;
        if (*p == '\\' && p + 1 != end) ++p;
        ++p;
    }
}

const char* skip_container(const char* p, const char* end) noexcept {
    size_t depth = 0;
    while (p != end) {
        switch (*p) {
            case '"':
                p = skip_string(p, end);
                continue;
            case '{':
            case '[':
                ++depth;
                break;
            case '}':
            case ']':
                if (--depth == 0) return p + 1;
                break;
            default:
                break;
        }
        ++p;
    }
    return end;
}

const char* skip_value(const char* p, const char* end) noexcept {
    if (p == end) return end;
    if (*p == '"') return skip_string(p, end);
    if (*p == '{' || *p == '[') return skip_container(p, end);
    while (p != end && *p != ',' && *p != '}' && *p != ']' && !is_space(*p)) ++p;
    return p;
}

Type type_of(char first) noexcept {
    switch (first) {
        case 'n':
            return Type::Null;
        case 'f':
            return Type::False;
        case 't':
            return Type::True;
        case '"':
            return Type::String;
        case '[':
            return Type::Array;
        case '{':
            return Type::Object;
        default:
            return first == '-' || is_digit(first) ? Type::Number : Type::Absent;
    }
}

Value value_at(const char*& p, const char* end) noexcept {
    const char* from = p;
    p = skip_value(p, end);
    if (p == from) return {};
    return {type_of(*from), std::string_view(from, static_cast<size_t>(p - from))};
}

uint32_t hex4(const char* p) noexcept {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i) code = code << 4 | hex_value(p[i]);
    return code;
}

// Resolves the escape at p (a backslash) into at most 4 bytes; p ends up behind it. Cut escapes give nothing.
std::string_view resolve_escape(const char*& p, const char* end, char (&buf)[4]) noexcept {
    if (end - p < 2) {
        p = end;
        return {};
    }
    const char kind = p[1];
    if (kind != 'u') {
        p += 2;
        constexpr std::string_view kNames = "bfnrt", kBytes = "\b\f\n\r\t";
        const size_t at = kNames.find(kind);
        buf[0] = at == std::string_view::npos ? kind : kBytes[at];
        return {buf, 1};
    }
    if (end - p < 6) {
        p = end;
        return {};
    }
    uint32_t code = hex4(p + 2);
    p += 6;
    if (code >= 0xD800 && code < 0xDC00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        code = 0x10000 + ((code - 0xD800) << 10) + ((hex4(p + 2) - 0xDC00) & 0x3FF);
        p += 6;
    }
    return encode_utf8(code, buf);
}

}  // namespace

const char* name_of(Type type) noexcept {
    switch (type) {
        case Type::Absent:
            return "nothing";
        case Type::Null:
            return "null";
        case Type::False:
        case Type::True:
            return "boolean";
        case Type::Number:
            return "number";
        case Type::String:
            return "string";
        case Type::Array:
            return "array";
        case Type::Object:
            return "object";
    }
    return "nothing";
}

Value root(std::string_view text) noexcept {
    const char* end = text.data() + text.size();
    const char* p = skip_space(text.data(), end);
    return value_at(p, end);
}

Entries::Iterator::Iterator(const Value& container) noexcept : object_(container.type == Type::Object) {
    if (!object_ && container.type != Type::Array) return;
    if (container.raw.size() < 2) return;
    p_ = container.raw.data() + 1;
    end_ = container.raw.data() + container.raw.size();
    done_ = false;
    advance();
}

void Entries::Iterator::advance() noexcept {
    done_ = true;
    entry_ = {};
    p_ = skip_space(p_, end_);
    if (p_ == end_ || *p_ == '}' || *p_ == ']') return;
    if (object_) {
        if (*p_ != '"') return;
        entry_.key = value_at(p_, end_);
        p_ = skip_space(p_, end_);
        if (p_ == end_ || *p_ != ':') return;
        p_ = skip_space(p_ + 1, end_);
    }
    entry_.value = value_at(p_, end_);
    if (!entry_.value) return;
    p_ = skip_space(p_, end_);
    if (p_ != end_ && *p_ == ',') ++p_;
    done_ = false;
}

Value member(const Value& object, std::string_view key) noexcept {
    Value found;
    if (object.type != Type::Object) return found;
    for (const Entry& entry : Entries(object)) {
        if (equals(entry.key, key)) found = entry.value;
    }
    return found;
}

Value element(const Value& array, size_t index) noexcept {
    if (array.type != Type::Array) return {};
    for (const Entry& entry : Entries(array)) {
        if (index-- == 0) return entry.value;
    }
    return {};
}

Value find(const Value& from, std::string_view path) noexcept {
    Value value = from;
    bool more = !path.empty();
    while (more && value) {
        const size_t dot = path.find('.');
        const std::string_view step = path.substr(0, dot);
        more = dot != std::string_view::npos;
        if (more) path.remove_prefix(dot + 1);
        if (value.type == Type::Array) {
            size_t index = 0;
            const auto [rest, error] = std::from_chars(step.data(), step.data() + step.size(), index);
            const bool whole = error == std::errc{} && rest == step.data() + step.size();
            value = whole ? element(value, index) : Value{};
        } else {
            value = member(value, step);
        }
    }
    return value;
}

size_t count(const Value& container) noexcept {
    size_t n = 0;
    const Entries entries(container);
    for (auto it = entries.begin(); it != entries.end(); ++it) ++n;
    return n;
}

std::string_view inside(const Value& string) noexcept {
    if (string.type != Type::String || string.raw.size() < 2) return {};
    return string.raw.substr(1, string.raw.size() - 2);
}

bool is_plain(const Value& string) noexcept {
    return inside(string).find('\\') == std::string_view::npos;
}

bool equals(const Value& string, std::string_view text) noexcept {
    if (string.type != Type::String) return false;
    const std::string_view raw = inside(string);
    if (raw == text) return raw.find('\\') == std::string_view::npos;
    if (raw.size() < text.size()) return false;  // escapes only ever make the text longer
    const char *p = raw.data(), *end = p + raw.size();
    size_t matched = 0;
    while (p != end) {
        char buf[4];
        std::string_view part;
        if (*p == '\\') {
            part = resolve_escape(p, end, buf);
        } else {
            part = std::string_view(p++, 1);
        }
        if (text.substr(matched, part.size()) != part) return false;
        matched += part.size();
    }
    return matched == text.size();
}

void unescape_to(const Value& string, std::string& out) {
    const std::string_view raw = inside(string);
    const char *p = raw.data(), *end = p + raw.size();
    while (p != end) {
        const auto* slash = static_cast<const char*>(std::memchr(p, '\\', static_cast<size_t>(end - p)));
        const char* stop = slash == nullptr ? end : slash;
        out.append(p, stop);
        p = stop;
        if (p == end) return;
        char buf[4];
        out.append(resolve_escape(p, end, buf));
    }
}

std::string unescape(const Value& string) {
    std::string out;
    out.reserve(string.raw.size());
    unescape_to(string, out);
    return out;
}

void escape_to(std::string_view raw, std::string& out) {
    static constexpr char kHex[] = "0123456789abcdef";
    static constexpr std::string_view kBytes = "\"\\\b\f\n\r\t", kNames = "\"\\bfnrt";
    const char *p = raw.data(), *end = p + raw.size();
    while (p != end) {
        const char* stop = skip_ordinary(p, end);
        out.append(p, stop);
        p = stop;
        if (p == end) return;
        if (static_cast<unsigned char>(*p) >= 0x80) {
            const size_t n = utf8_sequence(p, end);
            out.append(n == 0 ? std::string_view("\xEF\xBF\xBD") : std::string_view(p, n));
            p += n == 0 ? 1 : n;
        } else if (const size_t at = kBytes.find(*p); at != std::string_view::npos) {
            out.append({'\\', kNames[at]});
            ++p;
        } else {
            const auto byte = static_cast<unsigned char>(*p++);
            out.append("\\u00").append({kHex[byte >> 4], kHex[byte & 15]});
        }
    }
}

std::string escape(std::string_view raw) {
    std::string out;
    out.reserve(raw.size() + 8);
    escape_to(raw, out);
    return out;
}

std::optional<int64_t> to_int64(const Value& number) noexcept {
    if (number.type != Type::Number) return std::nullopt;
    int64_t value = 0;
    const char* end = number.raw.data() + number.raw.size();
    const auto [rest, error] = std::from_chars(number.raw.data(), end, value);
    if (error != std::errc{} || rest != end) return std::nullopt;
    return value;
}

}  // namespace belfry::json
