// SPDX-License-Identifier: Apache-2.0
#include "net/h2_session.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

namespace belfry::simulator {

namespace {

constexpr std::size_t kFrameHeader = 9;
// Between the notice that names 2^31-1 and the GOAWAY that names the real last stream (RFC 9113 section 6.8).
constexpr std::chrono::milliseconds kShutdownNotice{200};
constexpr std::chrono::milliseconds kCutAfter{20};  // the first half is on its way by then
// Between the two RST_STREAM frames that APNs was seen to send for one surplus stream.
constexpr std::chrono::milliseconds kSecondReset{1};

nghttp2_nv header_field(std::string_view name, std::string_view value) {
    nghttp2_nv field{};
    field.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
    field.namelen = name.size();
    field.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
    field.valuelen = value.size();
    return field;
}

std::string_view as_text(const std::uint8_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

// Writes the announced stream limit over the placeholder that nghttp2 packed.
void patch_stream_limit(char* frame, std::size_t size, std::uint32_t limit) {
    for (std::size_t at = kFrameHeader; at + 6 <= size; at += 6) {
        if (frame[at] != 0 || frame[at + 1] != NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) continue;
        for (std::size_t byte = 0; byte < 4; ++byte) {
            frame[at + 2 + byte] = static_cast<char>((limit >> (24 - 8 * byte)) & 0xffU);
        }
    }
}

}  // namespace

// nghttp2's C callbacks; user data is the session.
struct H2Callbacks {
    static H2Session& self(void* user_data) { return *static_cast<H2Session*>(user_data); }

    static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
        if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
        return self(user_data).begin_stream(frame->hd.stream_id);
    }

    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
        H2Session::Stream* stream = self(user_data).find(frame->hd.stream_id);
        if (stream != nullptr)
            self(user_data).add_header(*stream, as_text(name, name_size), as_text(value, value_size));
        return 0;
    }

    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                       void* user_data) {
        H2Session::Stream* stream = self(user_data).find(id);
        if (stream == nullptr) return 0;
        if (stream->request.body.size() + size > kMaxRequestBody) {
            stream->too_large = true;
        } else {
            stream->request.body.append(as_text(data, size));
        }
        return 0;
    }

    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
        H2Session& session = self(user_data);
        if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) session.acknowledged();
        if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
            session.host_.backend().on_connection_event(session.host_.id(), ConnectionEvent::Ping);
        }
        if (frame->hd.type == NGHTTP2_RST_STREAM) {
            session.host_.backend().on_connection_event(session.host_.id(), ConnectionEvent::StreamReset);
        }
        const bool carries_request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (!carries_request || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
        H2Session::Stream* stream = session.find(frame->hd.stream_id);
        if (stream != nullptr) session.request_complete(frame->hd.stream_id, *stream);
        return 0;
    }

    static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user_data) {
        self(user_data).streams_.erase(id);
        return 0;
    }

    static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                             nghttp2_data_source* source, void*) {
        auto& stream = *static_cast<H2Session::Stream*>(source->ptr);
        if (stream.body_withheld) return NGHTTP2_ERR_DEFERRED;
        const std::size_t all = stream.cut ? stream.reply.body.size() / 2 : stream.reply.body.size();
        const std::size_t count = std::min(room, all - stream.sent);
        std::memcpy(into, stream.reply.body.data() + stream.sent, count);
        stream.sent += count;
        if (stream.sent == all) *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream.cut) *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return static_cast<ssize_t>(count);
    }
};

H2Session::H2Session(SessionHost& host) : host_(host) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_option* options = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&options) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, H2Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, H2Callbacks::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, H2Callbacks::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, H2Callbacks::on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, H2Callbacks::on_stream_close);
    nghttp2_option_set_no_closed_streams(options, 1);
    const int result = nghttp2_session_server_new2(&session_, callbacks, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    if (result != 0) throw std::bad_alloc();
    announce_limit(true);
    // HTTP/2 begins with this much; a WINDOW_UPDATE can only add to it (RFC 9113 section 6.9.2).
    const std::int32_t window = std::max(wire().connection_window, NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, window);
}

H2Session::~H2Session() {
    nghttp2_session_del(session_);
}

void H2Session::announce_limit(bool first) {
    const WireSettings settings = wire();
    unacknowledged_limits_.push_back(settings.stream_limit);
    const auto window = static_cast<std::uint32_t>(settings.stream_window);
    std::array<nghttp2_settings_entry, 3> entries{{{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, NGHTTP2_MAX_WINDOW_SIZE},
                                                   {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
                                                   {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.header_list_max}}};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), first ? entries.size() : 1);
}

