// SPDX-License-Identifier: Apache-2.0
// What peers say to a DirectSession. Section numbers are those of RFC 9113.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <charconv>

#include "http/direct_session.h"

namespace belfry::http {

namespace {

constexpr size_t kBlockMax = 2 * kAnswerHeadMax;  // bytes of one coded head, over all its frames
constexpr size_t kControlMax = 16 * 1024;         // of answers to control frames that wait to be written

std::string_view view(const uint8_t* bytes, size_t n) {
    return {reinterpret_cast<const char*>(bytes), n};
}

const uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<const uint8_t*>(text.data());
}

// 6.1, 6.2: the first byte says how many bytes at the end are padding.
bool strip_padding(const FrameHead& head, std::string_view& payload) {
    if (!head.has(kPadded)) return true;
    if (payload.empty()) return false;
    const auto padding = static_cast<unsigned char>(payload.front());
    payload.remove_prefix(1);
    if (padding > payload.size()) return false;
    payload.remove_suffix(padding);
    return true;
}

// 8.2.2: fields that speak of a connection have no meaning here.
bool of_connection(std::string_view name) {
    switch (name.size()) {
        case 7:
            return name == "upgrade";
        case 10:
            return name == "connection" || name == "keep-alive";
        case 16:
            return name == "proxy-connection";
        case 17:
            return name == "transfer-encoding";
        default:
            return false;
    }
}

bool clean(std::string_view name, std::string_view value) {
    return nghttp2_check_header_name(bytes_of(name), name.size()) != 0 &&
           nghttp2_check_header_value(bytes_of(value), value.size()) != 0 && !of_connection(name);
}

template <class Number>
bool read_digits(std::string_view text, Number& number) {
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    return !text.empty() && text.front() != '-' && code == std::errc() && end == text.data() + text.size();
}

}  // namespace

// One head as its fields come; 8.3 and 8.3.2 say what is malformed.
class DirectSession::Fields {
public:
    Fields(SessionListener& listener, uint32_t slot, Stream& stream)
        : listener_(listener), slot_(slot), stream_(stream), trailers_(stream.status != 0) {}

    void take(std::string_view name, std::string_view value) {
        bytes_ += name.size() + value.size() + 32;
        if (malformed_ || bytes_ > kAnswerHeadMax || name.empty()) {
            malformed_ = true;
        } else if (name.front() == ':') {
            malformed_ = !take_status(name, value);
        } else {
            regular_ = true;
            malformed_ = !take_regular(name, value);
        }
    }
    bool malformed() const { return malformed_ || (!trailers_ && status_ == 0); }
    bool interim() const { return !trailers_ && status_ < 200; }
    bool trailers() const { return trailers_; }

private:
    bool take_status(std::string_view name, std::string_view value) {
        if (trailers_ || regular_ || status_ != 0 || name != ":status" || value.size() != 3) return false;
        if (!read_digits(value, status_) || status_ < 100 || status_ == 101) return false;
        if (status_ < 200) return true;
        stream_.status = status_;
        if (status_ == 204 || status_ == 304) stream_.bodiless = true;
        listener_.on_status(slot_, status_);
        return true;
    }
    bool take_regular(std::string_view name, std::string_view value) {
        if (!clean(name, value) || (!trailers_ && status_ == 0)) return false;
        if (interim()) return true;
        if (name == "content-length" && !trailers_ && (stream_.expected >= 0 || !read_digits(value, stream_.expected)))
            return false;
        listener_.on_field(slot_, name, value);
        return true;
    }

    SessionListener& listener_;
    const uint32_t slot_;
    Stream& stream_;
    const bool trailers_;
    int status_ = 0;
    bool regular_ = false, malformed_ = false;
    size_t bytes_ = 0;
};

Status DirectSession::consume(std::string_view bytes) {
    while (!closing_ && !bytes.empty()) {
        if (partial_.empty() && bytes.size() >= kFrameHeadBytes) {
            const FrameHead head = read_frame_head(bytes.data());
            const size_t whole = kFrameHeadBytes + head.length;
            if (head.length > kDefaultFrame) {
                fail(NGHTTP2_FRAME_SIZE_ERROR, "a frame is longer than allowed");
                break;
            }
            if (bytes.size() >= whole) {
                take_frame(head, bytes.substr(kFrameHeadBytes, head.length));
                bytes.remove_prefix(whole);
                continue;
            }
        }
        // What is missing of a frame, or of its head.
        const size_t have = partial_.size();
        size_t wanted = kFrameHeadBytes;
        if (have >= kFrameHeadBytes) wanted += read_frame_head(partial_.data()).length;
        const size_t n = std::min(bytes.size(), wanted - have);
        partial_.append(bytes.substr(0, n));
        bytes.remove_prefix(n);
        take_partial();
    }
    if (fault_ == nullptr) return {};
    return error(ErrorCode::Unavailable, std::string("HTTP/2 failed: ") + fault_);
}

