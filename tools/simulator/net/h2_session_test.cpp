// SPDX-License-Identifier: Apache-2.0
#include "net/h2_session.h"

#include <gtest/gtest.h>

#include "testing/h2_pair.h"

namespace belfry::simulator {
namespace {

using namespace std::chrono_literals;

Plan slow_answer() {
    Plan plan{{200, {}, "late"}};
    plan.before_headers = 50ms;
    return plan;
}

TEST(H2Session, AnswersRequests) {
    H2Pair pair;
    std::string seen;
    pair.scripted.script = [&](const Request& request) {
        seen = request.method + ' ' + request.path + '?' + request.query + ' ' + request.authority + ' ' + request.body;
        return Plan{{404, {{"retry-after", "7"}}, "no"}};
    };
    const auto id = pair.post("/a?b=c", "body");
    pair.exchange();
    EXPECT_EQ(seen, "POST /a?b=c localhost body");
    EXPECT_EQ(pair.answers[id].status, "404");
    EXPECT_EQ(pair.answers[id].headers["retry-after"], "7");
    EXPECT_EQ(pair.answers[id].headers["content-length"], "2");
    EXPECT_EQ(pair.answers[id].body, "no");
    EXPECT_TRUE(pair.answers[id].closed);
}

TEST(H2Session, CarriesBodiesLargerThanAWindow) {
    H2Pair pair;
    pair.scripted.script = [](const Request& request) { return Plan{{200, {}, request.body}}; };
    const std::string large(3'000'000, 'x');
    const auto id = pair.post("/", large);
    for (int i = 0; i < 60 && !pair.answers[id].closed; ++i) pair.exchange();
    EXPECT_EQ(pair.answers[id].body, large);
}

TEST(H2Session, RefusesBodiesBeyondItsBound) {
    H2Pair pair;
    const auto id = pair.post("/", std::string(kMaxRequestBody + 1, 'x'));
    for (int i = 0; i < 60 && !pair.answers[id].closed; ++i) pair.exchange();
    EXPECT_EQ(pair.answers[id].status, "413");
    EXPECT_TRUE(pair.scripted.handled.empty());
}

TEST(H2Session, EndsTheConnectionWhenTheStreamLimitIsViolated) {
    H2Pair pair;
    pair.scripted.wire.stream_limit = 3;
    pair.scripted.script = [](const Request&) { return slow_answer(); };
    pair.exchange();
    EXPECT_EQ(pair.announced_limits, std::vector<std::uint32_t>{3});
    for (int i = 0; i < 4; ++i) pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.goaway_error, 1U);
    EXPECT_EQ(pair.goaway_debug, "exceeded_max_concurrent_streams");
    EXPECT_EQ(pair.goaway_last, 5);
    EXPECT_EQ(pair.scripted.high_water, 4U);
    EXPECT_EQ(pair.scripted.events[ConnectionEvent::StreamLimitViolated], 1);
    EXPECT_TRUE(pair.server->finished());
}

TEST(H2Session, RefusesTheExcessStreamWhenToldSo) {
    H2Pair pair;
    pair.scripted.wire.stream_limit = 2;
    pair.scripted.wire.refuse_excess_streams = true;
    pair.scripted.script = [](const Request&) { return slow_answer(); };
    pair.exchange();
    pair.post("/");
    pair.post("/");
    const auto excess = pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.answers[excess].error, std::uint32_t{NGHTTP2_REFUSED_STREAM});
    EXPECT_EQ(pair.goaway_last, -1);
    pair.run_delayed();
    EXPECT_EQ(pair.answers[1].body, "late");
    EXPECT_EQ(pair.scripted.handled.size(), 2U);
    const auto later = pair.post("/");
    pair.exchange();
    pair.run_delayed();
    EXPECT_EQ(pair.answers[later].body, "late");
}

