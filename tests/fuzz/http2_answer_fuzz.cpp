// SPDX-License-Identifier: Apache-2.0
// A peer's bytes into the engine's HTTP/2 sessions of both kinds, mixed with what a connection does meanwhile. The
// input is a list of steps: well-formed frames with odd contents in odd order, or raw bytes, and opening, cancelling,
// writing.
//
// Whatever comes: a stream ends once, nothing is heard of a stream that is not open, and what is written is HTTP/2. As
// long as all of the input is frames, a decoder that knows them reads each head as it was meant, and no body is written
// beyond what the windows allow.
#include <nghttp2/nghttp2.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "http/output.h"
#include "http/session.h"

namespace {

using belfry::fuzz::Input;
using belfry::fuzz::require;
namespace http = belfry::http;

constexpr uint32_t kStreamsMax = 64;
constexpr std::string_view kBytes = "0123456789abcdef0123456789abcdef";

enum Type : uint8_t {
    Data = 0,
    Headers = 1,
    Reset = 3,
    Settings = 4,
    Ping = 6,
    GoAway = 7,
    WindowUpdate = 8,
    Continuation = 9
};

std::string frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
    std::string out;
    for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(payload.size() >> shift));
    out.push_back(static_cast<char>(type));
    out.push_back(static_cast<char>(flags));
    for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(stream >> shift));
    return out.append(payload);
}

std::string number32(uint32_t value) {
    std::string out;
    for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(value >> shift));
    return out;
}

// Reads what a session writes as the peer would that said the same SETTINGS and WINDOW_UPDATEs.
class Reader {
public:
    Reader() { require(nghttp2_hd_inflate_new(&inflater_) == 0); }
    ~Reader() { nghttp2_hd_inflate_del(inflater_); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // What the peer says, before the session hears it. Answers to SETTINGS come in their order.
    void said_settings(std::string_view payload) {
        tables_.emplace_back();
        for (; payload.size() >= 6; payload.remove_prefix(6)) {
            const uint32_t value = number(payload, 2, 4);
            if (number(payload, 0, 2) == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE) tables_.back().push_back(value);
            if (number(payload, 0, 2) != NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) continue;
            for (auto& [id, window] : windows_) window += int64_t{value} - initial_;
            initial_ = value;
        }
    }
    void said_window(uint32_t stream, uint32_t more) {
        (stream == 0 ? connection_ : windows_.try_emplace(stream, initial_).first->second) += more;
    }
    void meant(uint32_t stream, std::string_view path, uint64_t body) {
        windows_.try_emplace(stream, initial_);
        meant_[stream] = {std::string(path), body};
    }
    void read(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
        if (type == Settings && (flags & 1) != 0) return acknowledged();
        if (type == Data) return body(stream, payload.size(), (flags & 1) != 0);
        if (type != Headers && type != Continuation) return;
        block_.append(payload);
        if ((flags & 4) == 0) return;
        require(head() == meant_.at(stream).path);
        block_.clear();
    }

private:
    struct Meant {
        std::string path;
        uint64_t left = 0;
    };
    static uint32_t number(std::string_view bytes, size_t at, size_t n) {
        uint32_t value = 0;
        for (size_t i = 0; i < n; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
        return value;
    }
    void acknowledged() {
        require(!tables_.empty());
        for (const uint32_t size : tables_.front()) require(nghttp2_hd_inflate_change_table_size(inflater_, size) == 0);
        tables_.erase(tables_.begin());
    }
    void body(uint32_t stream, size_t n, bool last) {
        Meant& meant = meant_.at(stream);
        int64_t& window = windows_.at(stream);
        const auto taken = static_cast<int64_t>(n);
        require(n <= meant.left && window >= taken && connection_ >= taken);
        window -= taken;
        connection_ -= taken;
        meant.left -= n;
        require(last == (meant.left == 0));
    }
    std::string head() {
        std::string path;
        std::string_view left = block_;
        for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
            nghttp2_nv field{};
            const ssize_t n = nghttp2_hd_inflate_hd2(inflater_, &field, &flags,
                                                     reinterpret_cast<const uint8_t*>(left.data()), left.size(), 1);
            require(n >= 0);
            left.remove_prefix(static_cast<size_t>(n));
            const std::string_view name(reinterpret_cast<const char*>(field.name), field.namelen);
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && name == ":path")
                path.assign(reinterpret_cast<const char*>(field.value), field.valuelen);
        }
        nghttp2_hd_inflate_end_headers(inflater_);
        return path;
    }