void DirectSession::take_partial() {
    if (partial_.size() < kFrameHeadBytes) return;
    const FrameHead head = read_frame_head(partial_.data());
    if (head.length > kDefaultFrame) {
        fail(NGHTTP2_FRAME_SIZE_ERROR, "a frame is longer than allowed");
    } else if (partial_.size() == kFrameHeadBytes + head.length) {
        take_frame(head, std::string_view(partial_).substr(kFrameHeadBytes));
        partial_.clear();
    }
}

void DirectSession::fail(uint32_t code, const char* what) {
    if (closing_) return;
    fault_ = what;
    say_goodbye(code);
}

void DirectSession::take_frame(const FrameHead& head, std::string_view payload) {
    if (!settings_seen_ && (!head.is(Frame::Settings) || head.has(kAck)))
        return fail(NGHTTP2_PROTOCOL_ERROR, "the peer did not begin with SETTINGS");
    if (block_.stream != 0 && !head.is(Frame::Continuation))
        return fail(NGHTTP2_PROTOCOL_ERROR, "a head was interrupted by another frame");
    switch (static_cast<Frame>(head.type)) {
        case Frame::Data:
            return take_data(head, payload);
        case Frame::Headers:
            return take_headers(head, payload);
        case Frame::Reset:
            return take_reset(head, payload);
        case Frame::Settings:
            return take_settings(head, payload);
        case Frame::PushPromise:
            return fail(NGHTTP2_PROTOCOL_ERROR, "the peer pushes although it must not");
        case Frame::Ping:
            return take_ping(head, payload);
        case Frame::GoAway:
            return take_goaway(head, payload);
        case Frame::Window:
            return take_window(head, payload);
        case Frame::Continuation:
            return take_continuation(head, payload);
        case Frame::Priority:
            break;
    }
    // 4.1, 5.5: others are left alone.
}

// An open stream that still waits for its answer; null: there is none, or not any more.
DirectSession::Stream* DirectSession::find(int32_t id, uint32_t& slot) noexcept {
    slot = table_.find(id);
    return slot == StreamTable::kNone || streams_[slot].cancelled ? nullptr : &streams_[slot];
}

// Tells the peer that there is room again when half of a window was used.
void DirectSession::refill(int32_t id, uint64_t& unacknowledged, uint32_t window) {
    if (unacknowledged < window / 2) return;
    append_number_frame(Frame::Window, id, static_cast<uint32_t>(unacknowledged), ready_);
    unacknowledged = 0;
}

void DirectSession::take_data(const FrameHead& head, std::string_view payload) {
    if (head.stream == 0 || idle(head.stream)) return fail(NGHTTP2_PROTOCOL_ERROR, "DATA of a stream that is not open");
    unacknowledged_ += payload.size();
    if (unacknowledged_ > kConnectionWindow)
        return fail(NGHTTP2_FLOW_CONTROL_ERROR, "more DATA than the connection's window");
    refill(0, unacknowledged_, kConnectionWindow);
    const size_t length = payload.size();
    if (!strip_padding(head, payload)) return fail(NGHTTP2_PROTOCOL_ERROR, "DATA with more padding than bytes");
    uint32_t slot = 0;
    Stream* stream = find(head.stream, slot);
    if (stream == nullptr) return;
    if (stream->status == 0) return refuse(slot, NGHTTP2_PROTOCOL_ERROR);
    stream->unacknowledged += length;
    if (stream->unacknowledged > kStreamWindow) return refuse(slot, NGHTTP2_FLOW_CONTROL_ERROR);
    stream->received += static_cast<int64_t>(payload.size());
    if (stream->expected >= 0 && stream->received > stream->expected) return refuse(slot, NGHTTP2_PROTOCOL_ERROR);
    if (!payload.empty()) listener_.on_body(slot, payload);
    if (head.has(kEndStream)) return answer_ends(slot);
    refill(stream->id, stream->unacknowledged, kStreamWindow);
}

