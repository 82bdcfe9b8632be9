// SPDX-License-Identifier: Apache-2.0
// The sending half, and how streams end. What peers say: direct_session_answers.cpp.
#include "http/direct_session.h"

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace belfry::http {

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";  // RFC 9113 3.4
constexpr size_t kReadyBodies = 64 * 1024;  // bodies are written with their heads while less than this is ready
constexpr int32_t kLastId = INT32_MAX - 2;

std::string setting(uint16_t id, uint32_t value) {
    char bytes[6];
    write_number(value, 4, write_number(id, 2, bytes));
    return {bytes, sizeof bytes};
}

HpackEncoder::Kind kind_of(const HeadField& field) {
    if (field.never_index) return HpackEncoder::Kind::Secret;
    return field.varies ? HpackEncoder::Kind::Varies : HpackEncoder::Kind::Shared;
}

}  // namespace

DirectSession::DirectSession(SessionListener& listener, nghttp2_mem* memory) : listener_(listener) {
    nghttp2_hd_inflater* inflater = nullptr;
    BELFRY_ASSERT(nghttp2_hd_inflate_new2(&inflater, memory) == 0);
    inflater_.reset(inflater);
    ready_.append(kPreface);
    append_frame(Frame::Settings, 0, 0,
                 setting(NGHTTP2_SETTINGS_ENABLE_PUSH, 0) + setting(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1) +
                     setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow) +
                     setting(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kAnswerHeadMax),
                 ready_);
    append_number_frame(Frame::Window, 0, kConnectionWindow - kDefaultWindow, ready_);
}

std::unique_ptr<Session> make_direct_session(SessionListener& listener, nghttp2_mem* memory) {
    return std::make_unique<DirectSession>(listener, memory);
}

int32_t DirectSession::open(uint32_t slot, const RequestHead& head) {
    if (going_ || closing_ || next_id_ > kLastId) return 0;
    if (slot >= streams_.size()) streams_.resize(slot + 1);
    Stream& stream = streams_[slot];
    stream = Stream{};
    stream.id = next_id_;
    stream.send_window = peer_window_;
    stream.body = head.body_bytes;
    stream.bodiless = head.method == "HEAD";
    next_id_ += 2;
    table_.insert(stream.id, slot);
    const size_t at = ready_.size();
    ready_.extend(kFrameHeadBytes);
    write_head(head);
    finish_head(at, stream.id, stream.body == 0);
    if (stream.body == 0) return stream.id;
    if (ready_.size() + stream.body > kReadyBodies || !write_body(slot, ready_, SIZE_MAX)) {
        stream.waiting = true;
        waiting_.push_back(slot);
    }
    return stream.id;
}

void DirectSession::write_head(const RequestHead& head) {
    encoder_.begin(ready_);
    const auto shared = head.fields.first(head.shared_n);
    if (head.shared != 0 && head.shared == shared_key_ && encoder_.version() == shared_version_) {
        ready_.append(shared_before_);
        encoder_.field(":path", head.path, HpackEncoder::Kind::Varies, ready_);
        ready_.append(shared_after_);
    } else {
        const uint64_t version = encoder_.version();
        const size_t before = ready_.size();
        encoder_.field(":method", head.method, HpackEncoder::Kind::Shared, ready_);
        encoder_.field(":scheme", "https", HpackEncoder::Kind::Shared, ready_);
        encoder_.field(":authority", head.authority, HpackEncoder::Kind::Shared, ready_);
        const size_t path = ready_.size();
        encoder_.field(":path", head.path, HpackEncoder::Kind::Varies, ready_);
        const size_t after = ready_.size();
        for (const HeadField& field : shared) encoder_.field(field.name, field.value, kind_of(field), ready_);
        // Written once more it would be the same, unless something was put into the table just now.
        if (head.shared != 0 && encoder_.version() == version) {
            shared_before_.assign(ready_.view().substr(before, path - before));
            shared_after_.assign(ready_.view().substr(after));
            shared_key_ = head.shared;
            shared_version_ = version;
        }
    }
    for (const HeadField& field : head.fields.subspan(head.shared_n))
        encoder_.field(field.name, field.value, kind_of(field), ready_);
}

