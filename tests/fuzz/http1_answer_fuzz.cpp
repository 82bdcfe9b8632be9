// SPDX-License-Identifier: Apache-2.0
// A peer's bytes into the engine's HTTP/1 session, and a proxy's into its tunnel. The input is a list of answers that
// come one after the other on one connection; the first byte of each says how its request looked and how its bytes are
// cut.
//
// Whatever comes: an answer ends at most once, its parts come in order, names and values are clean, nothing is heard
// without a request, a further request is taken exactly as long as the session says so, and what is heard does not
// depend on how the bytes were cut.
#include <algorithm>
#include <memory>
#include <string>

#include "fuzz/fuzz.h"
#include "http/proxy_tunnel.h"
#include "http/session.h"

namespace {

using belfry::fuzz::require;
namespace http = belfry::http;

constexpr unsigned kRequestsMax = 16;                   // over one session
constexpr std::string_view kNextAnswer = "\xff\xff\n";  // between answers

class Peer final : public http::SessionListener {
public:
    Peer() : session_(http::make_http1_session(*this)) {}

    // Asks once more, and gives `bytes` as the answer, in pieces. False once the connection would be closed.
    bool exchange(uint8_t kind, std::string_view bytes, size_t piece) {
        ask(kind);
        for (size_t at = 0; at < bytes.size(); at += piece) {
            if (!session_->consume(bytes.substr(at, piece)) || session_->ended()) return false;
        }
        if (!open_) return !session_->ended();
        end(kind);
        return false;
    }
    const std::string& heard() const { return heard_; }

private:
    void ask(uint8_t kind) {
        http::RequestHead head;
        head.method = (kind & 1) != 0 ? "HEAD" : "POST";
        head.authority = "fuzz.test";
        head.path = "/";
        head.body_bytes = (kind & 2) != 0 ? 100'000 : 0;
        ++slot_;
        status_ = 0;
        body_ = false;
        open_ = session_->open(slot_, head) != 0;
        require(open_ == (limit_ == 1));
        http::Output out;
        require(static_cast<bool>(session_->produce(out, (kind & 4) != 0 ? 1000 : 1'000'000)));
        require(open_ == !out.empty());
    }
    void end(uint8_t kind) {
        if ((kind & 8) != 0) return session_->end_of_input();
        session_->cancel(static_cast<int32_t>(slot_));
        http::Output out;
        require(static_cast<bool>(session_->produce(out, 1'000'000)));
        require(!open_ && session_->ended());
    }

    void on_status(uint32_t slot, int status) noexcept override {
        require(slot == slot_ && open_ && status_ == 0 && status >= 200 && status <= 999);
        status_ = status;
        heard_ += std::to_string(status);
    }
    void on_field(uint32_t slot, std::string_view name, std::string_view value) noexcept override {
        require(slot == slot_ && open_ && status_ != 0 && !body_ && !name.empty());
        for (const char c : name) require(c > 0x20 && c < 0x7f && !(c >= 'A' && c <= 'Z'));
        for (const char c : value) require(c != '\r' && c != '\n' && c != '\0');
        heard_.append("|").append(name).append("=").append(value);
    }
    void on_body(uint32_t slot, std::string_view bytes) noexcept override {
        require(slot == slot_ && open_ && status_ != 0 && !bytes.empty());
        if (!std::exchange(body_, true)) heard_ += "||";
        heard_.append(bytes);
    }
    void on_end(uint32_t slot, http::StreamEnd end, uint32_t) noexcept override {
        require(slot == slot_ && open_ && (end != http::StreamEnd::Complete || status_ != 0));
        open_ = false;
        heard_ += "||end";
    }
    void on_peer_settings(uint32_t streams_max) noexcept override {
        require(streams_max <= 1);
        limit_ = streams_max;
    }
    void on_goaway(int32_t, uint32_t, std::string_view) noexcept override {}
    void on_pong() noexcept override {}
    bool write_body(uint32_t, uint64_t size, uint64_t from, size_t n, char* out) noexcept override {
        require(open_ && from + n <= size);
        std::fill(out, out + n, 'x');
        return true;
    }

    uint32_t slot_ = 0, limit_ = 0;  // slots and streams are counted alike
    bool open_ = false, body_ = false;
    int status_ = 0;
    std::string heard_;
    std::unique_ptr<http::Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    belfry::fuzz::Input input(data, size);
    Peer whole, cut;
    bool alive = true;
    for (unsigned i = 0; i < kRequestsMax && alive && (i == 0 || !input.empty()); ++i) {
        const uint8_t kind = input.byte();
        const std::string_view bytes = input.until(kNextAnswer);
        const size_t piece = 1 + (kind >> 4) * size_t{7};
        alive = whole.exchange(kind, bytes, std::max<size_t>(1, bytes.size()));
        require(cut.exchange(kind, bytes, piece) == alive);
        require(whole.heard() == cut.heard());
    }

    belfry::fuzz::Input proxy(data, size);
    const size_t piece = 1 + (proxy.byte() >> 4) * size_t{7};
    const std::string_view bytes = proxy.rest();
    http::ProxyTunnel tunnel("proxy.test:3128", "fuzz.test:443", "");
    auto answer = http::ProxyTunnel::State::Asking;
    for (size_t at = 0; answer == http::ProxyTunnel::State::Asking && at < bytes.size(); at += piece)
        answer = tunnel.consume(bytes.substr(at, piece));
    require((answer == http::ProxyTunnel::State::Refused) == !tunnel.why().empty());
    return 0;
}
