// SPDX-License-Identifier: Apache-2.0
// Every fault of the simulators' lists (reference pages of FCM, APNs and Web Push), frame by frame, as a table: what a
// first connection does with the requests it took, and what must become of them. Always: every request ends once, none
// that the peer may have processed is asked for again, and those that wait go to another connection.
#include <nghttp2/nghttp2.h>

#include <map>
#include <set>

#include "fakes/raw_server.h"
#include "http/engine_rig.h"
#include "http/h2_frames.h"

namespace belfry::http {

using namespace std::chrono_literals;
using fakes::RawPeer;
using fakes::RawScript;
using fakes::RawServer;

namespace {

constexpr size_t kRequests = 30;
constexpr int kTaken = 9;  // of 10 streams; one is for lane high
constexpr std::string_view k200 = "\x88";

std::string frame(Frame type, uint8_t flags, int32_t stream, std::string_view payload = {}) {
    Output out;
    append_frame(type, flags, stream, payload, out);
    return std::string(out.view());
}
std::string number32(uint32_t value) {
    char bytes[4];
    write_number(value, 4, bytes);
    return {bytes, 4};
}
std::string setting(uint16_t id, uint32_t value) {
    return number32(id).substr(2) + number32(value);
}
std::string streams_max(uint32_t n) {
    return setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, n);
}
std::string field(const std::string& name, const std::string& value) {
    return std::string(1, '\0') + static_cast<char>(name.size()) + name + static_cast<char>(value.size()) + value;
}
std::string status(int code) {
    return "\x08\x03" + std::to_string(code);
}
std::string answer_frames(int32_t stream, std::string_view head = k200) {
    return frame(Frame::Headers, kEndHeaders | kEndStream, stream, head);
}
std::string goaway(int32_t last, uint32_t code = 0, std::string_view debug = {}) {
    return frame(Frame::GoAway, 0, 0, number32(static_cast<uint32_t>(last)) + number32(code) + std::string(debug));
}
std::string reset(int32_t stream, uint32_t code) {
    return frame(Frame::Reset, 0, stream, number32(code));
}

// A server's side of HTTP/2, as far as the tests need it.
class Peer {
public:
    using Seen = std::function<void(const std::string& path)>;
    Peer(RawPeer& raw, Seen seen) : raw_(raw), seen_(std::move(seen)) {
        nghttp2_hd_inflater* made = nullptr;
        nghttp2_hd_inflate_new(&made);
        inflater_.reset(made);
    }
    RawPeer& raw() { return raw_; }
    bool say(std::string_view bytes) { return raw_.write(bytes); }
    bool greet(const std::string& settings) {
        return !raw_.read_bytes(24).empty() && say(frame(Frame::Settings, 0, 0, settings));
    }
    // The stream of the next request whose head has come; 0: the connection ended. Bodies need no attention.
    int32_t next() {
        while (true) {
            const std::string head = raw_.read_bytes(kFrameHeadBytes);
            if (head.empty()) return 0;
            const FrameHead got = read_frame_head(head.data());
            const std::string payload = got.length == 0 ? "" : raw_.read_bytes(got.length);
            if (payload.size() != got.length) return 0;
            if (got.is(Frame::Settings) && !got.has(kAck)) say(frame(Frame::Settings, kAck, 0));
            if (!got.is(Frame::Headers)) continue;
            seen_(path_in(payload));
            return got.stream;
        }
    }
    std::vector<int32_t> take(int n) {
        std::vector<int32_t> streams;
        for (int32_t stream = 0; n > 0 && (stream = next()) != 0; --n) streams.push_back(stream);
        return streams;
    }
    void serve() {
        for (int32_t stream = 0; (stream = next()) != 0;) say(answer_frames(stream));
    }

private:
    std::string path_in(const std::string& block) {
        std::string path;
        const auto* at = reinterpret_cast<const uint8_t*>(block.data());
        size_t left = block.size();
        for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
            nghttp2_nv nv{};
            const ssize_t n = nghttp2_hd_inflate_hd2(inflater_.get(), &nv, &flags, at, left, 1);
            if (n < 0) return "undecodable";
            at += n;
            left -= static_cast<size_t>(n);
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && nv.namelen == 5 && std::memcmp(nv.name, ":path", 5) == 0)
                path.assign(reinterpret_cast<const char*>(nv.value), nv.valuelen);
        }
        nghttp2_hd_inflate_end_headers(inflater_.get());
        return path;
    }

    RawPeer& raw_;
    Seen seen_;
    std::unique_ptr<nghttp2_hd_inflater, FreeWith<nghttp2_hd_inflate_del>> inflater_;
};

