// SPDX-License-Identifier: Apache-2.0
// A session by nghttp2.
//
// A stream's user data is its slot + 1; 0 means that nobody waits for the stream any more.
//
// HEADERS refer to the caller's memory (NO_COPY), so produce() never leaves one queued. DATA frames are written by
// send_data straight behind the frames before them: the body is copied once, from the exchange to the output.
#include "http/session.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <vector>

#include "base/assert.h"

namespace belfry::http {

namespace {

using Option = std::unique_ptr<nghttp2_option, FreeWith<nghttp2_option_del>>;
using CallbackTable = std::unique_ptr<nghttp2_session_callbacks, FreeWith<nghttp2_session_callbacks_del>>;

Error session_error(int code) {
    return error(ErrorCode::Unavailable, std::string("HTTP/2 failed: ") + nghttp2_strerror(code));
}

std::string_view view(const uint8_t* bytes, size_t n) {
    return {reinterpret_cast<const char*>(bytes), n};
}

// nghttp2 does not write through these pointers.
uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
}

nghttp2_nv field(std::string_view name, std::string_view value, uint8_t flags) {
    const unsigned no_copy = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    return {bytes_of(name), bytes_of(value), name.size(), value.size(), static_cast<uint8_t>(no_copy | flags)};
}

uint8_t flags_of(const HeadField& from) {
    return from.varies || from.never_index ? NGHTTP2_NV_FLAG_NO_INDEX : 0;
}

void* as_user_data(uint32_t slot) {
    return reinterpret_cast<void*>(uintptr_t{slot} + 1);
}

bool slot_of(nghttp2_session* session, int32_t stream, uint32_t& slot) {
    const auto data = reinterpret_cast<uintptr_t>(nghttp2_session_get_stream_user_data(session, stream));
    slot = static_cast<uint32_t>(data - 1);
    return data != 0;
}

class Nghttp2Session final : public Session {
public:
    Nghttp2Session(SessionListener& listener, nghttp2_mem* memory);

    int32_t open(uint32_t slot, const RequestHead& head) override;
    void cancel(int32_t stream) noexcept override;
    void ping() noexcept override;
    void go_away() noexcept override;
    Status produce(Output& out, size_t enough) override;
    Status consume(std::string_view bytes) override;
    bool has_output() const noexcept override { return nghttp2_session_want_write(session_.get()) != 0; }
    bool ended() const noexcept override { return !has_output() && nghttp2_session_want_read(session_.get()) == 0; }

private:
    struct Body {
        uint64_t sent = 0, size = 0;
        bool answered = false;  // the peer's side has ended in order
    };
    struct Callbacks;
    void answer_complete(int32_t stream);

    SessionListener& listener_;
    std::unique_ptr<nghttp2_session, FreeWith<nghttp2_session_del>> session_;
    std::array<nghttp2_nv, RequestHead::kFieldsMax + 4> fields_;  // scratch of open
    std::vector<Body> bodies_;                                    // by slot
    std::vector<int32_t> half_open_;  // answered before the request's body was sent: to be reset
    Output* out_ = nullptr;           // while producing: where frames go,
    size_t enough_ = 0;               // and how many bytes are enough for now
    bool failed_ = false;
};

// What nghttp2 calls. Nothing here throws or submits.
struct Nghttp2Session::Callbacks {
    static Nghttp2Session& self(void* user) { return *static_cast<Nghttp2Session*>(user); }

    static int header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_n,
                      const uint8_t* value, size_t value_n, uint8_t, void* user) noexcept {
        uint32_t slot = 0;
        if (frame->hd.type != NGHTTP2_HEADERS || !slot_of(session, frame->hd.stream_id, slot)) return 0;
        SessionListener& listener = self(user).listener_;
        if (name_n == 0 || name[0] != ':') {
            listener.on_field(slot, view(name, name_n), view(value, value_n));
            return 0;
        }
        int status = 0;  // nghttp2 has checked that there are three digits
        std::from_chars(reinterpret_cast<const char*>(value), reinterpret_cast<const char*>(value) + value_n, status);
        if (status >= 200) listener.on_status(slot, status);
        return 0;
    }

    static int data(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t* bytes, size_t n,
                    void* user) noexcept {
        uint32_t slot = 0;
        if (slot_of(session, stream, slot)) self(user).listener_.on_body(slot, view(bytes, n));
        return 0;
    }

