// SPDX-License-Identifier: Apache-2.0
#include "net/sink_connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>

#include "net/sink.h"

namespace belfry::simulator {

namespace {

enum FrameType : std::uint8_t { kData = 0, kHeaders = 1, kSettings = 4, kPing = 6, kGoaway = 7, kWindowUpdate = 8 };
constexpr std::uint8_t kEndStream = 1;
constexpr std::uint8_t kAck = 1;
constexpr std::uint8_t kEndHeaders = 4;

constexpr std::size_t kFrameHeader = 9;
constexpr std::size_t kMaxFrame = 16'384;  // RFC 9113 section 6.5.2, SETTINGS_MAX_FRAME_SIZE's default
constexpr std::size_t kInputSize = 4 * (kFrameHeader + kMaxFrame);
constexpr std::size_t kRecord = 16'384;  // the largest TLS record
constexpr std::size_t kOutputReserve = 256 * 1024;
constexpr std::size_t kCompactAt = 1 << 20;
constexpr std::size_t kPreface = 24;
constexpr std::uint32_t kLargestWindow = 0x7fffffff;
constexpr std::uint32_t kFlowControlError = 3;
constexpr std::uint32_t kFrameSizeError = 6;
constexpr std::uint32_t kDefaultTableSize = 4096;

constexpr std::string_view kBody =
    R"({"name":"projects/demo/messages/0:1700000000000000%31bd1c9631bd1c96000000000001"})";

// As of a token that died after every registration.
constexpr std::string_view kGoneBody = R"({"reason":"Unregistered","timestamp":4102444800000})";
constexpr std::string_view kSuspectBody = R"({"reason":"BadDeviceToken"})";

// HPACK blocks (RFC 7541): 0x88 is ":status: 200"; content-type has static index 31.
constexpr std::string_view kBlockPriming(
    "\x88\x5f\x10"
    "application/json",
    19);                                                  // adds content-type to the table
constexpr std::string_view kBlockIndexed("\x88\xbe", 2);  // both from tables
constexpr std::string_view kBlockShrinking(
    "\x20\x88\x0f\x10\x10"
    "application/json",
    21);  // table size 0, literal
constexpr std::string_view kBlockLiteral(
    "\x88\x0f\x10\x10"
    "application/json",
    20);
constexpr std::string_view kBlockGone(
    "\x08\x03"
    "410\x0f\x10\x10"
    "application/json",
    24);
constexpr std::string_view kBlockSuspect(
    "\x08\x03"
    "400\x0f\x10\x10"
    "application/json",
    24);

std::uint32_t read_u32(const std::uint8_t* at) {
    return (std::uint32_t{at[0]} << 24) | (std::uint32_t{at[1]} << 16) | (std::uint32_t{at[2]} << 8) | at[3];
}

void write_u32(char* at, std::uint32_t value) {
    at[0] = static_cast<char>(value >> 24);
    at[1] = static_cast<char>(value >> 16);
    at[2] = static_cast<char>(value >> 8);
    at[3] = static_cast<char>(value);
}

void append_u32(std::string& out, std::uint32_t value) {
    std::array<char, 4> bytes{};
    write_u32(bytes.data(), value);
    out.append(bytes.data(), bytes.size());
}

void append_setting(std::string& out, std::uint8_t id, std::uint32_t value) {
    out += '\0';
    out += static_cast<char>(id);
    append_u32(out, value);
}

void append_frame_to(std::string& out, std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                     std::string_view payload) {
    out += static_cast<char>(payload.size() >> 16);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size());
    out += static_cast<char>(type);
    out += static_cast<char>(flags);
    append_u32(out, stream);
    out.append(payload);
}

}  // namespace

SinkConnection::SinkConnection(SinkServer& server, std::uint64_t id, int fd, SSL_CTX* tls)
    : server_(server), id_(id), socket_(fd, tls), input_(kInputSize) {
    output_.reserve(kOutputReserve);
    server_.loop().add(fd, EPOLLIN, *this);
}

SinkConnection::~SinkConnection() {
    server_.loop().remove(socket_.fd());
}

void SinkConnection::on_events(std::uint32_t) {
    if (!open_) {
        const Io state = socket_.handshake().state;
        if (state == Io::WouldBlock) return;
        if (state == Io::Closed || socket_.alpn() != "h2") {
            server_.drop(id_);
            return;
        }
        open_ = true;
        greet();
    }
    now_ = Loop::now();
    latency_ = std::chrono::milliseconds(server_.settings().latency_ms.load(std::memory_order_relaxed));
    note_bytes_ = server_.settings().note_bytes.load(std::memory_order_relaxed);
    gone_percent_ = server_.settings().gone_percent.load(std::memory_order_relaxed);
    choose_gone_answer(server_.settings().gone_is_suspect.load(std::memory_order_relaxed));
    ended_ = 0;
    const bool readable = read_all();
    if (ended_ > 0) server_.statistics().requests.fetch_add(ended_, std::memory_order_relaxed);
    const bool writable = flush();
    if (!readable || !writable || failed_) {
        server_.drop(id_);
        return;
    }
    arm_timer();
}

