// SPDX-License-Identifier: Apache-2.0
// A peer's bytes into the engine's HTTP/1 session, and a proxy's into its tunnel. The first byte says how the request
// looked and how the bytes are cut.
//
// Whatever comes: an answer ends at most once, its parts come in order, names and values are clean, nothing is heard
// without a request, and what is heard does not depend on how the bytes were cut.
#include <algorithm>
#include <memory>
#include <string>

#include "fuzz/fuzz.h"
#include "http/proxy_tunnel.h"
#include "http/session.h"

namespace {

using belfry::fuzz::require;
namespace http = belfry::http;

class Peer final : public http::SessionListener {
public:
    explicit Peer(uint8_t kind) : session_(http::make_http1_session(*this)) {
        http::RequestHead head;
        head.method = (kind & 1) != 0 ? "HEAD" : "POST";
        head.authority = "fuzz.test";
        head.path = "/";
        head.body_bytes = (kind & 2) != 0 ? 100'000 : 0;
        open_ = session_->open(kSlot, head) != 0;
        require(open_);
        http::Output out;
        require(static_cast<bool>(session_->produce(out, (kind & 4) != 0 ? 1000 : 1'000'000)));
    }

    // False once the connection would be closed.
    bool feed(std::string_view bytes) { return static_cast<bool>(session_->consume(bytes)) && !session_->ended(); }
    void end(uint8_t kind) {
        if ((kind & 8) != 0) {
            session_->end_of_input();
        } else {
            session_->cancel(1);
            http::Output out;
            require(static_cast<bool>(session_->produce(out, 1'000'000)));
            require(!open_);
        }
    }
    const std::string& heard() const { return heard_; }

private:
    static constexpr uint32_t kSlot = 7;

    void on_status(uint32_t slot, int status) noexcept override {
        require(slot == kSlot && open_ && status_ == 0 && status >= 200 && status <= 999);
        status_ = status;
        heard_ += std::to_string(status);
    }
    void on_field(uint32_t slot, std::string_view name, std::string_view value) noexcept override {
        require(slot == kSlot && open_ && status_ != 0 && !body_ && !name.empty());
        for (const char c : name) require(c > 0x20 && c < 0x7f && !(c >= 'A' && c <= 'Z'));
        for (const char c : value) require(c != '\r' && c != '\n' && c != '\0');
        heard_.append("|").append(name).append("=").append(value);
    }
    void on_body(uint32_t slot, std::string_view bytes) noexcept override {
        require(slot == kSlot && open_ && status_ != 0 && !bytes.empty());
        if (!std::exchange(body_, true)) heard_ += "||";
        heard_.append(bytes);
    }
    void on_end(uint32_t slot, http::StreamEnd end, uint32_t) noexcept override {
        require(slot == kSlot && open_ && (end != http::StreamEnd::Complete || status_ != 0));
        open_ = false;
        heard_ += "||end";
    }
    void on_peer_settings(uint32_t streams_max) noexcept override { require(streams_max <= 1); }
    void on_goaway(int32_t, uint32_t, std::string_view) noexcept override {}
    void on_pong() noexcept override {}
    bool write_body(uint32_t, uint64_t size, uint64_t from, size_t n, char* out) noexcept override {
        require(open_ && from + n <= size);
        std::fill(out, out + n, 'x');
        return true;
    }

    bool open_ = false, body_ = false;
    int status_ = 0;
    std::string heard_;
    std::unique_ptr<http::Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    belfry::fuzz::Input input(data, size);
    const uint8_t kind = input.byte();
    const std::string_view bytes = input.rest();
    Peer whole(kind), cut(kind);
    if (whole.feed(bytes)) whole.end(kind);
    const size_t piece = 1 + (kind >> 4) * size_t{7};
    bool alive = true;
    for (size_t at = 0; alive && at < bytes.size(); at += piece) alive = cut.feed(bytes.substr(at, piece));
    if (alive) cut.end(kind);
    require(whole.heard() == cut.heard());

    http::ProxyTunnel tunnel("proxy.test:3128", "fuzz.test:443", "");
    auto answer = http::ProxyTunnel::State::Asking;
    for (size_t at = 0; answer == http::ProxyTunnel::State::Asking && at < bytes.size(); at += piece)
        answer = tunnel.consume(bytes.substr(at, piece));
    require((answer == http::ProxyTunnel::State::Refused) == !tunnel.why().empty());
    return 0;
}
