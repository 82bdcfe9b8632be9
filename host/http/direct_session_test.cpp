// SPDX-License-Identifier: Apache-2.0
// A session that writes its own frames, against nghttp2: its server reads what we wrote, its inflater the heads.
#include <random>

#include "http/session_rig.h"

namespace belfry::http {
namespace {

using namespace session_rig;

TEST(DirectSession, SaysTheSameWhetherOrNotItsTableAndItsMemoryAreUsed) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server;
    std::mt19937 random(11);
    uint64_t plan = 1;
    std::string credential = "bearer 0";
    std::map<int32_t, Fields> meant;
    for (int i = 0; i < 600; ++i) {
        if (random() % 20 == 0) credential = "bearer " + std::to_string(++plan);
        if (random() % 40 == 0)
            server.set({{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, static_cast<uint32_t>(random() % 3 * 150)}});
        const std::string topic = "topic-" + std::to_string(plan % 3) + std::string(40, 'x');
        const std::vector<HeadField> fields = {{"authorization", credential, false, true}, {"apns-topic", topic}};
        const std::string path = "/push/" + std::to_string(random());
        const std::string body = "body " + path;
        const auto slot = static_cast<uint32_t>(i % 7);
        heard.answers.erase(slot);
        heard.bodies[slot] = body;
        const int32_t id = session->open(slot, head_of(path, body.size(), fields, plan));
        ASSERT_EQ(id, 2 * i + 1);
        meant[id] = with_pseudo(path, fields);
        ASSERT_NO_FATAL_FAILURE(server.talk(*session));
        ASSERT_EQ(server.requests[id].fields, meant[id]);
        ASSERT_EQ(server.requests[id].body, body);
        ASSERT_EQ(heard.answers[slot].ends, 1);
        ASSERT_EQ(heard.answers[slot].end, StreamEnd::Complete);
        ASSERT_EQ(heard.answers[slot].status, 200);
    }
}

TEST(DirectSession, BodiesWaitForWindowsThatOpenAndShrink) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}});
    server.talk(*session);
    for (uint32_t slot = 0; slot < 5; ++slot) {
        heard.bodies[slot] = std::string(60'000 + slot, static_cast<char>('a' + slot));
        session->open(slot, head_of("/", heard.bodies[slot].size()));
        if (slot == 2) server.set({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 7}});
        ASSERT_NO_FATAL_FAILURE(server.talk(*session));
    }
    for (uint32_t slot = 0; slot < 5; ++slot) {
        EXPECT_EQ(server.requests[static_cast<int32_t>(2 * slot + 1)].body, heard.bodies[slot]);
        EXPECT_EQ(heard.answers[slot].end, StreamEnd::Complete);
    }
}

TEST(DirectSession, LongHeadsAreContinuedAndLongAnswersGetTheirWindows) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server;
    server.answer_body = std::string(5 << 20, 'y');
    const std::string path = "/" + std::string(30'000, 'p');
    for (uint32_t slot = 0; slot < 8; ++slot) session->open(slot, head_of(path, 0));
    ASSERT_NO_FATAL_FAILURE(server.talk(*session));
    EXPECT_EQ(server.requests[1].fields, with_pseudo(path, {}));
    for (uint32_t slot = 0; slot < 8; ++slot) EXPECT_EQ(heard.answers[slot].body.size(), server.answer_body.size());
}

TEST(DirectSession, ACancelledStreamIsToldOfWhileProducingAndNeverAgain) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server;
    heard.bodies[0] = "b";
    const int32_t id = session->open(0, head_of("/", 1));
    session->cancel(id);
    session->cancel(id);
    EXPECT_EQ(heard.answers[0].ends, 0);
    ASSERT_NO_FATAL_FAILURE(server.talk(*session));
    EXPECT_EQ(heard.answers[0].ends, 1);
    EXPECT_EQ(heard.answers[0].end, StreamEnd::Reset);
    EXPECT_TRUE(server.alive());
}

TEST(DirectSession, ABodyThatIsNotThereAnyMoreResetsItsStream) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    Server server;
    heard.bodies[0] = "b";
    heard.gone = true;
    session->open(0, head_of("/", 1));
    ASSERT_NO_FATAL_FAILURE(server.talk(*session));
    EXPECT_EQ(heard.answers[0].ends, 1);
    EXPECT_EQ(heard.answers[0].code, static_cast<uint32_t>(NGHTTP2_CANCEL));
    EXPECT_TRUE(server.alive());
}

