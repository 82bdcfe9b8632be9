// SPDX-License-Identifier: Apache-2.0
// What a peer may change in the middle of a connection, and what we allow it: tables, frames, heads, windows, its going
// away. nghttp2 reads what comes of it.
#include "http/hpack_encoder.h"
#include "http/session_rig.h"

namespace belfry::http {
namespace {

using namespace session_rig;

std::string produced(Session& session) {
    Output out;
    EXPECT_TRUE(session.produce(out, 1 << 20));
    return std::string(out.view());
}

std::vector<std::pair<FrameHead, std::string>> frames_of(std::string_view said) {
    if (said.substr(0, 3) == "PRI") said.remove_prefix(24);
    std::vector<std::pair<FrameHead, std::string>> frames;
    while (!said.empty()) {
        const FrameHead head = read_frame_head(said.data());
        frames.emplace_back(head, said.substr(kFrameHeadBytes, head.length));
        said.remove_prefix(kFrameHeadBytes + head.length);
    }
    return frames;
}

// Requests of one plan over one session, each read by nghttp2's server at once.
class APlan : public ::testing::Test {
protected:
    // Bytes of the request's coded head.
    size_t send() {
        const std::vector<HeadField> fields = {{"authorization", credential_, false, true},
                                               {"apns-topic", "com.example.app"},
                                               {"apns-push-type", "alert"}};
        const std::string path = "/3/device/" + std::to_string(1000 + sent_++);
        heard_.answers.clear();
        const int32_t id = session_->open(0, head_of(path, 0, fields, plan_));
        const std::string said = produced(*session_);
        server_.hear(said);
        EXPECT_EQ(server_.requests[id].fields, with_pseudo(path, fields));
        EXPECT_EQ(server_.requests[id].never_indexed, std::set<std::string>{"authorization"});
        last_said_ = said;
        server_.talk(*session_);
        EXPECT_EQ(heard_.answers[0].end, StreamEnd::Complete);
        for (const auto& [head, payload] : frames_of(said)) {
            if (head.is(Frame::Headers)) return payload.size();
        }
        return 0;
    }
    void set(nghttp2_settings_id id, uint32_t value) {
        server_.set({{id, value}});
        server_.talk(*session_);
    }

