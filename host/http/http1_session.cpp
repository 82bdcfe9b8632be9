// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over one connection: a request is written when the answer before it is complete; answers are parsed by
// http_parser, which knows the traps of framing (RFC 9112 6). What it lets pass and a client must not is refused here:
// switching protocols, answers nobody asked for, odd statuses, control bytes in fields, heads without end.
//
// Threads: [loop].  Owner: Connection, as a Session.
#include <http_parser.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

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
        if (failed_) return {};
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
        failed_ = true;
        return error(ErrorCode::Unavailable,
                     std::string("HTTP/1.1 failed: ") + (fault_ != nullptr ? fault_ : http_errno_description(fault)));
    }

    void end_of_input() noexcept override {
        if (busy_ && HTTP_PARSER_ERRNO(&parser_) == HPE_OK) http_parser_execute(&parser_, &callbacks(), nullptr, 0);
        close();
    }

    bool has_output() const noexcept override {
        return !failed_ && (cancelled_ || !head_.empty() || (busy_ && sent_ < body_));
    }
    bool ended() const noexcept override { return cancelled_ || (closing_ && !busy_ && head_.empty()); }

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
        head_.clear();  // of a request that was cancelled before it was written
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

    // Callbacks of the parser, in the order in which they come; not 0: refused. A head is told of when it is complete.
    int begin() {
        value_begun_ = false;
        text_.clear();
        fields_.clear();
        return busy_ && head_.empty() ? 0 : refuse("an answer that nobody asked for");
    }
    int take_name(std::string_view name) {
        if (fields_.empty() || std::exchange(value_begun_, false)) fields_.emplace_back();
        for (const char c : name) text_.push_back(lower(c));
        fields_.back().name += name.size();
        return bounded();
    }
    int take_value(std::string_view value) {
        value_begun_ = true;
        text_.append(value);
        fields_.back().value += value.size();
        return bounded();
    }
    int bounded() {
        return text_.size() + fields_.size() * kFieldOverhead <= kAnswerHeadMax ? 0 : refuse("a head is too long");
    }
    bool interim() const { return parser_.status_code < 200; }
    int head_complete() {
        const unsigned status = parser_.status_code;
        if (parser_.http_major != 1) return refuse("not HTTP/1");
        if (status < 100 || status > 999) return refuse("a status that is none");
        if (status == 101) return refuse("the peer switches protocols");
        if (interim()) return ++interims_ <= kInterimMax ? 1 : refuse("too many interim answers");
        if (!walk_fields([](std::string_view name, std::string_view value) { return clean(name, value); }))
            return refuse("a field has bytes that are not allowed");
        listener_.on_status(slot_, static_cast<int>(status));
        walk_fields([this](std::string_view name, std::string_view value) {
            listener_.on_field(slot_, name, value);
            return true;
        });
        text_.clear();  // trailers are counted, and that is all
        fields_.clear();
        return bodiless_ || status == 204 || status == 304 ? 1 : 0;  // RFC 9112 6.3
    }
    template <class Visit>
    bool walk_fields(Visit visit) const {
        std::string_view rest = text_;
        for (const Field& field : fields_) {
            if (!visit(rest.substr(0, field.name), rest.substr(field.name, field.value))) return false;
            rest.remove_prefix(field.name + field.value);
        }
        return true;
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
    bool failed_ = false;     // nothing more is said to this peer
    // Of the open request:
    uint32_t slot_ = 0;
    uint64_t body_ = 0, sent_ = 0;
    bool bodiless_ = false;  // its answer has no body, whatever its head says
    unsigned interims_ = 0;
    std::string head_;  // of the request, not yet produced
    // Of the head or the trailers that are being read:
    struct Field {
        size_t name = 0, value = 0;  // bytes of text_
    };
    bool value_begun_ = false;
    std::string text_;
    std::vector<Field> fields_;
    const char* fault_ = nullptr;
};

}  // namespace

std::unique_ptr<Session> make_http1_session(SessionListener& listener) {
    return std::make_unique<Http1Session>(listener);
}

}  // namespace belfry::http