void H2Session::wire_settings_changed() {
    const std::uint32_t known = unacknowledged_limits_.empty() ? acknowledged_limit_ : unacknowledged_limits_.back();
    if (!broken_ && known != wire().stream_limit) announce_limit(false);
}

void H2Session::acknowledged() {
    if (unacknowledged_limits_.empty()) return;
    acknowledged_limit_ = unacknowledged_limits_.front();
    unacknowledged_limits_.pop_front();
}

void H2Session::receive(std::span<const std::uint8_t> bytes) {
    if (broken_) return;
    const ssize_t used = nghttp2_session_mem_recv(session_, bytes.data(), bytes.size());
    if (used < 0) broken_ = true;
}

void H2Session::pull(std::string& out) {
    while (out.size() < kOutputTarget) {
        const std::uint8_t* data = nullptr;
        const ssize_t count = nghttp2_session_mem_send(session_, &data);
        if (count <= 0) break;
        const std::size_t start = out.size();
        out.append(as_text(data, static_cast<std::size_t>(count)));
        const bool settings = count > static_cast<ssize_t>(kFrameHeader) && data[3] == NGHTTP2_SETTINGS;
        if (settings && (data[4] & NGHTTP2_FLAG_ACK) == 0) {
            patch_stream_limit(out.data() + start, static_cast<std::size_t>(count), unacknowledged_limits_.back());
        }
    }
}

bool H2Session::finished() const {
    if (nghttp2_session_want_write(session_) != 0) return false;
    return broken_ || nghttp2_session_want_read(session_) == 0;
}

void H2Session::retire(const std::string& debug) {
    if (retired_ || broken_) return;
    retired_ = true;
    submit_goaway(last_stream_, NGHTTP2_NO_ERROR, debug);
}

H2Session::Stream* H2Session::find(std::int32_t id) {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second.get();
}

int H2Session::begin_stream(std::int32_t id) {
    if (broken_ || id > last_allowed_) return 0;
    Backend& backend = host_.backend();
    const auto open = static_cast<std::uint32_t>(streams_.size()) + 1;
    backend.on_streams_open(host_.id(), open);
    if (open > acknowledged_limit_) {
        violate(id);
        return 0;
    }
    if (!unacknowledged_limits_.empty() && open > unacknowledged_limits_.back()) {
        // The client has not seen this limit yet: RFC 9113 section 5.1.2 leaves it to the server to refuse.
        backend.on_connection_event(host_.id(), ConnectionEvent::StreamRefused);
        refuse(id);
        return 0;
    }
    last_stream_ = id;
    auto stream = std::make_unique<Stream>();
    stream->request.connection = host_.id();
    stream->request.stream = id;
    stream->request.http2 = true;
    streams_.emplace(id, std::move(stream));
    return 0;
}

void H2Session::violate(std::int32_t id) {
    host_.backend().on_connection_event(host_.id(), ConnectionEvent::StreamLimitViolated);
    const WireSettings settings = wire();
    if (settings.refuse_excess_streams) {
        refuse(id);
        return;
    }
    submit_goaway(last_stream_, settings.violation_code, settings.violation_debug);
    broken_ = true;
}

void H2Session::refuse(std::int32_t id) {
    submit_rst(id, NGHTTP2_REFUSED_STREAM);
    if (!wire().close_refused_streams) return;
    host_.later(kSecondReset,
                [id](Session& session) { static_cast<H2Session&>(session).submit_rst(id, NGHTTP2_STREAM_CLOSED); });
}

void H2Session::add_header(Stream& stream, std::string_view name, std::string_view value) {
    Request& request = stream.request;
    if (name.empty() || name.front() != ':') {
        request.headers.push_back({std::string(name), std::string(value)});
        if (name == "host" && request.authority.empty()) request.authority = std::string(value);
    } else if (name == ":method") {
        request.method = std::string(value);
    } else if (name == ":authority") {
        request.authority = std::string(value);
    } else if (name == ":path") {
        const auto mark = value.find('?');
        request.path = std::string(value.substr(0, mark));
        if (mark != std::string_view::npos) request.query = std::string(value.substr(mark + 1));
    }
}