    Heard heard_;
    Server server_;
    std::unique_ptr<Session> session_ = make_direct_session(heard_, nullptr);
    uint64_t plan_ = 1;
    std::string credential_ = "bearer first";
    int sent_ = 0;
    std::string last_said_;
};

TEST_F(APlan, IsWrittenInFullWhileThePeerHasNoTableAndShortWhenItHasOneAgain) {
    const size_t first = send(), repeated = send();
    EXPECT_LT(repeated + 30, first);
    EXPECT_EQ(send(), repeated);
    set(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0);
    const size_t told = send(), bare = send();
    EXPECT_EQ(told, bare + 1) << "RFC 7541 4.2: the new size is said once";
    EXPECT_GT(bare, repeated + 30);
    EXPECT_EQ(send(), bare);
    set(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 100);
    for (int i = 0; i < 3; ++i) EXPECT_GT(send(), repeated) << "a small table holds some of it at most";
    set(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 1 << 20);
    send();
    send();
    EXPECT_EQ(send(), repeated);
}

TEST_F(APlan, CarriesANewCredentialAtOnceAndNeverTheOldOneAgain) {
    send();
    const size_t repeated = send();
    credential_ = "bearer other";
    ++plan_;
    EXPECT_EQ(send(), repeated) << "only the credential is coded anew";
    EXPECT_EQ(last_said_.find("bearer first"), std::string::npos);
    EXPECT_NE(last_said_.find("bearer other"), std::string::npos);
    EXPECT_EQ(send(), repeated);
    EXPECT_EQ(last_said_.find("bearer first"), std::string::npos);
}

TEST_F(APlan, IsSentWhateverThePeerSaysAboutTheLengthOfHeads) {
    set(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 10);  // advice, RFC 9113 6.5.2: it answers 431 if it means it
    EXPECT_GT(send(), 0u);
}

TEST(DirectSessionLimits, AreToldToThePeer) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server;
    ASSERT_NO_FATAL_FAILURE(server.talk(*session));
    EXPECT_EQ(server.told(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE), kAnswerHeadMax);
    EXPECT_EQ(server.told(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), kStreamWindow);
    EXPECT_EQ(server.told(NGHTTP2_SETTINGS_MAX_FRAME_SIZE), kDefaultFrame);
    EXPECT_EQ(server.told(NGHTTP2_SETTINGS_ENABLE_PUSH), 0u);
}

TEST(DirectSessionLimits, FramesStayShortHoweverLongThePeerWouldTakeThem) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server({{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, (1u << 24) - 1}});
    server.talk(*session);
    const std::string path = "/" + std::string(30'000, 'p');
    heard.bodies[0] = std::string(60'000, 'b');
    session->open(0, head_of(path, heard.bodies[0].size()));
    const std::string said = produced(*session);
    for (const auto& [head, payload] : frames_of(said)) EXPECT_LE(head.length, kDefaultFrame);
    server.hear(said);
    EXPECT_EQ(server.requests[1].fields, with_pseudo(path, {}));
    EXPECT_EQ(server.requests[1].body, heard.bodies[0]);
}

// One field of `bytes` and a second one that goes into the table; counted as RFC 9113 6.5.2 says.
std::string long_answer(HpackEncoder& encoder, int32_t stream, size_t bytes) {
    const size_t others = (7 + 3 + 32) + (6 + 7 + 32);
    Output block;
    encoder.field(":status", "200", HpackEncoder::Kind::Shared, block);
    encoder.field("server", "nghttp2", HpackEncoder::Kind::Shared, block);
    encoder.field("x", std::string(bytes - others - 1 - 32, 'x'), HpackEncoder::Kind::Varies, block);
    std::string_view left = block.view();
    std::string frames;
    for (Frame type = Frame::Headers; !left.empty(); type = Frame::Continuation) {
        const std::string_view part = left.substr(0, kDefaultFrame);
        left.remove_prefix(part.size());
        const uint8_t last = left.empty() ? kEndHeaders : uint8_t{0};
        frames += frame(type, type == Frame::Headers ? uint8_t(last | kEndStream) : last, stream, part);
    }
    return frames;
}

TEST(DirectSessionLimits, AHeadThatIsTooLongCostsItsStreamAndTheTableGoesOn) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    HpackEncoder encoder;
    for (uint32_t slot = 0; slot < 3; ++slot) session->open(slot, head_of("/", 0));
    produced(*session);
    ASSERT_TRUE(session->consume(kHello));
    ASSERT_TRUE(session->consume(long_answer(encoder, 1, kAnswerHeadMax + 1)));
    EXPECT_EQ(heard.answers[0].end, StreamEnd::Reset);
    EXPECT_EQ(heard.answers[0].ends, 1);
    EXPECT_NE(produced(*session).find(frame(Frame::Reset, 0, 1, be32(NGHTTP2_PROTOCOL_ERROR))), std::string::npos);
    for (const int32_t stream : {3, 5}) {
        ASSERT_TRUE(session->consume(long_answer(encoder, stream, kAnswerHeadMax)));
        const Heard::Answer& answer = heard.answers[static_cast<uint32_t>(stream / 2)];
        EXPECT_EQ(answer.end, StreamEnd::Complete);
        ASSERT_EQ(answer.fields.size(), 2u);
        EXPECT_EQ(answer.fields[0].second, "nghttp2") << "which the refused head had put there";
    }
}

// A session whose bodies wait for windows; what it writes is read by nghttp2.
class Windows : public ::testing::Test {
protected:
    void open(uint32_t slot, size_t bytes) {
        heard_.bodies[slot] = std::string(bytes, static_cast<char>('a' + slot));
        session_->open(slot, head_of("/", bytes));
    }
    void say(const std::string& frames) {
        const Status fed = session_->consume(frames);
        ASSERT_TRUE(fed) << fed.error().message;
    }
    void initial(uint32_t window) {
        say(frame(Frame::Settings, 0, 0, setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window)));
    }
    void more(int32_t stream, uint32_t bytes) { say(frame(Frame::Window, 0, stream, be32(bytes))); }
    // Bytes of the body that the peer has by now.
    size_t body(uint32_t slot) {
        server_.hear(produced(*session_));
        server_.say_nothing();
        const std::string& got = server_.requests[static_cast<int32_t>(2 * slot + 1)].body;
        EXPECT_EQ(got, heard_.bodies[slot].substr(0, got.size()));
        return got.size();
    }
    bool complete(uint32_t slot) { return server_.requests[static_cast<int32_t>(2 * slot + 1)].complete; }

    Heard heard_;
    Server server_;
    std::unique_ptr<Session> session_ = make_direct_session(heard_, nullptr);
};