// What must become of the nine requests that the first connection took.
struct Fate {
    int answered = 0, unknown = 0, replayed = 0;  // replayed ones are answered in the end
    int status = 200;
};
constexpr Fate kAllAnswered{kTaken, 0, 0, 200}, kAllUnknown{0, kTaken, 0, 200}, kAllReplayed{0, 0, kTaken, 200};

struct Fault {
    const char* what;
    Fate fate;
    std::function<void(Peer&)> act;  // after nine requests came; the connection ends when it returns
    const char* settings = "";       // "none": SETTINGS are not sent
};

// Each stream's answer is `made(stream)`; then the connection goes on as it should.
std::function<void(Peer&)> each(std::function<std::string(int32_t)> made) {
    return [made = std::move(made)](Peer& peer) {
        for (int i = 0; i < kTaken; ++i) peer.say(made(2 * i + 1));
        peer.serve();
    };
}
std::function<void(Peer&)> say_and_wait(std::string bytes) {
    return [bytes = std::move(bytes)](Peer& peer) {
        peer.say(bytes);
        peer.raw().wait();
    };
}
std::string repeated(const std::string& text, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
}

std::vector<Fault> lost_connections() {
    return {
        {"TCP reset", kAllUnknown, [](Peer& p) { p.raw().reset(); }},
        {"closed in order", kAllUnknown, [](Peer& p) { p.raw().finish(); }},
        {"closed in order before SETTINGS", kAllReplayed, [](Peer& p) { p.raw().finish(); }, "none"},
        {"cut off", kAllUnknown, [](Peer&) {}},
        {"cut off before SETTINGS", {0, kRequests, 0, 200}, [](Peer&) {}, "none"},
        {"cut off inside a frame", kAllUnknown, [](Peer& p) { p.say(answer_frames(1).substr(0, 5)); }},
        {"black hole", kAllUnknown, [](Peer& p) { p.raw().wait(); }},
        {"answers nothing but PING", kAllUnknown, say_and_wait(frame(Frame::Ping, 0, 0, "8 bytes!"))},
        {"a head, then reset",
         {kTaken, 0, 0, 200},
         [](Peer& p) {
             for (int i = 0; i < kTaken; ++i) p.say(frame(Frame::Headers, kEndHeaders, 2 * i + 1, k200));
             std::this_thread::sleep_for(50ms);  // a reset would overtake what is under way
             p.raw().reset();
         }},
    };
}

std::vector<Fault> going_away() {
    const std::string first_five = [] {
        std::string all;
        for (int32_t stream = 1; stream <= 9; stream += 2) all += answer_frames(stream);
        return all;
    }();
    return {
        {"GOAWAY 0", kAllReplayed, say_and_wait(goaway(0))},
        {"GOAWAY 0, ENHANCE_YOUR_CALM", kAllReplayed, say_and_wait(goaway(0, 11, "too_many_pings"))},
        {"GOAWAY 0, then closed", kAllReplayed,
         [](Peer& p) {
             p.say(goaway(0, 0, "{\"reason\":\"Shutdown\"}"));
             p.raw().finish();
         }},
        {"GOAWAY in the middle", {5, 0, 4, 200}, say_and_wait(goaway(9) + first_five)},
        {"GOAWAY in the middle, answers first", {5, 0, 4, 200}, say_and_wait(first_five + goaway(9))},
        {"GOAWAY in the middle, then cut off", {0, 5, 4, 200}, [](Peer& p) { p.say(goaway(9)); }},
        {"GOAWAY in two steps", {5, 0, 4, 200}, say_and_wait(goaway(INT32_MAX) + goaway(9) + first_five)},
        {"GOAWAY after the last, all answered", kAllAnswered,
         [](Peer& p) {
             p.say(goaway(INT32_MAX));
             for (int i = 0; i < kTaken; ++i) p.say(answer_frames(2 * i + 1));
             p.raw().wait();
         }},
        {"503, then GOAWAY",
         {kTaken, 0, 0, 503},
         [](Peer& p) {
             for (int i = 0; i < kTaken; ++i) p.say(answer_frames(2 * i + 1, status(503)));
             p.say(goaway(17, 0, "{\"reason\":\"Shutdown\"}"));
             p.raw().wait();
         }},
        {"GOAWAY that takes back another", {0, 5, 4, 200}, say_and_wait(goaway(9) + goaway(17))},
    };
}