    nghttp2_hd_inflater* inflater_ = nullptr;
    std::vector<std::vector<uint32_t>> tables_;  // sizes that are not acknowledged, by SETTINGS frame
    std::string block_;
    std::map<uint32_t, Meant> meant_;
    int64_t initial_ = 65'535, connection_ = 65'535;
    std::map<uint32_t, int64_t> windows_;
};

class Peer final : public http::SessionListener {
public:
    explicit Peer(bool direct)
        : session_(direct ? http::make_direct_session(*this, nullptr) : http::make_nghttp2_session(*this, nullptr)) {
        take_output(true);
    }

    void run(Input& input) {
        while (alive_ && !input.empty()) step(input);
        take_output(false);
    }

private:
    struct Stream {
        int32_t id = 0;  // 0: free
        int status = 0;
        uint64_t size = 0;
    };

    void step(Input& input) {
        const uint8_t what = input.byte();
        const uint8_t flags = input.byte();
        switch (what % 16) {
            case 0:
            case 1:
                return open(input);
            case 2:
                if (const uint32_t id = some_stream(input); id != 0) session_->cancel(static_cast<int32_t>(id));
                return;
            case 3:
                return take_output((flags & 1) != 0);
            case 4:
                return session_->ping();
            case 5:
                going_ = true;
                return session_->go_away();
            case 6:
                framed_ = false;
                return feed(input.text(flags));
            case 7:
                framed_ = false;
                return feed(frame(input.byte() % 12, flags, some_stream(input), input.text(input.byte())));
            case 8:  // 200 from the static table
                return feed(frame(Headers, 4 | (flags & 1), some_stream(input), "\x88"));
            case 9:  // another status, and fields as the input spells them
                return feed(frame(Headers, flags & 0x2d, some_stream(input), status(input) + field(input)));
            case 10:
                return feed(frame(Data, flags & 1, some_stream(input), input.text(input.number() % 2048)));
            case 11:
                return feed(frame(Reset, 0, some_stream(input), number32(flags % 16)));
            case 12:
                return set((flags & 1) != 0, input);
            case 13:
                return feed(frame(GoAway, 0, 0, number32(some_stream(input)) + number32(flags % 16)));
            case 14:
                return widen((flags & 1) != 0 ? some_stream(input) : 0, input.number());
            default:
                return feed(frame(Ping, flags & 1, 0, "8 bytes!"));
        }
    }

    void set(bool acknowledges, Input& input) {
        std::string settings;
        // One byte says which setting and how: all six identifiers, and values that matter.
        for (int n = acknowledges ? 0 : input.byte() % 4; n > 0; --n) {
            const uint8_t choice = input.byte();
            const uint32_t value = (choice & 0x40) != 0 ? input.number() : (choice & 0x80) != 0 ? INT32_MAX : 0;
            settings += number32(1 + choice % 6).substr(2) + number32(value);
        }
        if (!acknowledges && ready()) reader_.said_settings(settings);
        feed(frame(Settings, acknowledges ? 1 : 0, 0, settings));
    }
    void widen(uint32_t stream, uint32_t more) {
        if (ready()) reader_.said_window(stream, more);
        feed(frame(WindowUpdate, 0, stream, number32(more)));
    }
    // What was meant before is written before the peer says more.
    bool ready() {
        take_output(true);
        return alive_;
    }

    std::string status(Input& input) {
        const uint32_t code = 100 + input.number() % 500;
        return "\x08\x03" + std::to_string(code);  // literal of static name 8, :status
    }
    std::string field(Input& input) {
        const std::string_view value = input.text(input.byte() % 32);
        if (value.empty()) return {};
        return std::string("\x10\x04") + "date" + static_cast<char>(value.size()) + std::string(value);
    }
    uint32_t some_stream(Input& input) const {
        const uint8_t choice = input.byte();
        if ((choice & 0x80) != 0) return static_cast<uint32_t>(choice & 0x7f);  // any, open or not
        if (streams_.empty()) return 1;
        return static_cast<uint32_t>(streams_[choice % streams_.size()].id);
    }