TEST(DirectSession, WhatNoPeerMaySayEndsTheConnectionWithAReason) {
    const std::string eight(8, '\0');
    const std::pair<std::string, uint32_t> faults[] = {
        {frame(Frame::Data, 0, 0, "x"), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Data, 0, 3, "x"), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Data, kPadded, 1, "\x05x"), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Headers, kEndHeaders, 2, "\x88"), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Headers, kEndHeaders | kPrioritised, 1, "\x88"), NGHTTP2_FRAME_SIZE_ERROR},
        {frame(Frame::Headers, kEndHeaders, 1, "\xff"), NGHTTP2_COMPRESSION_ERROR},
        {frame(Frame::Headers, 0, 1, "\x88") + frame(Frame::Ping, 0, 0, eight), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Continuation, kEndHeaders, 1, "\x88"), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Reset, 0, 1, "abc"), NGHTTP2_FRAME_SIZE_ERROR},
        {frame(Frame::Reset, 0, 5, be32(0)), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Settings, 0, 1, {}), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Settings, 0, 0, "12345"), NGHTTP2_FRAME_SIZE_ERROR},
        {frame(Frame::Settings, kAck, 0, setting(1, 1)), NGHTTP2_FRAME_SIZE_ERROR},
        {frame(Frame::Settings, 0, 0, setting(2, 1)), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Settings, 0, 0, setting(4, 1u << 31)), NGHTTP2_FLOW_CONTROL_ERROR},
        {frame(Frame::Settings, 0, 0, setting(5, (1u << 14) - 1)), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Settings, 0, 0, setting(5, 1u << 24)), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::PushPromise, kEndHeaders, 1, be32(2) + "\x88"), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Ping, 0, 0, "7 bytes"), NGHTTP2_FRAME_SIZE_ERROR},
        {frame(Frame::Ping, 0, 1, eight), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::GoAway, 0, 0, "short"), NGHTTP2_FRAME_SIZE_ERROR},
        {frame(Frame::GoAway, 0, 0, be32(0) + be32(0)) + frame(Frame::GoAway, 0, 0, be32(1) + be32(0)),
         NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Window, 0, 0, be32(0)), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Window, 0, 0, be32(INT32_MAX)) + frame(Frame::Window, 0, 0, be32(1)), NGHTTP2_FLOW_CONTROL_ERROR},
        {frame(Frame::Window, 0, 9, be32(1)), NGHTTP2_PROTOCOL_ERROR},
        {std::string("\x01\x00\x00\x00\x00\x00\x00\x00\x00", 9), NGHTTP2_FRAME_SIZE_ERROR}};
    for (const auto& [said, code] : faults) {
        // Whole, and byte by byte.
        for (const size_t step : {said.size(), size_t{1}}) {
            Bench bench;
            Status fed;
            for (size_t at = 0; at < said.size() && fed; at += step)
                fed = bench.session->consume(said.substr(at, step));
            ASSERT_FALSE(fed) << testing::PrintToString(said);
            EXPECT_EQ(fed.error().message.rfind("HTTP/2 failed: ", 0), 0u);
            const std::string goodbye = bench.said();
            const std::string wanted = frame(Frame::GoAway, 0, 0, be32(0) + be32(code));
            ASSERT_GE(goodbye.size(), wanted.size());
            EXPECT_EQ(goodbye.substr(goodbye.size() - wanted.size()), wanted) << testing::PrintToString(said);
            EXPECT_TRUE(bench.session->ended());
        }
    }
}

TEST(DirectSession, APeerBeginsWithSettings) {
    Heard heard;
    const auto session = make_direct_session(heard, nullptr);
    EXPECT_FALSE(session->consume(frame(Frame::Ping, 0, 0, std::string(8, '\0'))));
}

