// SPDX-License-Identifier: Apache-2.0
#include "net/h1_parser.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "net/session.h"

namespace belfry::simulator {

namespace {

constexpr std::size_t kMaxHead = 64 * 1024;

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return result;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool parse_size(std::string_view text, int base, std::size_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

H1Parser::State H1Parser::advance() {
    while (state_ != State::Complete && state_ != State::Failed && step()) {
    }
    return state_;
}

Request H1Parser::take() {
    state_ = State::Head;
    head_bytes_ = 0;
    return std::exchange(request_, Request{});
}

bool H1Parser::take_expectation() {
    return std::exchange(expects_continue_, false);
}

bool H1Parser::step() {
    switch (state_) {
        case State::Head:
            return parse_head();
        case State::Body:
            return take_bytes(State::Complete);
        case State::ChunkSize:
            return parse_chunk_size();
        case State::ChunkData:
            return take_bytes(State::ChunkEnd);
        case State::ChunkEnd:
        case State::Trailer: {
            std::string line;
            if (!take_line(line)) return false;
            if (state_ == State::ChunkEnd) {
                if (!line.empty()) return fail(400);
                state_ = State::ChunkSize;
            } else if (line.empty()) {
                state_ = State::Complete;
            }
            return true;
        }
        case State::Complete:
        case State::Failed:
            return false;
    }
    return false;
}

bool H1Parser::fail(int status) {
    error_status_ = status;
    keep_alive_ = false;
    state_ = State::Failed;
    return false;
}

bool H1Parser::take_line(std::string& line) {
    const auto end = buffer_.find('\n');
    if (end == std::string::npos) {
        if (buffer_.size() > kMaxHead) fail(431);
        return false;
    }
    line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return true;
}

bool H1Parser::parse_head() {
    std::string line;
    if (!take_line(line)) return false;
    head_bytes_ += line.size();
    if (head_bytes_ > kMaxHead) return fail(431);
    if (request_.method.empty()) return line.empty() || parse_request_line(line);
    return line.empty() ? begin_body() : parse_header_line(line);
}

bool H1Parser::parse_request_line(std::string_view line) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || last == first) return fail(400);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return fail(505);
    if (target.empty() || target.front() != '/') return fail(400);
    keep_alive_ = version == "HTTP/1.1";
    request_.method = std::string(line.substr(0, first));
    const auto mark = target.find('?');
    request_.path = std::string(target.substr(0, mark));
    if (mark != std::string_view::npos) request_.query = std::string(target.substr(mark + 1));
    return true;
}

bool H1Parser::parse_header_line(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line[colon - 1] == ' ') return fail(400);
    Header header{lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1)))};
    if (header.name == "host") request_.authority = header.value;
    if (header.name == "connection") {
        const std::string value = lower(header.value);
        if (value.find("close") != std::string::npos) keep_alive_ = false;
        if (value.find("keep-alive") != std::string::npos) keep_alive_ = true;
    }
    if (header.name == "expect" && lower(header.value) == "100-continue") expects_continue_ = true;
    request_.headers.push_back(std::move(header));
    return true;
}

bool H1Parser::begin_body() {
    const std::string_view length = request_.header("content-length");
    const std::string_view coding = request_.header("transfer-encoding");
    if (!length.empty() && !coding.empty()) return fail(400);
    if (!coding.empty()) {
        if (coding != "chunked") return fail(501);
        state_ = State::ChunkSize;
        return true;
    }
    wanted_ = 0;
    if (!length.empty() && !parse_size(length, 10, wanted_)) return fail(400);
    if (wanted_ > kMaxRequestBody) return fail(413);
    state_ = wanted_ == 0 ? State::Complete : State::Body;
    return true;
}

bool H1Parser::take_bytes(State next) {
    const std::size_t count = std::min(wanted_, buffer_.size());
    request_.body.append(buffer_, 0, count);
    buffer_.erase(0, count);
    wanted_ -= count;
    if (wanted_ > 0) return false;
    state_ = next;
    return true;
}

bool H1Parser::parse_chunk_size() {
    std::string line;
    if (!take_line(line)) return false;
    if (!parse_size(trim(std::string_view(line).substr(0, line.find(';'))), 16, wanted_)) return fail(400);
    if (wanted_ > kMaxRequestBody || request_.body.size() + wanted_ > kMaxRequestBody) return fail(413);
    state_ = wanted_ == 0 ? State::Trailer : State::ChunkData;
    return true;
}

}  // namespace belfry::simulator