    static int frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept {
        Nghttp2Session& me = self(user);
        switch (frame->hd.type) {
            case NGHTTP2_SETTINGS:
                if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
                    me.listener_.on_peer_settings(
                        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS));
                }
                break;
            case NGHTTP2_GOAWAY:
                me.listener_.on_goaway(frame->goaway.last_stream_id, frame->goaway.error_code,
                                       view(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
                break;
            case NGHTTP2_PING:
                if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) me.listener_.on_pong();
                break;
            case NGHTTP2_HEADERS:
            case NGHTTP2_DATA:
                if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) me.answer_complete(frame->hd.stream_id);
                break;
            default:
                break;
        }
        return 0;
    }

    static int close(nghttp2_session* session, int32_t stream, uint32_t code, void* user) noexcept {
        uint32_t slot = 0;
        if (!slot_of(session, stream, slot)) return 0;
        Nghttp2Session& me = self(user);
        const StreamEnd end = me.bodies_[slot].answered        ? StreamEnd::Complete
                              : code == NGHTTP2_REFUSED_STREAM ? StreamEnd::Refused
                                                               : StreamEnd::Reset;
        me.listener_.on_end(slot, end, code);
        return 0;
    }

    static ssize_t read_body(nghttp2_session*, int32_t, uint8_t*, size_t room, uint32_t* flags,
                             nghttp2_data_source* source, void* user) noexcept {
        Body& body = self(user).bodies_[static_cast<size_t>(source->fd)];
        const uint64_t n = std::min<uint64_t>(room, body.size - body.sent);
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        if (body.sent + n == body.size) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(n);
    }

    static int send_data(nghttp2_session* session, nghttp2_frame*, const uint8_t* head, size_t n,
                         nghttp2_data_source* source, void* user) noexcept {
        constexpr size_t kFrameHead = 9;  // RFC 9113 4.1; frames are not padded
        Nghttp2Session& me = self(user);
        Output& out = *me.out_;
        if (out.size() >= me.enough_ && nghttp2_session_get_outbound_queue_size(session) == 0)
            return NGHTTP2_ERR_WOULDBLOCK;
        const auto slot = static_cast<uint32_t>(source->fd);
        Body& body = me.bodies_[slot];
        char* at = out.extend(kFrameHead + n);
        std::memcpy(at, head, kFrameHead);
        if (!me.listener_.write_body(slot, body.size, body.sent, n, at + kFrameHead)) {
            out.cut(out.size() - kFrameHead - n);
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
        body.sent += n;
        return 0;
    }

    static CallbackTable table() {
        nghttp2_session_callbacks* raw = nullptr;
        BELFRY_ASSERT(nghttp2_session_callbacks_new(&raw) == 0);
        nghttp2_session_callbacks_set_on_header_callback(raw, header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw, data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(raw, frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(raw, close);
        nghttp2_session_callbacks_set_send_data_callback(raw, send_data);
        return CallbackTable(raw);
    }
};

Nghttp2Session::Nghttp2Session(SessionListener& listener, nghttp2_mem* memory) : listener_(listener) {
    nghttp2_option* raw_option = nullptr;
    BELFRY_ASSERT(nghttp2_option_new(&raw_option) == 0);
    const Option option(raw_option);
    nghttp2_option_set_peer_max_concurrent_streams(option.get(), kAssumedStreams);
    nghttp2_option_set_no_closed_streams(option.get(), 1);
    const CallbackTable callbacks = Callbacks::table();
    nghttp2_session* raw = nullptr;
    // All that can fail here is memory.
    BELFRY_ASSERT(nghttp2_session_client_new3(&raw, callbacks.get(), this, option.get(), memory) == 0);
    session_.reset(raw);
    const std::array<nghttp2_settings_entry, 4> settings{{{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                                          {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
                                                          {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
                                                          {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kAnswerHeadMax}}};
    BELFRY_ASSERT(nghttp2_submit_settings(raw, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
    BELFRY_ASSERT(nghttp2_session_set_local_window_size(raw, NGHTTP2_FLAG_NONE, 0, int32_t{kConnectionWindow}) == 0);
}

int32_t Nghttp2Session::open(uint32_t slot, const RequestHead& head) {
    size_t n = 0;
    fields_[n++] = field(":method", head.method, 0);
    fields_[n++] = field(":scheme", "https", 0);
    fields_[n++] = field(":authority", head.authority, 0);
    fields_[n++] = field(":path", head.path, 0);
    for (const HeadField& from : head.fields) fields_[n++] = field(from.name, from.value, flags_of(from));
    if (slot >= bodies_.size()) bodies_.resize(slot + 1);
    bodies_[slot] = Body{0, head.body_bytes, false};
    nghttp2_data_provider provider{};
    provider.source.fd = static_cast<int>(slot);
    provider.read_callback = Callbacks::read_body;
    const int32_t stream = nghttp2_submit_request(session_.get(), nullptr, fields_.data(), n,
                                                  head.body_bytes == 0 ? nullptr : &provider, as_user_data(slot));
    return stream > 0 ? stream : 0;
}

void Nghttp2Session::answer_complete(int32_t stream) {
    uint32_t slot = 0;
    if (!slot_of(session_.get(), stream, slot)) return;
    bodies_[slot].answered = true;
    if (nghttp2_session_get_stream_local_close(session_.get(), stream) == 0) half_open_.push_back(stream);
}

void Nghttp2Session::cancel(int32_t stream) noexcept {
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

void Nghttp2Session::ping() noexcept {
    nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr);
}

void Nghttp2Session::go_away() noexcept {
    nghttp2_session_terminate_session(session_.get(), NGHTTP2_NO_ERROR);
}

Status Nghttp2Session::produce(Output& out, size_t enough) {
    if (failed_) return {};
    out_ = &out;
    enough_ = enough;
    while (out.size() < enough || nghttp2_session_get_outbound_queue_size(session_.get()) > 0) {
        const uint8_t* bytes = nullptr;
        const ssize_t n = nghttp2_session_mem_send(session_.get(), &bytes);
        if (n < 0) return session_error(static_cast<int>(n));
        if (n == 0) break;
        out.append(view(bytes, static_cast<size_t>(n)));
    }
    return {};
}

Status Nghttp2Session::consume(std::string_view bytes) {
    const ssize_t n = nghttp2_session_mem_recv(session_.get(), bytes_of(bytes), bytes.size());
    if (n < 0) {
        failed_ = true;
        return session_error(static_cast<int>(n));
    }
    for (const int32_t stream : half_open_) cancel(stream);
    half_open_.clear();
    return {};
}

}  // namespace

std::unique_ptr<Session> make_nghttp2_session(SessionListener& listener, nghttp2_mem* memory) {
    return std::make_unique<Nghttp2Session>(listener, memory);
}

}  // namespace belfry::http