std::vector<Fault> streams() {
    return {
        {"RST REFUSED_STREAM", kAllReplayed, each([](int32_t s) { return reset(s, NGHTTP2_REFUSED_STREAM); })},
        {"RST INTERNAL_ERROR", kAllUnknown, each([](int32_t s) { return reset(s, NGHTTP2_INTERNAL_ERROR); })},
        {"RST CANCEL", kAllUnknown, each([](int32_t s) { return reset(s, NGHTTP2_CANCEL); })},
        {"RST STREAM_CLOSED", kAllUnknown, each([](int32_t s) { return reset(s, NGHTTP2_STREAM_CLOSED); })},
        {"a head, then RST", kAllAnswered, each([](int32_t s) {
             return frame(Frame::Headers, kEndHeaders, s, k200) + reset(s, NGHTTP2_INTERNAL_ERROR);
         })},
        {"a head, then RST REFUSED_STREAM", kAllAnswered, each([](int32_t s) {
             return frame(Frame::Headers, kEndHeaders, s, k200) + reset(s, NGHTTP2_REFUSED_STREAM);
         })},
        {"answered twice", kAllAnswered, each([](int32_t s) { return answer_frames(s) + answer_frames(s); })},
        {"RST after the answer", kAllAnswered, each([](int32_t s) {
             return answer_frames(s) + reset(s, NGHTTP2_NO_ERROR) + reset(s, NGHTTP2_REFUSED_STREAM);
         })},
        {"no status", kAllUnknown, each([](int32_t s) { return answer_frames(s, field("x", "y")); })},
        {"two statuses, of which the first counts", kAllAnswered,
         each([](int32_t s) { return answer_frames(s, "\x88\x89"); })},
        {"101", kAllUnknown, each([](int32_t s) { return answer_frames(s, status(101)); })},
        {"DATA before the head", kAllUnknown, each([](int32_t s) { return frame(Frame::Data, kEndStream, s, "x"); })},
        {"interim answers first", kAllAnswered,
         each([](int32_t s) { return frame(Frame::Headers, kEndHeaders, s, status(103)) + answer_frames(s); })},
        {"trailers", kAllAnswered, each([](int32_t s) {
             return frame(Frame::Headers, kEndHeaders, s, k200) + frame(Frame::Data, 0, s, "x") +
                    answer_frames(s, field("x", "y"));
         })},
        {"padding, empty DATA, frames of other kinds", kAllAnswered, each([](int32_t s) {
             return frame(Frame::Headers, kEndHeaders | kPadded, s, std::string("\x02\x88\0\0", 4)) +
                    frame(Frame::Data, 0, s) + frame(Frame::Priority, 0, s, "12345") +
                    frame(static_cast<Frame>(0xfa), 0xff, s, "grease") + frame(Frame::Data, kEndStream, s, "x");
         })},
        {"a head in many frames", kAllAnswered, each([](int32_t s) {
             return frame(Frame::Headers, kEndStream, s, "\x08") + frame(Frame::Continuation, 0, s, "\x03") +
                    frame(Frame::Continuation, 0, s) + frame(Frame::Continuation, kEndHeaders, s, "200");
         })},
        {"another length than it said", kAllAnswered, each([](int32_t s) {
             return frame(Frame::Headers, kEndHeaders, s, std::string(k200) + field("content-length", "9")) +
                    frame(Frame::Data, kEndStream, s, "four");
         })},
        {"a list of fields that is too long, behind a status", kAllAnswered, each([](int32_t s) {
             std::string head(k200);
             const std::string flood = repeated(field("x-flood", std::string(100, 'f')), 140);
             const std::string more = repeated(field("x-flood", std::string(100, 'f')), 140);
             return frame(Frame::Headers, kEndStream, s, head + flood) + frame(Frame::Continuation, 0, s, more) +
                    frame(Frame::Continuation, kEndHeaders, s, more);
         })},
        {"slowly, byte by byte", kAllAnswered,
         [](Peer& p) {
             for (int i = 0; i < kTaken; ++i) {
                 for (const char c : answer_frames(2 * i + 1)) p.say({&c, 1});
             }
             p.serve();
         }},
    };
}