// The head's fields stand behind `at` and room for a frame head.
void DirectSession::finish_head(size_t at, int32_t stream, bool last) {
    const size_t length = ready_.size() - at - kFrameHeadBytes;
    const uint8_t end = last ? kEndStream : 0;
    if (length <= kDefaultFrame) {
        write_frame_head(length, Frame::Headers, end | kEndHeaders, stream, ready_.at(at));
        return;
    }
    const std::string fields(ready_.view().substr(at + kFrameHeadBytes));
    ready_.cut(at);
    std::string_view rest = fields;
    for (Frame type = Frame::Headers; !rest.empty(); type = Frame::Continuation) {
        const std::string_view part = rest.substr(0, kDefaultFrame);
        rest.remove_prefix(part.size());
        const uint8_t first = type == Frame::Headers ? end : uint8_t{0};
        append_frame(type, static_cast<uint8_t>(first | (rest.empty() ? kEndHeaders : 0)), stream, part, ready_);
    }
}

bool DirectSession::write_body(uint32_t slot, Output& out, size_t enough) {
    Stream& stream = streams_[slot];
    while (stream.sent < stream.body) {
        const int64_t allowed = std::min({stream.send_window, send_window_, int64_t{kDefaultFrame}});
        if (allowed <= 0 || out.size() >= enough) return false;
        const size_t n = std::min(static_cast<uint64_t>(allowed), stream.body - stream.sent);
        const size_t at = out.size();
        char* frame = out.extend(kFrameHeadBytes + n);
        const bool last = stream.sent + n == stream.body;
        char* body = write_frame_head(n, Frame::Data, last ? kEndStream : uint8_t{0}, stream.id, frame);
        if (!listener_.write_body(slot, stream.body, stream.sent, n, body)) {
            out.cut(at);
            cancel(stream.id);
            return true;
        }
        stream.sent += n;
        stream.send_window -= static_cast<int64_t>(n);
        send_window_ -= static_cast<int64_t>(n);
    }
    return true;
}

void DirectSession::write_waiting(Output& out, size_t enough) {
    size_t kept = 0;
    for (size_t i = 0; i < waiting_.size(); ++i) {
        const uint32_t slot = waiting_[i];
        if (streams_[slot].cancelled || write_body(slot, out, enough)) {
            streams_[slot].waiting = false;
        } else {
            waiting_[kept++] = slot;
        }
    }
    waiting_.resize(kept);
}

void DirectSession::cancel(int32_t id) noexcept {
    const uint32_t slot = table_.find(id);
    if (slot == StreamTable::kNone || streams_[slot].cancelled) return;
    streams_[slot].cancelled = true;
    cancelled_.push_back(slot);
    append_number_frame(Frame::Reset, id, NGHTTP2_CANCEL, ready_);
}

void DirectSession::ping() noexcept {
    append_frame(Frame::Ping, 0, 0, std::string_view("\0\0\0\0\0\0\0\0", 8), ready_);
}

void DirectSession::go_away() noexcept {
    if (!closing_) say_goodbye(NGHTTP2_NO_ERROR);
}

// Nothing is said after it.
void DirectSession::say_goodbye(uint32_t code) {
    closing_ = true;
    char bytes[8];
    write_number(code, 4, write_number(0, 4, bytes));
    append_frame(Frame::GoAway, 0, 0, {bytes, sizeof bytes}, ready_);
}

Status DirectSession::produce(Output& out, size_t enough) {
    out.append(ready_.view());
    ready_.clear();
    control_ = 0;
    if (!closing_ && !waiting_.empty()) write_waiting(out, enough);
    while (!cancelled_.empty()) {
        const uint32_t slot = cancelled_.back();
        cancelled_.pop_back();
        end(slot, StreamEnd::Reset, NGHTTP2_CANCEL);
    }
    return {};
}

bool DirectSession::has_output() const noexcept {
    return !ready_.empty() || !cancelled_.empty() || (!waiting_.empty() && send_window_ > 0 && !closing_);
}

void DirectSession::end(uint32_t slot, StreamEnd how, uint32_t code) noexcept {
    Stream& stream = streams_[slot];
    table_.erase(stream.id);
    if (stream.waiting) std::erase(waiting_, slot);
    stream = Stream{};
    listener_.on_end(slot, how, code);
}

}  // namespace belfry::http