void SinkConnection::on_timer() {
    timer_armed_ = false;
    now_ = Loop::now();
    while (!delayed_.empty() && delayed_.front().due <= now_) {
        answer(delayed_.front().stream);
        delayed_.pop_front();
    }
    if (!flush()) {
        server_.drop(id_);
        return;
    }
    arm_timer();
}

void SinkConnection::greet() {
    constexpr std::uint8_t kMaxConcurrentStreams = 3;
    constexpr std::uint8_t kInitialWindowSize = 4;
    std::string settings;
    append_setting(settings, kMaxConcurrentStreams, server_.settings().stream_limit.load(std::memory_order_relaxed));
    append_setting(settings, kInitialWindowSize, kLargestWindow);
    append_frame(kSettings, 0, 0, settings);
    std::string increment;
    append_u32(increment, kLargestWindow - 65'535);
    append_frame(kWindowUpdate, 0, 0, increment);
    build_answer(kBlockPriming);
}

void SinkConnection::choose_gone_answer(bool suspect) {
    if (suspect == gone_is_suspect_ && !gone_answer_.frames.empty()) return;
    gone_is_suspect_ = suspect;
    gone_answer_ = suspect ? an_answer(kBlockSuspect, kSuspectBody) : an_answer(kBlockGone, kGoneBody);
}

// False when the client is gone.
bool SinkConnection::read_all() {
    while (true) {
        const IoResult result = socket_.read(std::span(input_).subspan(input_used_));
        if (result.state != Io::Done) return result.state == Io::WouldBlock;
        server_.statistics().bytes_in.fetch_add(result.bytes, std::memory_order_relaxed);
        input_used_ += result.bytes;
        const std::size_t used = parse(std::span(input_).first(input_used_));
        input_used_ -= used;
        if (input_used_ > 0) std::memmove(input_.data(), input_.data() + used, input_used_);
        if (failed_ || !socket_.has_buffered_input()) return true;
        // Full records keep the client's reads few; an answer must not wait for the last request either.
        if (output_.size() - output_sent_ >= 4 * kRecord && !flush()) return false;
    }
}

// How many bytes were used up; the rest is the beginning of something.
std::size_t SinkConnection::parse(std::span<const std::uint8_t> bytes) {
    std::size_t at = 0;
    if (!preface_seen_) {
        if (bytes.size() < kPreface) return 0;
        preface_seen_ = true;
        at = kPreface;
    }
    while (!failed_) {
        const std::size_t skipped = std::min(skip_, bytes.size() - at);
        at += skipped;
        skip_ -= skipped;
        if (skip_ > 0 || bytes.size() - at < kFrameHeader) break;
        const std::uint8_t* head = bytes.data() + at;
        const Frame frame{read_u32(head) >> 8, head[3], head[4], read_u32(head + 5) & kLargestWindow};
        if (frame.size > kMaxFrame) {
            fail(kFrameSizeError);
            break;
        }
        if (needs_payload(frame)) {
            if (bytes.size() - at < kFrameHeader + frame.size) break;
            handle_control(frame, bytes.subspan(at + kFrameHeader, frame.size));
            at += kFrameHeader + frame.size;
            continue;
        }
        at += kFrameHeader;
        skip_ = frame.size;
        if (frame.type == kData) data_came(frame.size);
        if (frame.type <= kHeaders && (frame.flags & kEndStream) != 0) request_ended(frame.stream);
    }
    return at;
}

bool SinkConnection::needs_payload(const Frame& frame) const {
    return frame.type == kSettings || frame.type == kPing || frame.type == kWindowUpdate;
}

void SinkConnection::handle_control(const Frame& frame, std::span<const std::uint8_t> payload) {
    const bool ack = (frame.flags & kAck) != 0;
    if (frame.type == kWindowUpdate && frame.stream == 0 && payload.size() == 4) {
        send_window_ += read_u32(payload.data()) & kLargestWindow;
        answer_waiting();
    } else if (frame.type == kPing && !ack) {
        append_frame(kPing, kAck, 0, {reinterpret_cast<const char*>(payload.data()), payload.size()});
    } else if (frame.type == kSettings && !ack) {
        handle_settings(payload);
        append_frame(kSettings, kAck, 0, {});
    }
}

void SinkConnection::handle_settings(std::span<const std::uint8_t> payload) {
    constexpr std::uint32_t kHeaderTableSize = 1;
    constexpr std::uint32_t kInitialWindowSize = 4;
    for (std::size_t at = 0; at + 6 <= payload.size(); at += 6) {
        const std::uint32_t id = read_u32(payload.data() + at) >> 16;
        const std::uint32_t value = read_u32(payload.data() + at + 2);
        if (id == kInitialWindowSize && value < kBody.size()) fail(kFlowControlError);
        if (id != kHeaderTableSize || value >= kDefaultTableSize || !table_usable_) continue;
        // A smaller table must be acknowledged in the next block (RFC 7541 section 4.2): give up the table.
        table_usable_ = false;
        table_primed_ = false;
        build_answer(kBlockShrinking);
    }
}

void SinkConnection::request_ended(std::uint32_t stream) {
    ++ended_;
    if (latency_.count() > 0) {
        delayed_.push_back({now_ + latency_, stream});
    } else {
        answer(stream);
    }
}

void SinkConnection::answer(std::uint32_t stream) {
    if (send_window_ < static_cast<std::int64_t>(kBody.size())) {
        waiting_.push_back(stream);
        return;
    }
    if (table_primed_ && next_is_gone()) {
        append_answer(gone_answer_, stream);
        return;
    }
    append_answer(answer_, stream);
    if (table_primed_) return;
    table_primed_ = true;
    build_answer(table_usable_ ? kBlockIndexed : kBlockLiteral);
}

// Evenly spread: 60 of 100 are never sixty in a row.
bool SinkConnection::next_is_gone() {
    gone_sum_ += gone_percent_;
    if (gone_sum_ < 100) return false;
    gone_sum_ -= 100;
    return true;
}

void SinkConnection::append_answer(const Answer& answer, std::uint32_t stream) {
    send_window_ -= static_cast<std::int64_t>(answer.body);
    const std::size_t start = output_.size();
    output_.append(answer.frames);
    write_u32(output_.data() + start + 5, stream);
    write_u32(output_.data() + start + answer.second_id, stream);
}

void SinkConnection::answer_waiting() {
    while (!waiting_.empty() && send_window_ >= static_cast<std::int64_t>(kBody.size())) {
        const std::uint32_t stream = waiting_.front();
        waiting_.pop_front();
        answer(stream);
    }
}

void SinkConnection::data_came(std::size_t bytes) {
    replenish_window(bytes);
    if (note_bytes_ == 0 || bytes < note_bytes_) return;
    SinkStatistics& statistics = server_.statistics();
    const std::lock_guard lock(statistics.mutex);
    if (statistics.notes.size() >= SinkStatistics::kNotesMax) return;
    statistics.notes.push_back({static_cast<std::uint32_t>(bytes), Loop::now().time_since_epoch().count()});
}

void SinkConnection::replenish_window(std::size_t received) {
    received_ += received;
    if (received_ < kLargestWindow / 2) return;
    std::string increment;
    append_u32(increment, static_cast<std::uint32_t>(received_));
    append_frame(kWindowUpdate, 0, 0, increment);
    received_ = 0;
}

void SinkConnection::arm_timer() {
    if (timer_armed_ || delayed_.empty()) return;
    timer_armed_ = true;
    const auto delay = std::chrono::ceil<std::chrono::milliseconds>(delayed_.front().due - now_);
    server_.loop().after(delay, [&server = server_, id = id_] {
        if (SinkConnection* connection = server.find(id)) connection->on_timer();
    });
}

// False when the client is gone.
bool SinkConnection::flush() {
    while (output_sent_ < output_.size()) {
        const IoResult result = socket_.write(std::string_view(output_).substr(output_sent_));
        if (result.state == Io::Closed) return false;
        if (result.state == Io::WouldBlock) {
            if (!waiting_for_room_) server_.loop().modify(socket_.fd(), EPOLLIN | EPOLLOUT);
            waiting_for_room_ = true;
            if (output_sent_ >= kCompactAt) {
                output_.erase(0, output_sent_);
                output_sent_ = 0;
            }
            return true;
        }
        output_sent_ += result.bytes;
    }
    output_.clear();
    output_sent_ = 0;
    if (waiting_for_room_) server_.loop().modify(socket_.fd(), EPOLLIN);
    waiting_for_room_ = false;
    return true;
}

void SinkConnection::append_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                                  std::string_view payload) {
    append_frame_to(output_, type, flags, stream, payload);
}

SinkConnection::Answer SinkConnection::an_answer(std::string_view header_block, std::string_view body) {
    Answer made;
    append_frame_to(made.frames, kHeaders, kEndHeaders, 0, header_block);
    made.second_id = made.frames.size() + 5;
    made.body = body.size();
    append_frame_to(made.frames, kData, kEndStream, 0, body);
    return made;
}

void SinkConnection::build_answer(std::string_view header_block) {
    answer_ = an_answer(header_block, kBody);
}

void SinkConnection::fail(std::uint32_t code) {
    std::string payload;
    append_u32(payload, 0);
    append_u32(payload, code);
    append_frame(kGoaway, 0, 0, payload);
    failed_ = true;
}

}  // namespace belfry::simulator