void DirectSession::take_headers(const FrameHead& head, std::string_view payload) {
    if (head.stream == 0 || idle(head.stream))
        return fail(NGHTTP2_PROTOCOL_ERROR, "HEADERS of a stream that is not open");
    if (!strip_padding(head, payload)) return fail(NGHTTP2_PROTOCOL_ERROR, "HEADERS with more padding than bytes");
    if (head.has(kPrioritised)) {
        if (payload.size() < 5) return fail(NGHTTP2_FRAME_SIZE_ERROR, "HEADERS are too short");
        payload.remove_prefix(5);
    }
    block_.stream = head.stream;
    block_.last = head.has(kEndStream);
    if (head.has(kEndHeaders)) return take_block(payload);
    block_.bytes.assign(payload);
}

void DirectSession::take_continuation(const FrameHead& head, std::string_view payload) {
    if (block_.stream == 0 || head.stream != block_.stream)
        return fail(NGHTTP2_PROTOCOL_ERROR, "CONTINUATION of a head that was not begun");
    if (block_.bytes.size() + payload.size() > kBlockMax) return fail(NGHTTP2_ENHANCE_YOUR_CALM, "a head never ends");
    block_.bytes.append(payload);
    if (head.has(kEndHeaders)) take_block(block_.bytes);
}

// Also decoded when nobody waits for it: the table of fields goes on.
void DirectSession::take_block(std::string_view bytes) {
    uint32_t slot = 0;
    Stream unwanted;
    Stream* stream = find(std::exchange(block_.stream, 0), slot);
    Fields fields(listener_, slot, stream == nullptr ? unwanted : *stream);
    for (bool more = true; more;) {
        nghttp2_nv field{};
        int flags = 0;
        const ssize_t n = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, bytes_of(bytes), bytes.size(), 1);
        if (n < 0) return fail(NGHTTP2_COMPRESSION_ERROR, "a head cannot be decoded");
        bytes.remove_prefix(static_cast<size_t>(n));
        const bool emitted = (flags & NGHTTP2_HD_INFLATE_EMIT) != 0;
        if (emitted && stream != nullptr)
            fields.take(view(field.name, field.namelen), view(field.value, field.valuelen));
        more = (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;
    }
    nghttp2_hd_inflate_end_headers(inflater_.get());
    if (stream == nullptr) return;
    const bool last = block_.last;
    if (fields.malformed() || (fields.interim() && last) || (fields.trailers() && !last))
        return refuse(slot, NGHTTP2_PROTOCOL_ERROR);
    if (last) answer_ends(slot);
}

void DirectSession::answer_ends(uint32_t slot) {
    const Stream& stream = streams_[slot];
    if (stream.expected >= 0 && stream.received != stream.expected && !(stream.bodiless && stream.received == 0))
        return refuse(slot, NGHTTP2_PROTOCOL_ERROR);
    // 8.1: an answer may come before the request was sent as a whole.
    if (stream.sent < stream.body) append_number_frame(Frame::Reset, stream.id, NGHTTP2_CANCEL, ready_);
    end(slot, StreamEnd::Complete, NGHTTP2_NO_ERROR);
}

// Resets a stream whose answer is malformed.
void DirectSession::refuse(uint32_t slot, uint32_t code) {
    append_number_frame(Frame::Reset, streams_[slot].id, code, ready_);
    end(slot, StreamEnd::Reset, code);
}

void DirectSession::take_reset(const FrameHead& head, std::string_view payload) {
    if (payload.size() != 4) return fail(NGHTTP2_FRAME_SIZE_ERROR, "RST_STREAM of another length than 4");
    if (head.stream == 0 || idle(head.stream))
        return fail(NGHTTP2_PROTOCOL_ERROR, "RST_STREAM of a stream that is not open");
    uint32_t slot = 0;
    if (find(head.stream, slot) == nullptr) return;
    const uint32_t code = read_number(payload.data(), 4);
    end(slot, code == NGHTTP2_REFUSED_STREAM ? StreamEnd::Refused : StreamEnd::Reset, code);
}

void DirectSession::take_settings(const FrameHead& head, std::string_view payload) {
    if (head.stream != 0) return fail(NGHTTP2_PROTOCOL_ERROR, "SETTINGS of a stream");
    if (payload.size() % 6 != 0 || (head.has(kAck) && !payload.empty()))
        return fail(NGHTTP2_FRAME_SIZE_ERROR, "SETTINGS of an odd length");
    if (head.has(kAck)) return;
    settings_seen_ = true;
    for (; !payload.empty() && !closing_; payload.remove_prefix(6))
        take_setting(read_number(payload.data(), 2), read_number(payload.data() + 2, 4));
    if (closing_) return;
    answer_control(Frame::Settings, {});
    listener_.on_peer_settings(peer_streams_);
}

