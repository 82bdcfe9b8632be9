// SPDX-License-Identifier: Apache-2.0
// What tests of HTTP/2 sessions share: a listener that remembers, nghttp2's server in memory, and frames by hand.
#pragma once

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <map>
#include <set>

#include "http/h2_frames.h"
#include "http/session.h"

namespace belfry::http::session_rig {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string text(const uint8_t* bytes, size_t n) {
    return {reinterpret_cast<const char*>(bytes), n};
}

inline const uint8_t* bytes(std::string_view of) {
    return reinterpret_cast<const uint8_t*>(of.data());
}

struct Heard final : SessionListener {
    struct Answer {
        int status = 0;
        std::string body;
        Fields fields;
        int ends = 0;
        StreamEnd end = StreamEnd::Reset;
        uint32_t code = 0;
    };
    void on_status(uint32_t slot, int status) noexcept override { answers[slot].status = status; }
    void on_field(uint32_t slot, std::string_view name, std::string_view value) noexcept override {
        answers[slot].fields.emplace_back(name, value);
    }
    void on_body(uint32_t slot, std::string_view part) noexcept override { answers[slot].body += part; }
    void on_end(uint32_t slot, StreamEnd end, uint32_t code) noexcept override {
        ++answers[slot].ends;
        answers[slot].end = end;
        answers[slot].code = code;
    }
    void on_peer_settings(uint32_t max) noexcept override { streams_max = max; }
    void on_goaway(int32_t last, uint32_t, std::string_view) noexcept override { goaway = last; }
    void on_pong() noexcept override { ++pongs; }
    bool write_body(uint32_t slot, uint64_t, uint64_t from, size_t n, char* out) noexcept override {
        std::memcpy(out, bodies[slot].data() + from, n);
        return !gone;
    }

    std::map<uint32_t, Answer> answers;
    std::map<uint32_t, std::string> bodies;
    uint32_t streams_max = 0;
    int32_t goaway = -1;
    int pongs = 0;
    bool gone = false;
};

// nghttp2's server in memory: collects requests and answers each with 200 and its own body.
class Server {
public:
    struct Request {
        Fields fields;
        std::set<std::string> never_indexed;
        std::string body;
        bool complete = false;
    };
    explicit Server(std::vector<nghttp2_settings_entry> settings = {}) {
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_header_callback(
            callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_n,
                          const uint8_t* value, size_t value_n, uint8_t flags, void* self) {
                Request& request = static_cast<Server*>(self)->requests[frame->hd.stream_id];
                request.fields.emplace_back(text(name, name_n), text(value, value_n));
                if ((flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0) request.never_indexed.insert(text(name, name_n));
                return 0;
            });
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
            callbacks, [](nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data, size_t n, void* self) {
                static_cast<Server*>(self)->requests[stream].body += text(data, n);
                return 0;
            });
        nghttp2_session_callbacks_set_on_frame_recv_callback(
            callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* self) {
                const bool requests_frame = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
                if (requests_frame && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
                    static_cast<Server*>(self)->answer(frame->hd.stream_id);
                return 0;
            });
        nghttp2_session_server_new(&session_, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(session_, 0, settings.data(), settings.size());
    }
    ~Server() { nghttp2_session_del(session_); }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Bytes both ways until nobody has anything to say.
    void talk(Session& client) {
        for (bool more = true; more;) {
            Output out;
            ASSERT_TRUE(client.produce(out, 64 * 1024));
            ASSERT_EQ(nghttp2_session_mem_recv(session_, bytes(out.view()), out.size()),
                      static_cast<ssize_t>(out.size()));
            more = !out.empty();
            const uint8_t* data = nullptr;
            for (ssize_t n = 0; (n = nghttp2_session_mem_send(session_, &data)) > 0; more = true) {
                const Status fed = client.consume(text(data, static_cast<size_t>(n)));
                ASSERT_TRUE(fed) << fed.error().message;
            }
        }
    }
    // What a client wrote, when it is somebody else who answers: SETTINGS that it acknowledges were not ours.
    void hear(std::string_view said) {
        for (size_t n = 0; !said.empty(); said.remove_prefix(n)) {
            const bool preface = said.substr(0, 3) == "PRI";
            const FrameHead head = preface ? FrameHead{} : read_frame_head(said.data());
            n = preface ? kPrefaceBytes : kFrameHeadBytes + head.length;
            if (head.is(Frame::Settings) && head.has(kAck)) continue;
            ASSERT_EQ(nghttp2_session_mem_recv(session_, bytes(said), n), static_cast<ssize_t>(n));
        }
        ASSERT_TRUE(alive());
    }
    void say_nothing() {
        const uint8_t* unsaid = nullptr;
        while (nghttp2_session_mem_send(session_, &unsaid) > 0) {
        }
    }
    void go_away(int32_t last) {
        nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, nullptr, 0);
    }
    uint32_t told(nghttp2_settings_id id) const { return nghttp2_session_get_remote_settings(session_, id); }
    void set(std::vector<nghttp2_settings_entry> settings) {
        nghttp2_submit_settings(session_, 0, settings.data(), settings.size());
    }
    bool alive() const { return nghttp2_session_want_read(session_) != 0; }