// RFC 9113 section 5.1.2: before the client has seen the limit there is no violation, only refusal.
TEST(H2Session, RefusesExcessStreamsBeforeTheFirstAcknowledgement) {
    H2Pair pair;
    pair.scripted.wire.stream_limit = 1;
    pair.scripted.script = [](const Request&) { return slow_answer(); };
    pair.post("/");
    const auto excess = pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.answers[excess].error, std::uint32_t{NGHTTP2_REFUSED_STREAM});
    EXPECT_EQ(pair.goaway_last, -1);
    EXPECT_EQ(pair.scripted.events[ConnectionEvent::StreamRefused], 1);
}

TEST(H2Session, AnnouncesANewLimitAndEnforcesItOnceAcknowledged) {
    H2Pair pair;
    pair.scripted.script = [](const Request&) { return slow_answer(); };
    pair.exchange();
    pair.scripted.wire.stream_limit = 1;
    pair.server->wire_settings_changed();
    pair.server->wire_settings_changed();
    pair.exchange();
    EXPECT_EQ(pair.announced_limits, (std::vector<std::uint32_t>{100, 1}));
    pair.post("/");
    pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.goaway_debug, "exceeded_max_concurrent_streams");
}

TEST(H2Session, RaisesTheLimitToo) {
    H2Pair pair;
    pair.scripted.wire.stream_limit = 1;
    pair.scripted.script = [](const Request&) { return slow_answer(); };
    pair.exchange();
    pair.scripted.wire.stream_limit = 500;
    pair.server->wire_settings_changed();
    pair.exchange();
    for (int i = 0; i < 500; ++i) pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.scripted.handled.size(), 500U);
    EXPECT_EQ(pair.goaway_last, -1);
}

TEST(H2Session, DelaysHeadersAndBodiesApart) {
    H2Pair pair;
    pair.scripted.script = [](const Request&) {
        Plan plan{{200, {}, "body"}};
        plan.before_headers = 10ms;
        plan.before_body = 20ms;
        return plan;
    };
    const auto id = pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.answers[id].status, "");
    ASSERT_EQ(pair.delayed.size(), 1U);
    EXPECT_EQ(pair.delayed.begin()->first, 10ms);
    const auto headers = pair.delayed.begin()->second;
    pair.delayed.clear();
    headers(*pair.server);
    pair.exchange();
    EXPECT_EQ(pair.answers[id].status, "200");
    EXPECT_EQ(pair.answers[id].body, "");
    EXPECT_FALSE(pair.answers[id].closed);
    pair.run_delayed();
    EXPECT_EQ(pair.answers[id].body, "body");
}

TEST(H2Session, ResetsStreamsWithTheCodeOfThePlan) {
    H2Pair pair;
    pair.scripted.script = [](const Request&) {
        Plan plan;
        plan.action = WireAction::ResetStream;
        plan.error_code = NGHTTP2_CANCEL;
        return plan;
    };
    const auto id = pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.answers[id].error, std::uint32_t{NGHTTP2_CANCEL});
}

TEST(H2Session, BreaksAnAnswerOffInItsMiddle) {
    H2Pair pair;
    pair.scripted.script = [](const Request&) {
        Plan plan{{404, {}, "whole"}};
        plan.action = WireAction::CutAnswer;
        plan.error_code = NGHTTP2_CANCEL;
        return plan;
    };
    const auto id = pair.post("/");
    pair.exchange();
    EXPECT_EQ(pair.answers[id].headers["content-length"], "5");
    EXPECT_EQ(pair.answers[id].body, "wh");
    EXPECT_FALSE(pair.answers[id].closed);
    pair.run_delayed();
    EXPECT_EQ(pair.answers[id].error, std::uint32_t{NGHTTP2_CANCEL});
    EXPECT_EQ(pair.answers[id].body, "wh");
}

Plan goaway(LastStream last) {
    Plan plan{{200, {}, "answered"}};
    plan.action = WireAction::Goaway;
    plan.last_stream = last;
    plan.debug = "session_timed_out";
    return plan;
}

