// SPDX-License-Identifier: Apache-2.0
// The validator: one pass, no recursion, no allocation. Containers are a stack of 64 bits.
#include <algorithm>
#include <string>

#include "base/json.h"
#include "base/json_bytes.h"

namespace belfry::json {
namespace {

class Validator {
public:
    explicit Validator(std::string_view text) noexcept
        : begin_(text.data()), p_(text.data()), end_(text.data() + text.size()) {}

    Check run() noexcept {
        space();
        if (value() && depth_ > 0) containers();
        if (fault_ == nullptr) {
            space();
            if (p_ != end_) fail("unexpected text after the JSON value");
        }
        return {fault_, fault_ == nullptr ? 0 : static_cast<size_t>(p_ - begin_)};
    }

private:
    bool fail(const char* what) noexcept {
        fault_ = what;
        return false;
    }
    void space() noexcept {
        while (p_ != end_ && is_space(*p_)) ++p_;
    }
    bool in_object() const noexcept { return (objects_ & 1) != 0; }

    // Runs until the outermost container is closed. On entry one was just opened.
    void containers() noexcept {
        bool opened = true;  // nothing was read in the innermost container yet
        while (depth_ > 0) {
            space();
            if (p_ == end_) {
                fail("unexpected end: a container is not closed");
                return;
            }
            if (*p_ == (in_object() ? '}' : ']')) {
                ++p_;
                objects_ >>= 1;
                --depth_;
                opened = false;
                continue;
            }
            if (!opened) {
                if (*p_ != ',') {
                    fail(in_object() ? "expected ',' or '}'" : "expected ',' or ']'");
                    return;
                }
                ++p_;
                space();
            }
            const size_t depth = depth_;
            if (in_object() && !key()) return;
            if (!value()) return;
            opened = depth_ > depth;
        }
    }

    bool key() noexcept {
        if (p_ == end_ || *p_ != '"') return fail("expected a key in double quotes");
        if (!string()) return false;
        space();
        if (p_ == end_ || *p_ != ':') return fail("expected ':' after the key");
        ++p_;
        space();
        return true;
    }

    // A scalar, or the opening of a container.
    bool value() noexcept {
        if (p_ == end_) return fail("unexpected end: expected a value");
        switch (*p_) {
            case '"':
                return string();
            case '{':
                return open(true);
            case '[':
                return open(false);
            case 't':
                return word("true");
            case 'f':
                return word("false");
            case 'n':
                return word("null");
            default:
                return number();
        }
    }
    bool open(bool object) noexcept {
        if (depth_ == kDepthMax) return fail("nested too deeply (64 levels at most)");
        ++p_;
        objects_ = objects_ << 1 | (object ? 1U : 0U);
        ++depth_;
        return true;
    }
    bool word(std::string_view expected) noexcept {
        if (std::string_view(p_, static_cast<size_t>(end_ - p_)).substr(0, expected.size()) != expected) {
            return fail("expected a value");
        }
        p_ += expected.size();
        return true;
    }
    bool digits() noexcept {
        if (p_ == end_ || !is_digit(*p_)) return fail("expected a digit");
        while (p_ != end_ && is_digit(*p_)) ++p_;
        return true;
    }
    bool number() noexcept {
        if (*p_ != '-' && !is_digit(*p_)) return fail("expected a value");
        if (*p_ == '-') ++p_;
        if (p_ != end_ && *p_ == '0') {
            ++p_;
            if (p_ != end_ && is_digit(*p_)) return fail("a number must not begin with 0");
        } else if (!digits()) {
            return false;
        }
        if (p_ != end_ && *p_ == '.') {
            ++p_;
            if (!digits()) return false;
        }
        if (p_ != end_ && (*p_ == 'e' || *p_ == 'E')) {
            ++p_;
            if (p_ != end_ && (*p_ == '+' || *p_ == '-')) ++p_;
            if (!digits()) return false;
        }
        return true;
    }
    bool string() noexcept {
        ++p_;
        while (true) {
            p_ = skip_ordinary(p_, end_);
            if (p_ == end_) return fail("unexpected end: a string is not closed");
            if (*p_ == '"') {
                ++p_;
                return true;
            }
            if (*p_ == '\\') {
                if (!escape_sequence()) return false;
            } else if (static_cast<unsigned char>(*p_) < 0x20) {
                return fail("a control character inside a string must be escaped");
            } else {
                const size_t n = utf8_sequence(p_, end_);
                if (n == 0) return fail("not valid UTF-8");
                p_ += n;
            }
        }
    }
    bool escape_sequence() noexcept {
        if (end_ - p_ < 2) return fail("unexpected end: a string is not closed");
        if (p_[1] != 'u') {
            if (std::string_view("\"\\/bfnrt").find(p_[1]) == std::string_view::npos) return fail("unknown escape");
            p_ += 2;
            return true;
        }
        uint32_t code = 0;
        if (!unicode(p_, code)) return fail("\\u needs four hexadecimal digits");
        if (code >= 0xDC00 && code < 0xE000) return fail("a low surrogate without its high surrogate");
        if (code < 0xD800 || code >= 0xE000) {
            p_ += 6;
            return true;
        }
        uint32_t low = 0;
        if (end_ - p_ < 12 || p_[6] != '\\' || p_[7] != 'u' || !unicode(p_ + 6, low) || low < 0xDC00 || low >= 0xE000) {
            return fail("a high surrogate without its low surrogate");
        }
        p_ += 12;
        return true;
    }
    bool unicode(const char* at, uint32_t& code) const noexcept {
        if (end_ - at < 6) return false;
        for (int i = 2; i < 6; ++i) {
            const uint32_t digit = hex_value(at[i]);
            if (digit > 15) return false;
            code = code << 4 | digit;
        }
        return true;
    }

    const char *begin_, *p_, *end_;
    const char* fault_ = nullptr;
    uint64_t objects_ = 0;  // innermost container in bit 0: 1 = object
    size_t depth_ = 0;
};

}  // namespace

Check check(std::string_view text) noexcept {
    return Validator(text).run();
}

std::string describe(std::string_view text, const Check& check) {
    if (check) return "valid JSON";
    const std::string_view before = text.substr(0, check.at);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
    return "line " + std::to_string(lines + 1) + ", column " + std::to_string(check.at - line_start + 1) + " (byte " +
           std::to_string(check.at) + "): " + check.fault;
}

bool valid_utf8(std::string_view text) noexcept {
    const char *p = text.data(), *end = p + text.size();
    while (p != end) {
        const size_t n = utf8_sequence(p, end);
        if (n == 0) return false;
        p += n;
    }
    return true;
}

}  // namespace belfry::json
