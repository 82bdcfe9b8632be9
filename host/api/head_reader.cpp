// SPDX-License-Identifier: Apache-2.0
#include "api/head_reader.h"

#include <algorithm>
#include <charconv>

#include "api/reader.h"

namespace belfry::api {
namespace {

constexpr std::string_view kContentLength = "Content-Length";
constexpr std::string_view kTransferEncoding = "Transfer-Encoding";
constexpr size_t kLengthDigitsMax = 18;  // fits an int64_t

// RFC 9110 5.6.2.
constexpr std::array<bool, 256> kTokenBytes = [] {
    std::array<bool, 256> token{};
    for (size_t c = '0'; c <= '9'; ++c) token[c] = true;
    for (size_t c = 'a'; c <= 'z'; ++c) token[c] = token[c - 'a' + 'A'] = true;
    for (const char c : std::string_view("!#$%&'*+-.^_`|~")) token[static_cast<size_t>(c)] = true;
    return token;
}();

bool is_token(std::string_view text) noexcept {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return kTokenBytes[static_cast<unsigned char>(c)]; });
}

// A tab is none: values may have it.
bool is_control(char c) noexcept {
    return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 127;
}

bool is_visible(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 127; });
}

HeadReader& reader_of(http_parser* parser) {
    return *static_cast<HeadReader*>(parser->data);
}

}  // namespace

const http_parser_settings& HeadReader::callbacks() {
    static const http_parser_settings kCallbacks = [] {
        http_parser_settings settings;
        http_parser_settings_init(&settings);
        settings.on_url = [](http_parser* parser, const char* at, size_t n) {
            HeadReader& reader = reader_of(parser);
            reader.extend(reader.target_, at, n);
            return 0;
        };
        settings.on_header_field = [](http_parser* parser, const char* at, size_t n) {
            return reader_of(parser).take_name(at, n);
        };
        settings.on_header_value = [](http_parser* parser, const char* at, size_t n) {
            return reader_of(parser).take_value(at, n);
        };
        settings.on_headers_complete = [](http_parser* parser) {
            HeadReader& reader = reader_of(parser);
            reader.keeps_alive_ = http_should_keep_alive(parser) != 0;
            http_parser_pause(parser, 1);
            return 0;
        };
        return settings;
    }();
    return kCallbacks;
}

void HeadReader::reset() noexcept {
    http_parser_init(&parser_, HTTP_REQUEST);
    parser_.data = this;
    state_ = State::Reading;
    in_value_ = keeps_alive_ = false;
    refusal_ = 0;
    why_ = "";
    parsed_ = size_ = 0;
    body_length_ = 0;
    target_ = {};
    fields_.clear();
}

HeadReader::State HeadReader::read(std::string_view bytes) {
    if (state_ != State::Reading) return state_;
    base_ = bytes.data();
    const size_t n = std::min(bytes.size(), kHeadBytesMax) - parsed_;
    if (n == 0) return state_;
    const size_t used = http_parser_execute(&parser_, &callbacks(), base_ + parsed_, n);
    const http_errno fault = HTTP_PARSER_ERRNO(&parser_);
    if (fault == HPE_PAUSED) {
        // Paused at the last line's end, which it has looked at but not counted.
        size_ = parsed_ + used + 1;
        state_ = State::Complete;
        judge(bytes);
        return state_;
    }
    parsed_ += n;
    if (fault != HPE_OK) {
        if (refusal_ == 0) refuse(400, http_errno_description(fault));
    } else if (parsed_ == kHeadBytesMax) {
        if (parser_.http_major == 0)
            refuse(414, "the target is too long");
        else
            refuse(431, "the head is too long");
    }
    return state_;
}

void HeadReader::extend(Span& span, const char* at, size_t n) const noexcept {
    if (span.size == 0) span.at = static_cast<uint32_t>(at - base_);
    span.size += static_cast<uint32_t>(n);
}

int HeadReader::take_name(const char* at, size_t n) {
    if (fields_.empty() || in_value_) {
        if (fields_.size() == kHeadFieldsMax) return refuse(431, "the head has too many fields");
        fields_.emplace_back();
    }
    in_value_ = false;
    extend(fields_.back().name, at, n);
    return 0;
}

int HeadReader::take_value(const char* at, size_t n) {
    in_value_ = true;
    extend(fields_.back().value, at, n);
    return 0;
}

int HeadReader::refuse(int status, const char* why) noexcept {
    state_ = State::Refused;
    refusal_ = status;
    why_ = why;
    return -1;
}

void HeadReader::judge(std::string_view bytes) noexcept {
    if (parser_.http_major != 1 || parser_.http_minor > 1) {
        refuse(400, "only HTTP/1.1 and HTTP/1.0 are spoken here");
        return;
    }
    if (judge_lines(bytes.substr(0, size_))) judge_length(bytes);
}

// What Debian's http_parser, which is built without its strict mode, lets pass.
bool HeadReader::judge_lines(std::string_view head) noexcept {
    for (size_t at = 0; at < head.size(); ++at) {
        if (!is_control(head[at])) continue;
        const char next = at + 1 < head.size() ? head[at + 1] : '\0';
        const char behind = at + 2 < head.size() ? head[at + 2] : '\0';
        if (head[at] != '\r' || next != '\n' || behind == ' ' || behind == '\t')
            return refuse(400, "a line is folded, has a control byte, or does not end in CR LF") == 0;
        ++at;
    }
    if (!is_visible(target_.of(head))) return refuse(400, "the target has a control byte") == 0;
    for (Field& field : fields_) {
        if (!is_token(field.name.of(head))) return refuse(400, "a field's name is no token") == 0;
        const size_t last = field.value.of(head).find_last_not_of(" \t");
        field.value.size = last == std::string_view::npos ? 0 : static_cast<uint32_t>(last + 1);
    }
    return true;
}

bool HeadReader::judge_length(std::string_view bytes) noexcept {
    const Field* tells = nullptr;
    bool chunked = false;
    for (const Field& field : fields_) {
        const std::string_view name = field.name.of(bytes);
        const bool encodes = same_key(name, kTransferEncoding);
        if (!encodes && !same_key(name, kContentLength)) continue;
        if (tells) return refuse(400, "the body's length is told twice") == 0;
        tells = &field;
        chunked = encodes;
    }
    if (!tells) return true;
    const std::string_view value = tells->value.of(bytes);
    if (chunked) {
        body_length_ = kChunked;
        if (is_http_1_0()) return refuse(400, "HTTP/1.0 has no Transfer-Encoding") == 0;
        return same_key(value, "chunked") || refuse(400, "Transfer-Encoding must be chunked") == 0;
    }
    const auto read = std::from_chars(value.data(), value.data() + value.size(), body_length_);
    const bool whole = read.ec == std::errc() && read.ptr == value.data() + value.size();
    const bool digits = whole && value.front() != '-' && value.size() <= kLengthDigitsMax;
    return digits || refuse(400, "Content-Length is no number") == 0;
}

std::string_view HeadReader::field(std::string_view bytes, std::string_view name) const noexcept {
    for (const Field& field : fields_) {
        if (field.name.size == name.size() && same_key(field.name.of(bytes), name)) return field.value.of(bytes);
    }
    return {};
}

}  // namespace belfry::api
