// SPDX-License-Identifier: Apache-2.0
// One connection of the raw sink; sink.h says what it leaves out.
//
// Threads: [its loop].  Owner: SinkServer.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "net/socket.h"

namespace belfry::simulator {

class SinkServer;

class SinkConnection final : public Watcher {
public:
    SinkConnection(SinkServer& server, std::uint64_t id, int fd, SSL_CTX* tls);
    ~SinkConnection() override;

    void on_events(std::uint32_t events) override;
    void on_timer();

private:
    struct Delayed {
        std::chrono::steady_clock::time_point due;
        std::uint32_t stream;
    };
    struct Frame {
        std::size_t size;
        std::uint8_t type;
        std::uint8_t flags;
        std::uint32_t stream;
    };

    // HEADERS and DATA frame with the stream id left open.
    struct Answer {
        std::string frames;
        std::size_t second_id = 0;  // where the DATA frame's stream id goes
        std::size_t body = 0;       // bytes that count against the window
    };

    static Answer an_answer(std::string_view header_block, std::string_view body);
    void append_answer(const Answer& answer, std::uint32_t stream);
    bool next_is_gone();
    void choose_gone_answer(bool suspect);
    void greet();
    bool read_all();
    std::size_t parse(std::span<const std::uint8_t> bytes);
    bool needs_payload(const Frame& frame) const;
    void handle_control(const Frame& frame, std::span<const std::uint8_t> payload);
    void handle_settings(std::span<const std::uint8_t> payload);
    void request_ended(std::uint32_t stream);
    void answer(std::uint32_t stream);
    void answer_waiting();
    void data_came(std::size_t bytes);
    void replenish_window(std::size_t received);
    void arm_timer();
    bool flush();
    void append_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload);
    void build_answer(std::string_view header_block);
    void fail(std::uint32_t code);

    SinkServer& server_;
    std::uint64_t id_;
    Socket socket_;
    bool open_ = false;
    bool failed_ = false;
    bool waiting_for_room_ = false;
    bool timer_armed_ = false;

    std::vector<std::uint8_t> input_;
    std::size_t input_used_ = 0;
    std::size_t skip_ = 0;  // bytes of a payload nobody looks at
    bool preface_seen_ = false;

    std::string output_;
    std::size_t output_sent_ = 0;
    Answer answer_, gone_answer_;
    bool gone_is_suspect_ = false;
    std::uint32_t gone_percent_ = 0, gone_sum_ = 0;
    bool table_primed_ = false;  // the client's dynamic table holds our content-type
    bool table_usable_ = true;

    std::int64_t send_window_ = 65'535;  // RFC 9113 section 6.9.2
    std::size_t received_ = 0;           // DATA since the last WINDOW_UPDATE
    std::deque<std::uint32_t> waiting_;  // answers that wait for window
    std::deque<Delayed> delayed_;
    std::chrono::steady_clock::time_point now_;
    std::chrono::milliseconds latency_{0};
    std::uint32_t note_bytes_ = 0;
    std::uint64_t ended_ = 0;
};

}  // namespace belfry::simulator