TEST(DirectSession, AMalformedAnswerResetsItsStreamOnly) {
    const std::string good = "\x88";
    const std::pair<std::string, uint32_t> answers[] = {
        {frame(Frame::Data, 0, 1, "x"), NGHTTP2_PROTOCOL_ERROR},                            // no head
        {frame(Frame::Headers, kEndHeaders, 1, "\x10\x01x\x01y"), NGHTTP2_PROTOCOL_ERROR},  // no status
        {frame(Frame::Headers, kEndHeaders, 1, good + good), NGHTTP2_PROTOCOL_ERROR},       // two
        {frame(Frame::Headers, kEndHeaders, 1, "\x08\x03xyz"), NGHTTP2_PROTOCOL_ERROR},     // no number
        {frame(Frame::Headers, kEndHeaders, 1,
               "\x08\x03"
               "101"),
         NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Headers, kEndHeaders | kEndStream, 1,
               "\x08\x03"
               "103"),
         NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Headers, kEndHeaders, 1, good + "\x10\x01X\x01y"), NGHTTP2_PROTOCOL_ERROR},  // upper case
        {frame(Frame::Headers, kEndHeaders, 1, good + "\x10\x07upgrade\x01y"), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Headers, kEndHeaders, 1, good) + frame(Frame::Headers, kEndHeaders, 1, "\x10\x01x\x01y"),
         NGHTTP2_PROTOCOL_ERROR},  // trailers that do not end
        {frame(Frame::Headers, kEndHeaders, 1,
               good + "\x0f\x0d\x01"
                      "2") +
             frame(Frame::Data, kEndStream, 1, "x"),
         NGHTTP2_PROTOCOL_ERROR},  // shorter than content-length
        {frame(Frame::Window, 0, 1, be32(0)), NGHTTP2_PROTOCOL_ERROR},
        {frame(Frame::Window, 0, 1, be32(INT32_MAX)) + frame(Frame::Window, 0, 1, be32(1)),
         NGHTTP2_FLOW_CONTROL_ERROR}};
    for (const auto& [said, code] : answers) {
        Bench bench;
        ASSERT_TRUE(bench.session->consume(said)) << testing::PrintToString(said);
        EXPECT_EQ(bench.heard.answers[0].ends, 1) << testing::PrintToString(said);
        EXPECT_EQ(bench.heard.answers[0].end, StreamEnd::Reset);
        EXPECT_EQ(bench.heard.answers[0].code, code);
        EXPECT_NE(bench.said().find(frame(Frame::Reset, 0, 1, be32(code))), std::string::npos);
        EXPECT_NE(bench.session->open(0, head_of("/", 0)), 0);
    }
}

TEST(DirectSession, AnswersComeWholeWhateverTheirFrames) {
    const std::string answer = frame(Frame::Headers, kEndHeaders, 1,
                                     "\x08\x03"
                                     "103") +
                               frame(Frame::Headers, kPadded, 1, std::string("\x02\x88\0\0", 4)) +
                               frame(Frame::Continuation, kEndHeaders, 1, "\x10\x01x\x01y") +
                               frame(Frame(77), 0, 1, "unknown") + frame(Frame::Priority, 0, 1, "12345") +
                               frame(Frame::Data, kPadded, 1,
                                     std::string("\x01"
                                                 "body\0",
                                                 6)) +
                               frame(Frame::Headers, kEndHeaders | kEndStream, 1, "\x10\x01t\x01z");
    for (const size_t step : {answer.size(), size_t{1}, size_t{5}, size_t{13}}) {
        Bench bench;
        for (size_t at = 0; at < answer.size(); at += step)
            ASSERT_TRUE(bench.session->consume(answer.substr(at, step)));
        const Heard::Answer& got = bench.heard.answers[0];
        EXPECT_EQ(got.status, 200);
        EXPECT_EQ(got.body, "body");
        EXPECT_EQ(got.fields, (Fields{{"x", "y"}, {"t", "z"}}));
        EXPECT_EQ(got.end, StreamEnd::Complete);
        // The request's body was not sent to its end.
        EXPECT_NE(bench.said().find(frame(Frame::Reset, 0, 1, be32(NGHTTP2_CANCEL))), std::string::npos);
    }
}

TEST(DirectSession, GoawayRefusesWhatIsAboveItAndNothingIsOpenedAnyMore) {
    Bench bench;
    bench.session->open(1, head_of("/", 0));
    ASSERT_TRUE(bench.session->consume(frame(Frame::GoAway, 0, 0, be32(1) + be32(0) + "why")));
    EXPECT_EQ(bench.heard.goaway, 1);
    EXPECT_EQ(bench.heard.answers[0].ends, 0);
    EXPECT_EQ(bench.heard.answers[1].end, StreamEnd::Refused);
    EXPECT_EQ(bench.session->open(2, head_of("/", 0)), 0);
}

TEST(DirectSession, AFloodOfControlFramesIsBounded) {
    Bench bench;
    const std::string ping = frame(Frame::Ping, 0, 0, std::string(8, 'p'));
    int taken = 0;
    while (taken < 100'000 && bench.session->consume(ping)) ++taken;
    EXPECT_GT(taken, 500);
    EXPECT_LT(taken, 2000);
}

TEST(DirectSession, MoreDataThanWasAllowedIsRefused) {
    Bench bench;
    ASSERT_TRUE(bench.session->consume(frame(Frame::Headers, kEndHeaders, 1, "\x88")));
    const std::string data = frame(Frame::Data, 0, 1, std::string(16'384, 'd'));
    for (int i = 0; i < 40; ++i) ASSERT_TRUE(bench.session->consume(data));
    EXPECT_EQ(bench.heard.answers[0].body.size(), 40u * 16'384);
    EXPECT_NE(bench.said().find(frame(Frame::Window, 0, 1, be32(32 * 16'384))), std::string::npos);
}

}  // namespace
}  // namespace belfry::http
