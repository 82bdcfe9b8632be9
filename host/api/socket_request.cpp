// SPDX-License-Identifier: Apache-2.0
#include "api/socket_request.h"

#include <algorithm>
#include <utility>

#include "api/reader.h"

namespace belfry::api {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

SocketRequest::SocketRequest(const HeadReader& head, std::string_view received, ClientSocket& socket,
                             std::chrono::milliseconds wait_max, RequestClock& clock)
    : head_(head),
      received_(received),
      socket_(socket),
      wait_max_(wait_max),
      clock_(clock),
      used_(head.size()),
      left_(head.body_length()) {
    if (left_ != 0) clock_.start();
}

std::string_view SocketRequest::target() const {
    std::string_view target = head_.target(received_);
    // The absolute form that proxies use (RFC 9112 3.2.2).
    for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
        if (same_key(target.substr(0, scheme.size()), scheme))
            target.remove_prefix(std::min(target.find('/', scheme.size()), target.size()));
    }
    return target;
}

int64_t SocketRequest::read(char* into, size_t n) {
    if (n == 0 || is_read()) return 0;
    if (!std::exchange(started_, true) && !head_.is_http_1_0() && same_key(header("Expect"), "100-continue") &&
        !socket_.send(kContinue, wait_max_))
        return -1;
    clock_.wait();
    const int64_t got = head_.body_length() == kChunked ? read_chunks(into, n) : read_raw(into, n);
    clock_.got(got);
    if (is_read()) clock_.stop();
    return got;
}

int64_t SocketRequest::read_raw(char* into, size_t n) {
    if (left_ > 0) n = std::min(n, static_cast<size_t>(left_));
    size_t got = 0;
    if (used_ < received_.size()) {
        got = received_.copy(into, n, used_);
        used_ += got;
    }
    while (got == 0) {
        read_socket_ = true;
        const Transfer transfer = socket_.receive(into, n);
        got = transfer.bytes;
        if (transfer.outcome == Transfer::Outcome::Ended || transfer.outcome == Transfer::Outcome::Broken) return -1;
        if (got == 0 && !socket_.wait(transfer.outcome, wait_max_)) return -1;
    }
    if (left_ > 0) left_ -= static_cast<int64_t>(got);
    return static_cast<int64_t>(got);
}

int64_t SocketRequest::read_chunks(char* into, size_t n) {
    while (!chunks_.at_end()) {
        const bool from_socket = used_ == received_.size();
        const int64_t got = read_raw(into, n);
        if (got < 0) return -1;
        const ChunkReader::Step step = chunks_.read(into, static_cast<size_t>(got));
        if (chunks_.is_broken()) return -1;
        const size_t unused = static_cast<size_t>(got) - step.used;
        if (from_socket)
            surplus_.assign(into + step.used, unused);
        else
            used_ -= unused;
        if (step.body > 0) return static_cast<int64_t>(step.body);
    }
    return 0;
}

}  // namespace belfry::api