    void open(Input& input) {
        uint32_t busy = 0, slot = UINT32_MAX;
        for (uint32_t i = 0; i < streams_.size(); ++i) {
            if (streams_[i].id != 0) ++busy;
            if (streams_[i].id == 0) slot = i;
        }
        if (going_ || busy >= std::min(limit_, kStreamsMax)) return;
        if (slot == UINT32_MAX) {
            slot = static_cast<uint32_t>(streams_.size());
            streams_.emplace_back();
        }
        static const http::HeadField kFields[] = {{"authorization", kBytes, false, true}, {"te", "trailers"}};
        http::RequestHead head;
        head.method = "POST";
        head.authority = "fuzz.test";
        head.path = kBytes.substr(0, 1 + input.byte() % kBytes.size());
        head.fields = kFields;
        head.body_bytes = input.number() * 3ull;
        streams_[slot] = {-1, 0, head.body_bytes};  // the body may be asked for at once
        streams_[slot].id = session_->open(slot, head);
        if (streams_[slot].id != 0) reader_.meant(static_cast<uint32_t>(streams_[slot].id), head.path, head.body_bytes);
        opened_ = true;
    }

    // As a connection does: heads refer to memory that lives for a turn, so they are written before anything is read.
    void feed(std::string_view bytes) {
        if (opened_) take_output(true);
        if (!alive_) return;
        alive_ = static_cast<bool>(session_->consume(bytes)) && !session_->ended();
    }

    void take_output(bool all) {
        if (!alive_) return;
        opened_ = false;
        http::Output out;
        do {
            out.clear();
            if (!session_->produce(out, 16 * 1024)) {
                alive_ = false;
                return;
            }
            written_.append(out.view());
        } while (all && !out.empty());
        check_written();
    }
    void check_written() {
        size_t at = 0;
        if (!greeted_) {
            at = 24;  // RFC 9113 3.4
            require(written_.rfind("PRI * HTTP/2.0", 0) == 0);
            greeted_ = true;
        }
        while (at + 9 <= written_.size()) {
            const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(written_[at + i])); };
            const size_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
            require(byte(3) <= Continuation && at + 9 + length <= written_.size());
            const uint32_t stream = byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
            if (framed_)
                reader_.read(static_cast<uint8_t>(byte(3)), static_cast<uint8_t>(byte(4)), stream,
                             std::string_view(written_).substr(at + 9, length));
            at += 9 + length;
        }
        require(at == written_.size());
        written_.clear();
    }

    Stream& heard(uint32_t slot) {
        require(slot < streams_.size() && streams_[slot].id != 0);
        return streams_[slot];
    }
    void on_status(uint32_t slot, int status) noexcept override {
        require(status >= 200 && status <= 999);
        heard(slot).status = status;
    }
    void on_field(uint32_t slot, std::string_view name, std::string_view) noexcept override {
        heard(slot);
        require(!name.empty() && name.front() != ':');
    }
    void on_body(uint32_t slot, std::string_view) noexcept override { require(heard(slot).status != 0); }
    void on_end(uint32_t slot, http::StreamEnd end, uint32_t) noexcept override {
        require(end != http::StreamEnd::Complete || heard(slot).status != 0);
        heard(slot).id = 0;
    }
    void on_peer_settings(uint32_t streams_max) noexcept override { limit_ = streams_max; }
    void on_goaway(int32_t, uint32_t, std::string_view) noexcept override { going_ = true; }
    void on_pong() noexcept override {}
    bool write_body(uint32_t slot, uint64_t size, uint64_t from, size_t n, char* out) noexcept override {
        require(size == heard(slot).size && from + n <= size);
        std::memset(out, 'x', n);
        return true;
    }

    std::vector<Stream> streams_;  // by slot
    uint32_t limit_ = http::Session::kAssumedStreams;
    bool alive_ = true, going_ = false, greeted_ = false;
    bool opened_ = false;  // heads wait in the session
    bool framed_ = true;   // all that the peer said was written by step()
    Reader reader_;
    std::string written_;
    std::unique_ptr<http::Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    const uint8_t kind = input.byte();
    const bool direct = (kind & 2) == 0;
    if ((kind & 1) != 0) {
        Peer(direct).run(input);
    } else {  // most peers begin in order
        std::string ordered = std::string("\x0c\x00", 2);
        ordered.append(input.rest());
        Input steps(reinterpret_cast<const uint8_t*>(ordered.data()), ordered.size());
        Peer(direct).run(steps);
    }
    return 0;
}
