// SPDX-License-Identifier: Apache-2.0
// The client's side of HTTP/2 (RFC 9113), written straight into the output: a request costs a few copies. nghttp2 is
// left with decoding the heads of answers.
//
// Frames go into `ready_` in the order they were decided on and leave with produce(). A body that windows do not let
// through waits in `waiting_`. What a peer may make us keep is bounded: one frame, one head, kControlMax bytes of
// answers to its control frames. Threads: [loop].  Owner: Connection, as a Session.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/handles.h"
#include "http/h2_frames.h"
#include "http/hpack_encoder.h"
#include "http/session.h"
#include "http/stream_table.h"

namespace belfry::http {

class DirectSession final : public Session {
public:
    DirectSession(SessionListener& listener, nghttp2_mem* memory);

    int32_t open(uint32_t slot, const RequestHead& head) override;
    void cancel(int32_t stream) noexcept override;
    void ping() noexcept override;
    void go_away() noexcept override;
    Status produce(Output& out, size_t enough) override;
    Status consume(std::string_view bytes) override;
    bool has_output() const noexcept override;
    bool ended() const noexcept override { return closing_ && ready_.empty(); }

private:
    struct Stream {
        int32_t id = 0;  // 0: free
        int status = 0;  // 0: no final head came yet
        bool cancelled = false, waiting = false;
        bool bodiless = false;  // the answer has none, whatever its content-length says
        int64_t send_window = 0;
        uint64_t body = 0, sent = 0;          // of the request
        uint64_t unacknowledged = 0;          // answer bytes since the peer was last told that there is room
        int64_t expected = -1, received = 0;  // answer bytes: as content-length says, and what came
    };
    // A head that spans frames.
    struct Block {
        int32_t stream = 0;  // 0: none
        bool last = false;   // END_STREAM
        std::string bytes;
    };
    class Fields;

    // Requests.
    void write_head(const RequestHead& head);
    void finish_head(size_t at, int32_t stream, bool last);
    bool write_body(uint32_t slot, Output& out, size_t enough);  // false: some of it is left
    void write_waiting(Output& out, size_t enough);
    void say_goodbye(uint32_t code);
    // Answers. What ends the connection ends in fail().
    void take_partial();
    void take_frame(const FrameHead& head, std::string_view payload);
    void take_data(const FrameHead& head, std::string_view payload);
    void take_headers(const FrameHead& head, std::string_view payload);
    void take_continuation(const FrameHead& head, std::string_view payload);
    void take_block(std::string_view bytes);
    void take_reset(const FrameHead& head, std::string_view payload);
    void take_settings(const FrameHead& head, std::string_view payload);
    void take_setting(uint32_t id, uint32_t value);
    void take_initial_window(uint32_t value);
    void take_ping(const FrameHead& head, std::string_view payload);
    void take_goaway(const FrameHead& head, std::string_view payload);
    void take_window(const FrameHead& head, std::string_view payload);
    void answer_control(Frame type, std::string_view payload);
    void fail(uint32_t code, const char* what);
    bool idle(int32_t stream) const noexcept { return stream % 2 == 0 || stream >= next_id_; }
    Stream* find(int32_t id, uint32_t& slot) noexcept;
    void refill(int32_t id, uint64_t& unacknowledged, uint32_t window);
    void refuse(uint32_t slot, uint32_t code);
    void answer_ends(uint32_t slot);
    void end(uint32_t slot, StreamEnd how, uint32_t code) noexcept;

    SessionListener& listener_;
    std::unique_ptr<nghttp2_hd_inflater, FreeWith<nghttp2_hd_inflate_del>> inflater_;
    HpackEncoder encoder_;
    // The coded shared part of heads with number shared_key_, good while the table has shared_version_.
    uint64_t shared_key_ = 0, shared_version_ = 0;
    std::string shared_before_, shared_after_;  // in front of and behind the path

    StreamTable table_;  // id -> slot
    std::vector<Stream> streams_;
    std::vector<uint32_t> waiting_;    // slots whose bodies wait for a window
    std::vector<uint32_t> cancelled_;  // slots to be told of while producing
    int32_t next_id_ = 1;

    Output ready_;
    size_t control_ = 0;   // bytes of ready_ that answer control frames
    std::string partial_;  // a frame that has not come completely
    Block block_;

    int64_t send_window_ = kDefaultWindow;
    uint32_t peer_window_ = kDefaultWindow, peer_streams_ = UINT32_MAX;
    uint64_t unacknowledged_ = 0;
    int32_t last_allowed_ = INT32_MAX;  // by the peer's GOAWAY
    bool settings_seen_ = false;        // they come first
    bool going_ = false;                // the peer goes away: no new streams
    bool closing_ = false;              // our GOAWAY is written
    const char* fault_ = nullptr;
};

}  // namespace belfry::http
