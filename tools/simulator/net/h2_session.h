// SPDX-License-Identifier: Apache-2.0
// One HTTP/2 server session over nghttp2.
//
// The stream limit is enforced here and not by nghttp2, because nghttp2 can neither choose between GOAWAY and
// REFUSED_STREAM nor send debug text: it is told "no limit", and the value in the outgoing SETTINGS frame is
// replaced by ours. A limit binds the client once it has acknowledged it (RFC 9113 section 6.5.3).
//
// Threads: [one loop].  Owner: Connection.
#pragma once

#include <nghttp2/nghttp2.h>

#include <deque>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "net/session.h"

namespace belfry::simulator {

class H2Session final : public Session {
public:
    explicit H2Session(SessionHost& host);
    ~H2Session() override;
    H2Session(const H2Session&) = delete;
    H2Session& operator=(const H2Session&) = delete;

    void receive(std::span<const std::uint8_t> bytes) override;
    void pull(std::string& out) override;
    [[nodiscard]] bool finished() const override;
    [[nodiscard]] bool busy() const override { return !streams_.empty(); }
    void wire_settings_changed() override;
    void retire(const std::string& debug) override;

private:
    struct Stream {
        Request request;
        Reply reply;
        std::size_t sent = 0;
        std::chrono::milliseconds before_body{0};
        bool too_large = false;
        bool body_withheld = false;
        bool cut = false;  // half of the body is all that is sent
    };
    friend struct H2Callbacks;

    int begin_stream(std::int32_t id);
    void add_header(Stream& stream, std::string_view name, std::string_view value);
    void request_complete(std::int32_t id, Stream& stream);
    void execute(std::int32_t id, Stream& stream, Plan plan);
    void send_goaway(std::int32_t trigger, const Plan& plan);
    void submit_goaway(std::int32_t last, std::uint32_t code, std::string_view debug);
    void submit_rst(std::int32_t id, std::uint32_t code);
    void send_reply(std::int32_t id, Stream& stream);
    void announce_limit(bool first);
    void acknowledged();
    void violate(std::int32_t id);
    void refuse(std::int32_t id);
    [[nodiscard]] WireSettings wire() const { return host_.backend().wire_settings(host_.id()); }
    Stream* find(std::int32_t id);
    void submit_response(std::int32_t id, Stream& stream);

    SessionHost& host_;
    nghttp2_session* session_ = nullptr;
    std::unordered_map<std::int32_t, std::unique_ptr<Stream>> streams_;
    std::deque<std::uint32_t> unacknowledged_limits_;
    std::uint32_t acknowledged_limit_ = 0xffffffffU;
    std::int32_t last_stream_ = 0;            // that was begun
    std::int32_t highest_processed_ = 0;      // that the backend has seen
    std::int32_t last_allowed_ = 0x7fffffff;  // named by our GOAWAY: later ones must not be processed
    bool broken_ = false;                     // read nothing more
    bool retired_ = false;
};

}  // namespace belfry::simulator
