// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over one connection: a request is written when the answer before it is complete; answers are parsed by
// http_parser, which knows the traps of framing (RFC 9112 6). What it lets pass and a client must not is refused here:
// switching protocols, answers nobody asked for, odd statuses, control bytes in fields, heads without end.
//
// Threads: [loop].  Owner: Connection, as a Session.
#include <http_parser.h>

#include <algorithm>
#include <string>

#include "http/session.h"

namespace belfry::http {

namespace {

constexpr size_t kChunk = 64 * 1024;  // of a body, when it is not written whole
constexpr unsigned kInterimMax = 16;  // 1xx heads before an answer
constexpr size_t kFieldOverhead = 4;  // ": " and the line's end

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

const uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<const uint8_t*>(text.data());
}

// RFC 9110 5.1, 5.5. The parser lets spaces in names pass, which others have been led astray with.
bool clean(std::string_view name, std::string_view value) {
    return nghttp2_check_header_name(bytes_of(name), name.size()) != 0 &&
           nghttp2_check_header_value(bytes_of(value), value.size()) != 0;
}

class Http1Session final : public Session {
public:
    explicit Http1Session(SessionListener& listener) : listener_(listener) {
        http_parser_init(&parser_, HTTP_RESPONSE);
        parser_.data = this;
        listener_.on_peer_settings(1);
    }

    int32_t open(uint32_t slot, const RequestHead& head) override {
        if (busy_ || closing_ || next_id_ == INT32_MAX) return 0;
        busy_ = true;
        slot_ = slot;
        body_ = head.body_bytes;
        sent_ = 0;
        bodiless_ = head.method == "HEAD";
        interims_ = 0;
        write_head(head);
        return next_id_++;
    }

    // An answer that is not wanted any more cannot be told from the next one's: the connection is over.
    void cancel(int32_t stream) noexcept override { cancelled_ |= busy_ && stream == next_id_ - 1; }
    void ping() noexcept override {}
    void go_away() noexcept override { close(); }

    Status produce(Output& out, size_t enough) override {
        if (cancelled_) end(StreamEnd::Reset);
        out.append(head_);
        head_.clear();
        while (busy_ && sent_ < body_ && out.size() < enough) {
            const uint64_t left = body_ - sent_;
            const size_t n = left <= kChunk ? static_cast<size_t>(left) : std::min(kChunk, enough - out.size());
            const size_t before = out.size();
            char* at = out.extend(n);
            if (!listener_.write_body(slot_, body_, sent_, n, at)) {
                out.cut(before);
                end(StreamEnd::Reset);
                break;
            }
            sent_ += n;
        }
        return {};
    }

    Status consume(std::string_view bytes) override {
        if (closing_ && !busy_) return {};
        const size_t n = http_parser_execute(&parser_, &callbacks(), bytes.data(), bytes.size());
        const http_errno fault = HTTP_PARSER_ERRNO(&parser_);
        if (fault == HPE_OK && n == bytes.size()) return {};
        const bool ended = closing_ && !busy_;  // what came behind the last answer
        close();
        if (ended) return {};
        head_.clear();
        return error(ErrorCode::Unavailable,
                     std::string("HTTP/1.1 failed: ") + (fault_ != nullptr ? fault_ : http_errno_description(fault)));
    }

    void end_of_input() noexcept override {
        if (busy_ && HTTP_PARSER_ERRNO(&parser_) == HPE_OK) http_parser_execute(&parser_, &callbacks(), nullptr, 0);
        close();
    }

    bool has_output() const noexcept override { return cancelled_ || !head_.empty() || (busy_ && sent_ < body_); }
    bool ended() const noexcept override { return closing_ && !busy_ && head_.empty(); }

private:
    void write_head(const RequestHead& head) {
        const auto line = [this](std::string_view name, std::string_view value) {
            head_.append(name).append(": ").append(value).append("\r\n");
        };
        head_.append(head.method).append(" ").append(head.path).append(" HTTP/1.1\r\n");
        line("host", head.authority);
        for (const HeadField& field : head.fields) line(field.name, field.value);
        head_.append("\r\n");
    }

    void end(StreamEnd how) noexcept {
        cancelled_ = busy_ = false;
        if (how != StreamEnd::Complete || sent_ < body_) close();  // half a request is on its way
        listener_.on_end(slot_, how, 0);
    }