void H2Session::request_complete(std::int32_t id, Stream& stream) {
    if (broken_ || id > last_allowed_) return;
    if (stream.too_large) {
        Plan plan;
        plan.reply.status = 413;
        execute(id, stream, std::move(plan));
        return;
    }
    Plan plan = host_.backend().handle(std::move(stream.request));
    const bool disowned = plan.action == WireAction::Goaway && plan.last_stream == LastStream::Before;
    if (!disowned) highest_processed_ = std::max(highest_processed_, id);
    const bool changed = plan.wire_settings_changed;
    execute(id, stream, std::move(plan));
    if (changed) wire_settings_changed();
}

void H2Session::execute(std::int32_t id, Stream& stream, Plan plan) {
    switch (plan.action) {
        case WireAction::ResetStream:
            submit_rst(id, plan.error_code);
            return;
        case WireAction::ResetTcp:
            broken_ = true;
            host_.reset_tcp();
            return;
        case WireAction::BlackHole:
            return;
        case WireAction::HalfOpen:
            broken_ = true;
            host_.go_silent();
            return;
        case WireAction::Goaway:
            send_goaway(id, plan);
            if (plan.last_stream == LastStream::Before || plan.close_after_goaway) return;
            break;
        case WireAction::CutAnswer:
            stream.cut = true;
            host_.later(plan.before_headers + plan.before_body + kCutAfter,
                        [id, code = plan.error_code](Session& session) {
                            auto& self = static_cast<H2Session&>(session);
                            if (self.find(id) != nullptr) self.submit_rst(id, code);
                        });
            break;
        case WireAction::Answer:
            break;
    }
    stream.reply = std::move(plan.reply);
    stream.before_body = plan.before_body;
    if (plan.before_headers.count() <= 0) {
        send_reply(id, stream);
        return;
    }
    host_.later(plan.before_headers, [id](Session& session) {
        auto& self = static_cast<H2Session&>(session);
        if (Stream* waiting = self.find(id)) self.send_reply(id, *waiting);
    });
}

// What this connection has processed is never disowned, unless the rule names an id of its own: a client may send
// everything above the last id again, and the journal would show it twice.
void H2Session::send_goaway(std::int32_t trigger, const Plan& plan) {
    if (plan.last_stream == LastStream::Max) {
        nghttp2_submit_shutdown_notice(session_);
        host_.later(kShutdownNotice, [debug = plan.debug](Session& session) { session.retire(debug); });
        return;
    }
    retired_ = true;
    std::int32_t last = plan.last_stream_id;
    if (plan.last_stream == LastStream::This) last = std::max(trigger, highest_processed_);
    if (plan.last_stream == LastStream::Before) {
        last = std::max(trigger - 2, highest_processed_);
        if (last > trigger) submit_rst(trigger, NGHTTP2_REFUSED_STREAM);
    }
    submit_goaway(std::max(0, last), plan.error_code, plan.debug);
    if (plan.close_after_goaway) broken_ = true;
}

void H2Session::submit_goaway(std::int32_t last, std::uint32_t code, std::string_view debug) {
    last_allowed_ = last;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, code, reinterpret_cast<const std::uint8_t*>(debug.data()),
                          debug.size());
}

void H2Session::submit_rst(std::int32_t id, std::uint32_t code) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
}

void H2Session::send_reply(std::int32_t id, Stream& stream) {
    stream.body_withheld = stream.before_body.count() > 0;
    submit_response(id, stream);
    if (!stream.body_withheld) return;
    host_.later(stream.before_body, [id](Session& session) {
        auto& self = static_cast<H2Session&>(session);
        Stream* waiting = self.find(id);
        if (waiting == nullptr) return;
        waiting->body_withheld = false;
        nghttp2_session_resume_data(self.session_, id);
    });
}

void H2Session::submit_response(std::int32_t id, Stream& stream) {
    const std::string status = std::to_string(stream.reply.status);
    const std::string length = std::to_string(stream.reply.body.size());
    std::vector<nghttp2_nv> fields;
    fields.reserve(stream.reply.headers.size() + 2);
    fields.push_back(header_field(":status", status));
    for (const Header& header : stream.reply.headers) fields.push_back(header_field(header.name, header.value));
    fields.push_back(header_field("content-length", length));
    nghttp2_data_provider body{};
    body.source.ptr = &stream;
    body.read_callback = H2Callbacks::read_body;
    nghttp2_submit_response(session_, id, fields.data(), fields.size(), &body);
}

}  // namespace belfry::simulator
