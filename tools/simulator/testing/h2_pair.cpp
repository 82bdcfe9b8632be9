// SPDX-License-Identifier: Apache-2.0
#include "testing/h2_pair.h"

#include <array>
#include <cstring>
#include <memory>
#include <string_view>

namespace belfry::simulator {

struct PairCallbacks {
    static H2Pair& self(void* user_data) { return *static_cast<H2Pair*>(user_data); }

    static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user_data) {
        H2Pair::Answer& answer = self(user_data).answers[frame->hd.stream_id];
        const std::string key(reinterpret_cast<const char*>(name), name_size);
        const std::string text(reinterpret_cast<const char*>(value), value_size);
        (key == ":status" ? answer.status : answer.headers[key]) = text;
        return 0;
    }

    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                       void* user_data) {
        self(user_data).answers[id].body.append(reinterpret_cast<const char*>(data), size);
        return 0;
    }

    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
        H2Pair& pair = self(user_data);
        if (frame->hd.type == NGHTTP2_GOAWAY) {
            pair.goaway_last = frame->goaway.last_stream_id;
            pair.goaway_error = frame->goaway.error_code;
            pair.goaway_debug.assign(reinterpret_cast<const char*>(frame->goaway.opaque_data),
                                     frame->goaway.opaque_data_len);
        }
        return 0;
    }

    static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* user_data) {
        self(user_data).answers[id].closed = true;
        self(user_data).answers[id].error = error;
        return 0;
    }

    static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room, std::uint32_t* flags,
                             nghttp2_data_source* source, void*) {
        auto& body = *static_cast<std::string*>(source->ptr);
        const std::size_t count = std::min(room, body.size());
        std::memcpy(into, body.data(), count);
        body.erase(0, count);
        if (body.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(count);
    }

    static ssize_t withhold_body(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t, std::uint32_t*,
                                 nghttp2_data_source*, void*) {
        return NGHTTP2_ERR_DEFERRED;
    }
};

namespace {

nghttp2_nv field(std::string_view name, std::string_view value) {
    nghttp2_nv nv{};
    nv.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
    nv.namelen = name.size();
    nv.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
    nv.valuelen = value.size();
    return nv;
}

constexpr std::uint32_t kNoLimit = 0x7fffffff;
constexpr std::size_t kFrameHeader = 9;

std::uint32_t number(const std::string& bytes, std::size_t at, std::size_t size) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

// Hides the stream limit from the client, which would hold streams back: tests want it violated.
void unlimit(std::string& frames, std::vector<std::uint32_t>& announced) {
    for (std::size_t at = 0; at + kFrameHeader <= frames.size(); at += kFrameHeader + number(frames, at, 3)) {
        const std::size_t end = at + kFrameHeader + number(frames, at, 3);
        if (frames[at + 3] != NGHTTP2_SETTINGS) continue;
        for (std::size_t entry = at + kFrameHeader; entry + 6 <= end; entry += 6) {
            if (number(frames, entry, 2) != NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) continue;
            announced.push_back(number(frames, entry + 2, 4));
            frames.replace(entry + 2, 4, "\x7f\xff\xff\xff");
        }
    }
}

}  // namespace

H2Pair::H2Pair() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, PairCallbacks::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, PairCallbacks::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, PairCallbacks::on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, PairCallbacks::on_stream_close);
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_peer_max_concurrent_streams(options, kNoLimit);
    nghttp2_session_client_new2(&client_, callbacks, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client_, NGHTTP2_FLAG_NONE, nullptr, 0);
}

H2Pair::~H2Pair() {
    nghttp2_session_del(client_);
}

std::int32_t H2Pair::submit(const std::string& path, bool with_body) {
    const std::array fields{field(":method", "POST"), field(":scheme", "https"), field(":authority", "localhost"),
                            field(":path", path)};
    const std::int32_t next = static_cast<std::int32_t>(nghttp2_session_get_next_stream_id(client_));
    nghttp2_data_provider provider{};
    provider.source.ptr = &bodies_[next];
    provider.read_callback = with_body ? PairCallbacks::read_body : PairCallbacks::withhold_body;
    return nghttp2_submit_request(client_, nullptr, fields.data(), fields.size(), &provider, nullptr);
}

std::int32_t H2Pair::post(const std::string& path, const std::string& body) {
    bodies_[static_cast<std::int32_t>(nghttp2_session_get_next_stream_id(client_))] = body;
    return submit(path, true);
}

std::int32_t H2Pair::post_headers_only(const std::string& path) {
    return submit(path, false);
}

void H2Pair::client_to_server() {
    if (server == nullptr) server = std::make_unique<H2Session>(*this);
    std::string bytes;
    while (true) {
        const std::uint8_t* data = nullptr;
        const ssize_t count = nghttp2_session_mem_send(client_, &data);
        if (count <= 0) break;
        bytes.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(count));
    }
    if (!bytes.empty()) server->receive({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

void H2Pair::server_to_client() {
    std::string bytes;
    do {
        bytes.clear();
        server->pull(bytes);
        unlimit(bytes, announced_limits);
        nghttp2_session_mem_recv(client_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    } while (!bytes.empty());
}

void H2Pair::exchange() {
    constexpr int kRounds = 4;  // settings, acknowledgements, requests, answers
    for (int i = 0; i < kRounds; ++i) {
        client_to_server();
        server_to_client();
    }
}

void H2Pair::later(std::chrono::milliseconds delay, std::function<void(Session&)> task) {
    delayed.emplace(delay, std::move(task));
}

void H2Pair::run_delayed() {
    while (!delayed.empty()) {
        const auto task = delayed.begin()->second;
        delayed.erase(delayed.begin());
        task(*server);
        exchange();
    }
}

}  // namespace belfry::simulator