    void close() noexcept {
        if (std::exchange(closing_, true)) return;
        listener_.on_peer_settings(0);
    }

    int refuse(const char* why) noexcept {
        fault_ = why;
        return -1;
    }

    // Callbacks of the parser, in the order in which they come; not 0: refused.
    int begin() {
        head_bytes_ = 0;
        announced_ = head_done_ = value_begun_ = false;
        name_.clear();
        value_.clear();
        return busy_ && head_.empty() ? 0 : refuse("an answer that nobody asked for");
    }
    int take_name(std::string_view text) {
        if (value_begun_ && take_field() != 0) return -1;
        for (const char c : text) name_.push_back(lower(c));
        return count(text.size() + kFieldOverhead);
    }
    int take_value(std::string_view text) {
        value_begun_ = true;
        value_.append(text);
        return count(text.size());
    }
    int count(size_t bytes) {
        head_bytes_ += bytes;
        return head_bytes_ <= kAnswerHeadMax ? 0 : refuse("a head is too long");
    }
    int take_field() {
        value_begun_ = false;
        if (!head_done_ && announce() != 0) return -1;
        if (!clean(name_, value_)) return refuse("a field has bytes that are not allowed");
        if (!head_done_ && !interim()) listener_.on_field(slot_, name_, value_);
        name_.clear();
        value_.clear();
        return 0;
    }
    bool interim() const { return parser_.status_code < 200; }
    // The status, before its fields.
    int announce() {
        if (std::exchange(announced_, true)) return 0;
        if (parser_.http_major != 1) return refuse("not HTTP/1");
        const unsigned status = parser_.status_code;
        if (status < 100 || status > 999) return refuse("a status that is none");
        if (status == 101) return refuse("the peer switches protocols");
        if (!interim()) listener_.on_status(slot_, static_cast<int>(status));
        return 0;
    }
    int head_complete() {
        if ((value_begun_ || !name_.empty()) && take_field() != 0) return -1;
        if (announce() != 0) return -1;
        head_done_ = true;
        if (interim()) return ++interims_ <= kInterimMax ? 1 : refuse("too many interim answers");
        const bool none = bodiless_ || parser_.status_code == 204 || parser_.status_code == 304;  // RFC 9112 6.3
        return none ? 1 : 0;
    }
    int take_body(std::string_view bytes) {
        listener_.on_body(slot_, bytes);
        return 0;
    }
    int complete() {
        if (interim()) return 0;
        if (http_should_keep_alive(&parser_) == 0) close();
        end(StreamEnd::Complete);
        return 0;
    }

    static Http1Session& self(http_parser* parser) { return *static_cast<Http1Session*>(parser->data); }
    static const http_parser_settings& callbacks() {
        static const http_parser_settings made = [] {
            http_parser_settings all{};
            all.on_message_begin = [](http_parser* p) { return self(p).begin(); };
            all.on_header_field = [](http_parser* p, const char* at, size_t n) { return self(p).take_name({at, n}); };
            all.on_header_value = [](http_parser* p, const char* at, size_t n) { return self(p).take_value({at, n}); };
            all.on_headers_complete = [](http_parser* p) { return self(p).head_complete(); };
            all.on_body = [](http_parser* p, const char* at, size_t n) { return self(p).take_body({at, n}); };
            all.on_message_complete = [](http_parser* p) { return self(p).complete(); };
            return all;
        }();
        return made;
    }

    SessionListener& listener_;
    http_parser parser_{};
    int32_t next_id_ = 1;
    bool busy_ = false;       // a request is open
    bool closing_ = false;    // no further one will be
    bool cancelled_ = false;  // its end is to be told while producing
    // Of the open request:
    uint32_t slot_ = 0;
    uint64_t body_ = 0, sent_ = 0;
    bool bodiless_ = false;  // its answer has no body, whatever its head says
    unsigned interims_ = 0;
    std::string head_;  // of the request, not yet produced
    // Of the head that is being read:
    bool announced_ = false, head_done_ = false, value_begun_ = false;
    size_t head_bytes_ = 0;
    std::string name_, value_;
    const char* fault_ = nullptr;
};

}  // namespace

std::unique_ptr<Session> make_http1_session(SessionListener& listener) {
    return std::make_unique<Http1Session>(listener);
}

}  // namespace belfry::http