// What lies above the last stream id of a GOAWAY must never have reached the backend, whatever shared its packet.
TEST(H2Session, ProcessesNothingAboveTheLastStreamOfItsGoaway) {
    for (const LastStream last : {LastStream::This, LastStream::Before}) {
        H2Pair pair;
        pair.exchange();
        pair.scripted.script = [&](const Request& request) {
            return request.stream == 9 ? goaway(last) : Plan{{200, {}, "answered"}};
        };
        for (int i = 0; i < 20; ++i) pair.post("/");
        pair.exchange();
        const std::int32_t expected_last = last == LastStream::This ? 9 : 7;
        EXPECT_EQ(pair.goaway_last, expected_last);
        EXPECT_EQ(pair.goaway_debug, "session_timed_out");
        EXPECT_EQ(pair.goaway_error, std::uint32_t{NGHTTP2_NO_ERROR});
        EXPECT_EQ(pair.scripted.handled.back(), 9);
        for (std::int32_t id = 1; id <= expected_last; id += 2) EXPECT_EQ(pair.answers[id].body, "answered") << id;
        for (std::int32_t id = expected_last + 2; id < 40; id += 2) {
            EXPECT_EQ(pair.answers[id].error, std::uint32_t{NGHTTP2_REFUSED_STREAM}) << id;
        }
        EXPECT_TRUE(pair.server->finished());
    }
}

TEST(H2Session, NeverDisownsALaterStreamThatWasProcessed) {
    H2Pair pair;
    pair.exchange();
    pair.scripted.script = [&](const Request& request) {
        return request.path == "/trigger" ? goaway(LastStream::Before) : Plan{{200, {}, "answered"}};
    };
    pair.post_headers_only("/unfinished");
    const auto processed = pair.post("/");
    pair.post("/trigger");
    const auto trigger = processed + 2;
    pair.exchange();
    EXPECT_EQ(pair.goaway_last, processed);
    EXPECT_EQ(pair.answers[processed].body, "answered");
    EXPECT_EQ(pair.answers[trigger].error, std::uint32_t{NGHTTP2_REFUSED_STREAM});
}

TEST(H2Session, WarnsFirstWhenTheGoawayNamesTheLargestId) {
    H2Pair pair;
    pair.exchange();
    pair.scripted.script = [&](const Request& request) {
        return request.stream == 1 ? goaway(LastStream::Max) : Plan{{200, {}, "answered"}};
    };
    const auto first = pair.post("/");
    const auto unfinished = pair.post_headers_only("/");  // or the client would not listen any more
    pair.exchange();
    EXPECT_EQ(pair.goaway_last, 0x7fffffff);
    EXPECT_EQ(pair.answers[first].body, "answered");
    pair.run_delayed();
    EXPECT_EQ(pair.goaway_last, unfinished);
    EXPECT_EQ(pair.goaway_debug, "session_timed_out");
}

TEST(H2Session, FinishesWhatRunsWhenItRetires) {
    H2Pair pair;
    pair.exchange();
    pair.scripted.script = [](const Request&) { return slow_answer(); };
    const auto id = pair.post("/");
    pair.exchange();
    pair.server->retire("max_age");
    pair.exchange();
    EXPECT_EQ(pair.goaway_debug, "max_age");
    EXPECT_FALSE(pair.server->finished());
    pair.run_delayed();
    EXPECT_EQ(pair.answers[id].body, "late");
    EXPECT_TRUE(pair.server->finished());
}

TEST(H2Session, StopsProcessingWhenTheConnectionIsToBeReset) {
    H2Pair pair;
    pair.exchange();
    pair.scripted.script = [](const Request& request) {
        Plan plan{{200, {}, ""}};
        if (request.stream == 3) plan.action = WireAction::ResetTcp;
        return plan;
    };
    for (int i = 0; i < 5; ++i) pair.post("/");
    pair.client_to_server();
    EXPECT_TRUE(pair.tcp_reset);
    EXPECT_EQ(pair.scripted.handled, (std::vector<std::int32_t>{1, 3}));
}

TEST(H2Session, EndsOnGarbage) {
    H2Pair pair;
    pair.client_to_server();
    H2Session session(pair);
    const std::string garbage = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    session.receive({reinterpret_cast<const std::uint8_t*>(garbage.data()), garbage.size()});
    std::string out;
    session.pull(out);
    EXPECT_TRUE(session.finished());
}

}  // namespace
}  // namespace belfry::simulator