// 6.5.2
void DirectSession::take_setting(uint32_t id, uint32_t value) {
    switch (id) {
        case NGHTTP2_SETTINGS_HEADER_TABLE_SIZE:
            return encoder_.limit(value);
        case NGHTTP2_SETTINGS_ENABLE_PUSH:
            if (value != 0) fail(NGHTTP2_PROTOCOL_ERROR, "SETTINGS say that the peer takes pushes");
            return;
        case NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS:
            peer_streams_ = value;
            return;
        case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
            return take_initial_window(value);
        case NGHTTP2_SETTINGS_MAX_FRAME_SIZE:
            // Ours are never longer than the least that is allowed.
            if (value < kDefaultFrame || value >= 1u << 24)
                fail(NGHTTP2_PROTOCOL_ERROR, "SETTINGS with an impossible frame size");
            return;
        default:
            return;
    }
}

// 6.9.2: streams that are open get, or lose, the difference.
void DirectSession::take_initial_window(uint32_t value) {
    if (value > kWindowMax) return fail(NGHTTP2_FLOW_CONTROL_ERROR, "SETTINGS with an impossible window");
    const int64_t difference = int64_t{value} - peer_window_;
    peer_window_ = value;
    for (Stream& stream : streams_) {
        if (stream.id == 0) continue;
        stream.send_window += difference;
        if (stream.send_window > kWindowMax) return fail(NGHTTP2_FLOW_CONTROL_ERROR, "a stream's window overflows");
    }
}

// ACKs and PONGs, which a peer could ask for without end and never read.
void DirectSession::answer_control(Frame type, std::string_view payload) {
    control_ += append_frame(type, kAck, 0, payload, ready_);
    if (control_ > kControlMax) fail(NGHTTP2_ENHANCE_YOUR_CALM, "too many control frames");
}

void DirectSession::take_ping(const FrameHead& head, std::string_view payload) {
    if (head.stream != 0) return fail(NGHTTP2_PROTOCOL_ERROR, "PING of a stream");
    if (payload.size() != 8) return fail(NGHTTP2_FRAME_SIZE_ERROR, "PING of another length than 8");
    head.has(kAck) ? listener_.on_pong() : answer_control(Frame::Ping, payload);
}

void DirectSession::take_goaway(const FrameHead& head, std::string_view payload) {
    if (head.stream != 0) return fail(NGHTTP2_PROTOCOL_ERROR, "GOAWAY of a stream");
    if (payload.size() < 8) return fail(NGHTTP2_FRAME_SIZE_ERROR, "GOAWAY is too short");
    const auto last = static_cast<int32_t>(read_number(payload.data(), 4) & 0x7fffffff);
    if (last > last_allowed_) return fail(NGHTTP2_PROTOCOL_ERROR, "GOAWAY takes back another");
    last_allowed_ = last;
    going_ = true;
    listener_.on_goaway(last, read_number(payload.data() + 4, 4), payload.substr(8));
    for (uint32_t slot = 0; slot < streams_.size(); ++slot) {
        const Stream& stream = streams_[slot];
        if (stream.id > last && !stream.cancelled) end(slot, StreamEnd::Refused, NGHTTP2_REFUSED_STREAM);
    }
}

void DirectSession::take_window(const FrameHead& head, std::string_view payload) {
    if (payload.size() != 4) return fail(NGHTTP2_FRAME_SIZE_ERROR, "WINDOW_UPDATE of another length than 4");
    const int64_t more = read_number(payload.data(), 4) & 0x7fffffff;
    if (head.stream == 0) {
        send_window_ += more;
        if (more == 0) return fail(NGHTTP2_PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
        if (send_window_ > kWindowMax) return fail(NGHTTP2_FLOW_CONTROL_ERROR, "the connection's window overflows");
        return;
    }
    if (idle(head.stream)) return fail(NGHTTP2_PROTOCOL_ERROR, "WINDOW_UPDATE of a stream that is not open");
    uint32_t slot = 0;
    Stream* stream = find(head.stream, slot);
    if (stream == nullptr) return;
    stream->send_window += more;
    if (more == 0) return refuse(slot, NGHTTP2_PROTOCOL_ERROR);
    if (stream->send_window > kWindowMax) refuse(slot, NGHTTP2_FLOW_CONTROL_ERROR);
}

}  // namespace belfry::http