std::vector<Fault> whole_connections() {
    const auto flood = [](const std::string& unit) {
        return [unit](Peer& p) {
            const std::string many = repeated(unit, 1000);
            for (int i = 0; i < 200 && p.say(many); ++i) {
            }
            p.raw().wait();
        };
    };
    return {
        {"garbage", kAllUnknown, say_and_wait("HTTP/1.1 400 Bad Request\r\n\r\n")},
        {"a frame that is too long", kAllUnknown, say_and_wait(std::string("\x01\0\0\0\0\0\0\0\x01", 9))},
        {"HEADERS of an even stream", kAllUnknown, say_and_wait(answer_frames(2))},
        {"HEADERS of a stream nobody opened", kAllUnknown, say_and_wait(answer_frames(1001))},
        {"PUSH_PROMISE", kAllUnknown,
         say_and_wait(frame(Frame::PushPromise, kEndHeaders, 1, number32(2) + std::string(k200)))},
        {"HPACK that cannot be decoded", kAllUnknown, say_and_wait(answer_frames(1, "\xff"))},
        {"a head that never ends", kAllUnknown,
         [](Peer& p) {
             p.say(frame(Frame::Headers, 0, 1, field("x", "y")));
             const std::string more = frame(Frame::Continuation, 0, 1, repeated(field("x", "y"), 2000));
             for (int i = 0; i < 100 && p.say(more); ++i) {
             }
             p.raw().wait();
         }},
        {"a table size bomb", kAllUnknown, say_and_wait(answer_frames(1, "\x3f\xff\xff\xff\xff\x7f"))},
        {"SETTINGS without end", kAllUnknown, flood(frame(Frame::Settings, 0, 0, streams_max(10)))},
        {"PING without end", kAllUnknown, flood(frame(Frame::Ping, 0, 0, "8 bytes!"))},
        {"a window that overflows", kAllUnknown, say_and_wait(frame(Frame::Window, 0, 0, number32(INT32_MAX)))},
        {"SETTINGS that cannot be", kAllUnknown,
         say_and_wait(frame(Frame::Settings, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1u << 31)))},
    };
}

std::vector<Fault> limits() {
    const auto shrink_and_grow = [](uint32_t to) {
        return [to](Peer& p) {
            p.say(frame(Frame::Settings, 0, 0, streams_max(to)));
            for (int i = 0; i < kTaken; ++i) p.say(answer_frames(2 * i + 1));
            p.say(frame(Frame::Settings, 0, 0, streams_max(10)));
            p.serve();
        };
    };
    return {
        {"the limit shrinks to 1", kAllAnswered, shrink_and_grow(1)},
        {"the limit shrinks to 0", kAllAnswered, shrink_and_grow(0)},
        {"the limit goes up and down", kAllAnswered,
         [](Peer& p) {
             for (const uint32_t n : {0u, 1000u, 1u, 10u}) p.say(frame(Frame::Settings, 0, 0, streams_max(n)));
             for (int i = 0; i < kTaken; ++i) p.say(answer_frames(2 * i + 1));
             p.serve();
         }},
        {"the header table shrinks to 0 and grows", kAllAnswered,
         [](Peer& p) {
             for (const uint32_t n : {0u, 4096u, 0u})
                 p.say(frame(Frame::Settings, 0, 0, setting(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, n)));
             for (int i = 0; i < kTaken; ++i) p.say(answer_frames(2 * i + 1));
             for (int32_t stream = 0; (stream = p.next()) != 0;) p.say(answer_frames(stream));
         }},
        {"no window for bodies, ever", kAllUnknown, [](Peer& p) { p.raw().wait(); }, "window"},
        {"no window for bodies, answers nevertheless", kAllAnswered, each([](int32_t s) { return answer_frames(s); }),
         "window"},
        {"a window for bodies after a while", kAllAnswered,
         [](Peer& p) {
             p.say(frame(Frame::Settings, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1)));
             p.say(frame(Frame::Settings, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 60'000)));
             for (int i = 0; i < kTaken; ++i) p.say(answer_frames(2 * i + 1));
             p.serve();
         },
         "window"},
    };
}

}  // namespace