    std::map<int32_t, Request> requests;
    std::string answer_body = "{}";

private:
    static constexpr size_t kPrefaceBytes = 24;

    void answer(int32_t stream) {
        requests[stream].complete = true;
        const auto field = [](std::string_view name, std::string_view value) {
            return nghttp2_nv{const_cast<uint8_t*>(bytes(name)), const_cast<uint8_t*>(bytes(value)), name.size(),
                              value.size(), NGHTTP2_NV_FLAG_NONE};
        };
        const nghttp2_nv fields[] = {field(":status", "200"), field("server", "nghttp2")};
        left_[stream] = answer_body;
        nghttp2_data_provider body{};
        body.read_callback = [](nghttp2_session*, int32_t id, uint8_t* out, size_t room, uint32_t* flags,
                                nghttp2_data_source*, void* self) {
            std::string& left = static_cast<Server*>(self)->left_[id];
            const size_t n = std::min(room, left.size());
            std::memcpy(out, left.data(), n);
            left.erase(0, n);
            if (left.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
            return static_cast<ssize_t>(n);
        };
        nghttp2_submit_response(session_, stream, fields, std::size(fields), &body);
    }

    nghttp2_session* session_ = nullptr;
    std::map<int32_t, std::string> left_;
};

inline RequestHead head_of(std::string_view path, uint64_t body, std::span<const HeadField> fields = {},
                           uint64_t shared = 0) {
    RequestHead head;
    head.method = "POST";
    head.authority = "push.test";
    head.path = path;
    head.body_bytes = body;
    head.fields = fields;
    head.shared = shared;
    head.shared_n = shared == 0 ? 0 : fields.size();
    return head;
}

inline Fields with_pseudo(std::string_view path, const std::vector<HeadField>& fields) {
    Fields all{{":method", "POST"}, {":scheme", "https"}, {":authority", "push.test"}, {":path", std::string(path)}};
    for (const HeadField& field : fields) all.emplace_back(field.name, field.value);
    return all;
}

inline std::string frame(Frame type, uint8_t flags, int32_t stream, std::string_view payload) {
    Output out;
    append_frame(type, flags, stream, payload, out);
    return std::string(out.view());
}

inline std::string be32(uint32_t value) {
    char digits[4];
    write_number(value, 4, digits);
    return {digits, 4};
}

inline std::string setting(uint32_t id, uint32_t value) {
    return be32(id).substr(2) + be32(value);
}

inline const std::string kHello = frame(Frame::Settings, 0, 0, {});

// A session with one open stream (1, body not sent completely) that has heard the peer's SETTINGS.
struct Bench {
    Bench() {
        heard.bodies[0] = std::string(100'000, 'b');
        session->open(0, head_of("/", heard.bodies[0].size()));
        EXPECT_TRUE(session->consume(kHello));
        said();
    }
    std::string said() {
        Output out;
        EXPECT_TRUE(session->produce(out, 64 * 1024));
        return std::string(out.view());
    }
    Heard heard;
    std::unique_ptr<Session> session = make_direct_session(heard, nullptr);
};

}  // namespace belfry::http::session_rig
