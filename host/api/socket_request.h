// SPDX-License-Identifier: Apache-2.0
// A request as a connection has received it: its head, and its body from what came with the head, then from the socket.
//
// Threads: its worker's. Owner: Connection, while it answers. What it refers to does not change while it lives.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/chunk_reader.h"
#include "api/client_socket.h"
#include "api/head_reader.h"
#include "api/http_message.h"
#include "api/request_clock.h"

namespace belfry::api {

class SocketRequest final : public HttpRequest {
public:
    // `received` begins with the head, which is complete. `wait_max`: for one wait on the socket.
    SocketRequest(const HeadReader& head, std::string_view received, ClientSocket& socket,
                  std::chrono::milliseconds wait_max, RequestClock& clock);

    std::string_view method() const override { return head_.method(); }
    std::string_view target() const override;
    std::string_view header(std::string_view name) const override { return head_.field(received_, name); }
    int64_t content_length() const override { return head_.body_length(); }
    bool body_is_here() const override {
        return content_length() >= 0 && received_.size() - head_.size() >= static_cast<size_t>(content_length());
    }
    int64_t read(char* into, size_t n) override;
    void expect_pieces() override { clock_.expect_pieces(); }

    // How much of `received` the request took, with its head.
    size_t used() const noexcept { return used_; }
    bool is_read() const noexcept { return head_.body_length() == kChunked ? chunks_.at_end() : left_ == 0; }
    bool read_socket() const noexcept { return read_socket_; }
    // What came from the socket behind the request's end.
    const std::string& surplus() const noexcept { return surplus_; }

private:
    int64_t read_raw(char* into, size_t n);
    int64_t read_chunks(char* into, size_t n);

    const HeadReader& head_;
    const std::string_view received_;
    ClientSocket& socket_;
    const std::chrono::milliseconds wait_max_;
    RequestClock& clock_;
    size_t used_;
    int64_t left_;  // of a body whose length is known
    ChunkReader chunks_;
    std::string surplus_;
    bool started_ = false, read_socket_ = false;
};

}  // namespace belfry::api