class AFaultyHttp2Peer : public EngineRig {
protected:
    void check(const std::vector<Fault>& faults) {
        for (const bool nghttp2_frames : {false, true}) {
            for (const Fault& fault : faults) {
                SCOPED_TRACE(std::string(fault.what) + (nghttp2_frames ? ", nghttp2's frames" : ""));
                check(fault, nghttp2_frames);
            }
        }
    }

private:
    struct Journal {
        void note(int connection, const std::string& path) {
            const std::lock_guard lock(mutex);
            ++times[path];
            if (connection == 0) first.insert(path);
        }
        std::mutex mutex;
        std::map<std::string, int> times;
        std::set<std::string> first;  // on the first connection
    };

    static void serve(RawPeer& raw, const Fault& fault, Journal& journal) {
        const int number = raw.number();
        Peer peer(raw, [&, number](const std::string& path) { journal.note(number, path); });
        if (number > 0) {
            if (peer.greet(streams_max(10))) peer.serve();
            return;
        }
        const std::string kind = fault.settings;
        if (kind == "none") {
            if (!raw.read_bytes(24 + kFrameHeadBytes).empty()) fault.act(peer);
            return;
        }
        std::string settings = streams_max(10);
        if (kind == "window") settings += setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0);
        if (!peer.greet(settings)) return;
        if (peer.take(kTaken).size() == kTaken) fault.act(peer);
    }

    void check(const Fault& fault, bool nghttp2_frames) {
        Journal journal;
        RawScript script;
        script.ca = &ca_;
        script.alpn = "h2";
        script.serve = [&](RawPeer& raw) { serve(raw, fault, journal); };
        RawServer server(std::move(script));
        EngineOptions options;
        options.nghttp2_frames = nghttp2_frames;
        const auto engine = make(options);
        EndpointConfig config;
        config.url = server.url();
        config.ca_file = ca_.file();
        config.connections_max = 1;
        const bool blind = std::string(fault.settings) == "none";
        config.wait_settings = !blind;  // the first connection takes nine then, not what is assumed before SETTINGS
        const Plan plan = plan_for(*engine->add_endpoint(config));
        Batch batch(plan, kRequests);
        batch.portion.unsent_until_mono_ns = in(30s);
        batch.portion.answer_timeout_ns = 400 * kNsPerMs;
        submit(*engine, batch);
        ASSERT_TRUE(batch.wait(30s));
        engine->stop(0);
        expect(fault, batch, journal, blind);
    }

    void expect(const Fault& fault, Batch& batch, Journal& journal, bool blind) {
        const Fate& fate = fault.fate;
        EXPECT_EQ(batch.completions(), 1);
        EXPECT_EQ(batch.portion.finished.load(), kRequests);
        size_t unknown = batch.count(Transport::Unknown), answered = batch.count(Transport::Answered);
        EXPECT_EQ(unknown, static_cast<size_t>(fate.unknown));
        EXPECT_EQ(answered, kRequests - unknown);
        EXPECT_EQ(batch.count(Transport::Answered, 200), fate.status == 200 ? answered : answered - kTaken);
        EXPECT_EQ(batch.exceptions(), static_cast<int>(kRequests - batch.count(Transport::Answered, 200)));
        const std::lock_guard lock(journal.mutex);
        size_t repeated_n = 0;
        for (const auto& [path, times] : journal.times) {
            EXPECT_LE(times, 2) << path;
            EXPECT_TRUE(times == 1 || journal.first.contains(path)) << path;
            repeated_n += times > 1;
        }
        EXPECT_EQ(journal.times.size(), blind ? answered : kRequests);
        EXPECT_EQ(repeated_n, blind ? 0u : static_cast<size_t>(fate.replayed));  // a blind one did not look
    }
};

TEST_F(AFaultyHttp2Peer, ThatLosesItsConnectionLeavesNothingInDoubtThatNeedNotBe) {
    check(lost_connections());
}
TEST_F(AFaultyHttp2Peer, ThatGoesAwayIsAnsweredForWhatItDidNotTake) {
    check(going_away());
}
TEST_F(AFaultyHttp2Peer, ThatSpoilsStreamsSpoilsThoseOnly) {
    check(streams());
}
TEST_F(AFaultyHttp2Peer, ThatBreaksTheProtocolLosesItsConnection) {
    check(whole_connections());
}
TEST_F(AFaultyHttp2Peer, MayChangeItsLimitsAtAnyTime) {
    check(limits());
}

}  // namespace belfry::http