TEST_F(Windows, OfZeroLetHeadsThroughAndNothingElse) {
    initial(0);
    for (uint32_t slot = 0; slot < 3; ++slot) open(slot, 1000);
    for (uint32_t slot = 0; slot < 3; ++slot) EXPECT_EQ(body(slot), 0u);
    EXPECT_EQ(server_.requests.size(), 3u);
    more(3, 5);
    EXPECT_EQ(body(1), 5u);
    EXPECT_EQ(body(0), 0u);
    more(5, 1000);
    EXPECT_EQ(body(2), 1000u);
    EXPECT_TRUE(complete(2));
    EXPECT_FALSE(complete(1));
    open(3, 0);  // without a body it needs no window
    body(3);
    EXPECT_TRUE(complete(3));
    initial(1000);
    EXPECT_EQ(body(0), 1000u);
    EXPECT_EQ(body(1), 1000u);
    EXPECT_TRUE(complete(0) && complete(1));
}

TEST_F(Windows, BelowZeroAreFilledUpBeforeMoreIsSent) {
    say(kHello);
    open(0, 100'000);
    EXPECT_EQ(body(0), kDefaultWindow);
    initial(10);
    EXPECT_EQ(body(0), kDefaultWindow);
    more(0, 1'000'000);
    EXPECT_EQ(body(0), kDefaultWindow);
    more(1, kDefaultWindow - 10);
    EXPECT_EQ(body(0), kDefaultWindow) << "zero, at last";
    more(1, 1);
    EXPECT_EQ(body(0), kDefaultWindow + 1);
    initial(20);
    EXPECT_EQ(body(0), kDefaultWindow + 11);
    initial(0);
    more(1, 20);
    EXPECT_EQ(body(0), kDefaultWindow + 11);
    open(1, 10);
    EXPECT_EQ(body(1), 0u) << "a new stream begins with what was said last";
    initial(kDefaultWindow);
    EXPECT_EQ(body(0), 100'000u);
    EXPECT_EQ(body(1), 10u);
    EXPECT_TRUE(complete(0) && complete(1));
}

TEST_F(Windows, OfTheConnectionAreSharedByAllStreams) {
    say(kHello);
    for (uint32_t slot = 0; slot < 4; ++slot) open(slot, 30'000);
    size_t sum = 0;
    for (uint32_t slot = 0; slot < 4; ++slot) sum += body(slot);
    EXPECT_EQ(sum, kDefaultWindow);
    initial(kDefaultWindow + 100'000);
    sum = 0;
    for (uint32_t slot = 0; slot < 4; ++slot) sum += body(slot);
    EXPECT_EQ(sum, kDefaultWindow) << "SETTINGS do not change it, RFC 9113 6.9.2";
    more(0, 120'000 - kDefaultWindow);
    for (uint32_t slot = 0; slot < 4; ++slot) EXPECT_EQ(body(slot), 30'000u);
}

TEST_F(Windows, OfAStreamThatIsGoneAreNobodysBusiness) {
    initial(0);
    open(0, 1000);
    open(1, 1000);
    body(0);
    session_->cancel(1);
    more(1, 1000);
    EXPECT_EQ(body(0), 0u);
    EXPECT_EQ(heard_.answers[0].ends, 1);
    more(1, 1000);
    more(3, 1000);
    EXPECT_EQ(body(1), 1000u);
    EXPECT_EQ(body(0), 0u);
}

TEST(DirectSessionLimits, StreamsBelowAGoawayAreServedToTheirEndAndOthersNotTouchedAnyMore) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}});
    ASSERT_NO_FATAL_FAILURE(server.talk(*session));
    for (uint32_t slot = 0; slot < 5; ++slot) {
        heard.bodies[slot] = std::string(10'000, static_cast<char>('a' + slot));
        session->open(slot, head_of("/", heard.bodies[slot].size()));
    }
    server.hear(produced(*session));
    for (int32_t stream = 1; stream <= 9; stream += 2) ASSERT_EQ(server.requests[stream].body.size(), 100u);
    server.go_away(5);
    ASSERT_NO_FATAL_FAILURE(server.talk(*session));
    EXPECT_EQ(heard.goaway, 5);
    for (uint32_t slot = 0; slot < 5; ++slot) {
        const Server::Request& request = server.requests[static_cast<int32_t>(2 * slot + 1)];
        const bool taken = slot < 3;
        EXPECT_EQ(request.body, heard.bodies[slot].substr(0, taken ? 10'000 : 100));
        EXPECT_EQ(heard.answers[slot].ends, 1);
        EXPECT_EQ(heard.answers[slot].end, taken ? StreamEnd::Complete : StreamEnd::Refused);
    }
    EXPECT_EQ(session->open(5, head_of("/", 0)), 0);
    EXPECT_EQ(produced(*session), "");
}

}  // namespace
}  // namespace belfry::http
