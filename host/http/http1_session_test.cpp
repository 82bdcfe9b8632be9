// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as bytes: what a request looks like, and what becomes of every kind of answer.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "http/session.h"

namespace belfry::http {
namespace {

// Hears what a connection would.
class Heard final : public SessionListener {
public:
    std::string said;  // "200|date=x|body|end"
    uint32_t limit = 99;
    std::string request_body;

    void on_status(uint32_t, int status) noexcept override { said += std::to_string(status) + "|"; }
    void on_field(uint32_t, std::string_view name, std::string_view value) noexcept override {
        said.append(name).append("=").append(value).append("|");
    }
    void on_body(uint32_t, std::string_view bytes) noexcept override { said.append(bytes); }
    void on_end(uint32_t, StreamEnd end, uint32_t) noexcept override {
        said += end == StreamEnd::Complete ? "|end" : end == StreamEnd::Refused ? "|refused" : "|reset";
    }
    void on_peer_settings(uint32_t streams_max) noexcept override { limit = streams_max; }
    void on_goaway(int32_t, uint32_t, std::string_view) noexcept override {}
    void on_pong() noexcept override {}
    bool write_body(uint32_t, uint64_t, uint64_t from, size_t n, char* out) noexcept override {
        if (request_body.empty()) return false;
        std::memcpy(out, request_body.data() + from, n);
        return true;
    }
};

class Http1 : public ::testing::Test {
protected:
    std::string written(size_t enough = 1 << 20) {
        Output out;
        EXPECT_TRUE(session_->produce(out, enough).has_value());
        return std::string(out.view());
    }
    int32_t ask(const std::string& method = "POST", std::string body = "hello") {
        heard_.request_body = std::move(body);
        static const HeadField kFields[] = {{"authorization", "Bearer x", false, true}, {"content-length", "5"}};
        RequestHead head;
        head.method = method;
        head.authority = "push.example";
        head.path = "/send?a=b";
        head.fields = kFields;
        head.body_bytes = heard_.request_body.size();
        return session_->open(0, head);
    }
    // Asks, and gives the answer; returns what was heard.
    std::string answer(std::string_view bytes, const std::string& method = "POST") {
        EXPECT_NE(ask(method), 0);
        written();
        fault_ = {};
        if (const Status fed = session_->consume(bytes); !fed) fault_ = fed.error().message;
        return std::exchange(heard_.said, {});
    }

    Heard heard_;
    std::unique_ptr<Session> session_ = make_http1_session(heard_);
    std::string fault_;
};

TEST_F(Http1, WritesARequestAndTakesOneAtATime) {
    EXPECT_EQ(heard_.limit, 1u);
    ASSERT_NE(ask(), 0);
    EXPECT_EQ(ask(), 0);
    EXPECT_TRUE(session_->has_output());
    EXPECT_EQ(
        written(),
        "POST /send?a=b HTTP/1.1\r\nhost: push.example\r\nauthorization: Bearer x\r\ncontent-length: 5\r\n\r\nhello");
    EXPECT_FALSE(session_->has_output());
    ASSERT_TRUE(session_->consume("HTTP/1.1 204 No Content\r\n\r\n").has_value());
    EXPECT_EQ(heard_.said, "204||end");
    EXPECT_NE(ask(), 0);
}

TEST_F(Http1, WritesLongBodiesInParts) {
    ASSERT_NE(ask("POST", std::string(200'000, 'b')), 0);
    size_t total = 0, parts = 0;
    for (std::string part = written(16'384); !part.empty(); part = written(16'384), ++parts) {
        EXPECT_LE(part.size(), 16'384u + 64 * 1024);
        total += part.size();
    }
    EXPECT_GT(parts, 5u);
    EXPECT_EQ(total,
              200'000u + std::string("POST /send?a=b HTTP/1.1\r\nhost: push.example\r\nauthorization: Bearer x\r\n"
                                     "content-length: 5\r\n\r\n")
                             .size());
}

struct Answer {
    const char* what;
    std::string bytes;
    std::string heard;
    bool reusable;
};

const std::string kOk = "HTTP/1.1 200 OK\r\n";

std::vector<Answer> good_answers() {
    return {
        {"content-length", kOk + "Content-Length: 2\r\nDate: x\r\n\r\nhi", "200|content-length=2|date=x|hi|end", true},
        {"no body", kOk + "content-length: 0\r\n\r\n", "200|content-length=0||end", true},
        {"chunked", kOk + "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;ext=1\r\ni\r\n0\r\n\r\n",
         "200|transfer-encoding=chunked|hi|end", true},
        {"trailers are not fields", kOk + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Late: 1\r\n\r\n",
         "200|transfer-encoding=chunked|hi|end", true},
        {"interim answers first",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n" + kOk + "content-length: 1\r\n\r\nx",
         "200|content-length=1|x|end", true},
        {"204 has no body", "HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n", "204|content-length=5||end", true},
        {"304 has no body", "HTTP/1.1 304 Not\r\ncontent-length: 5\r\n\r\n", "304|content-length=5||end", true},
        {"the peer will close", kOk + "Connection: close\r\ncontent-length: 1\r\n\r\nx",
         "200|connection=close|content-length=1|x|end", false},
        {"HTTP/1.0 closes", "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", "200|content-length=1|x|end", false},
        {"HTTP/1.0 may stay", "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx",
         "200|connection=keep-alive|content-length=1|x|end", true},
        {"no reason phrase", "HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx", "200|content-length=1|x|end", true},
        {"what ends a chunk is not checked (design note 8)",
         kOk + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi??0\r\n\r\n", "200|transfer-encoding=chunked|hi|end", true},
        {"an empty field", kOk + "x:\r\ncontent-length: 1\r\n\r\nx", "200|x=|content-length=1|x|end", true},
    };
}

TEST_F(Http1, ReadsEveryKindOfAnswer) {
    for (const Answer& expected : good_answers()) {
        session_ = make_http1_session(heard_);
        EXPECT_EQ(answer(expected.bytes), expected.heard) << expected.what;
        EXPECT_EQ(fault_, "") << expected.what;
        EXPECT_EQ(heard_.limit, expected.reusable ? 1u : 0u) << expected.what;
        EXPECT_EQ(session_->ended(), !expected.reusable) << expected.what;
    }
}

TEST_F(Http1, ReadsAnswersByteByByte) {
    for (const Answer& expected : good_answers()) {
        session_ = make_http1_session(heard_);
        ASSERT_NE(ask(), 0);
        written();
        for (const char c : expected.bytes) ASSERT_TRUE(session_->consume({&c, 1}).has_value()) << expected.what;
        EXPECT_EQ(std::exchange(heard_.said, {}), expected.heard) << expected.what;
    }
}

TEST_F(Http1, AnAnswerToHeadHasNoBody) {
    EXPECT_EQ(answer(kOk + "content-length: 5\r\n\r\n", "HEAD"), "200|content-length=5||end");
    EXPECT_EQ(heard_.limit, 1u);
}

TEST_F(Http1, AnAnswerMayLastUntilTheConnectionEnds) {
    EXPECT_EQ(answer(kOk + "\r\nhi"), "200|hi");
    session_->end_of_input();
    EXPECT_EQ(heard_.said, "|end");
    EXPECT_TRUE(session_->ended());
}

TEST_F(Http1, TheEndOfTheConnectionCompletesNothingThatSaidItsLength) {
    EXPECT_EQ(answer(kOk + "content-length: 3\r\n\r\nhi"), "200|content-length=3|hi");
    session_->end_of_input();
    EXPECT_EQ(heard_.said, "");
    session_ = make_http1_session(heard_);
    EXPECT_EQ(answer(kOk + "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"), "200|transfer-encoding=chunked|hi");
    session_->end_of_input();
    EXPECT_EQ(heard_.said, "");
}

TEST_F(Http1, WhatNoPeerMaySayEndsTheConnectionWithAReason) {
    const std::pair<std::string, const char*> cases[] = {
        {"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", "switches protocols"},
        {"HTTP/2.0 200 OK\r\n\r\n", ""},
        {"HTTP/1.1 42 What\r\n\r\n", "a status that is none"},
        {"HTTP/1.1 1000 What\r\n\r\n", ""},
        {"SSH-2.0-OpenSSH\r\n", ""},
        {std::string("\x00\x00\x12\x04\x00", 5), ""},
        {kOk + "content-length: 2\r\ncontent-length: 3\r\n\r\nhi", ""},
        {kOk + "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", ""},
        {kOk + "content-length: -1\r\n\r\n", ""},
        {kOk + "content-length: 99999999999999999999999\r\n\r\n", ""},
        {kOk + "transfer-encoding: chunked\r\n\r\nzz\r\n", ""},
        {kOk + "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", ""},
        {kOk + "x: a\x01z\r\n\r\n", ""},
        {kOk + "bad name: x\r\n\r\n", "bytes that are not allowed"},
        {kOk + "transfer-encoding : chunked\r\n\r\n0\r\n\r\n", ""},
        {kOk + "x: " + std::string(40'000, 'v') + "\r\n\r\n", "a head is too long"},
        {kOk + std::string(40'000, 'n') + ": v\r\n\r\n", "a head is too long"},
    };
    for (const auto& [bytes, why] : cases) {
        session_ = make_http1_session(heard_);
        const std::string heard = answer(bytes);
        EXPECT_EQ(heard.find("end"), std::string::npos) << bytes.substr(0, 80);
        EXPECT_EQ(fault_.rfind("HTTP/1.1 failed: ", 0), 0u) << bytes.substr(0, 80);
        EXPECT_NE(fault_.find(why), std::string::npos) << fault_;
        EXPECT_EQ(heard_.limit, 0u);
        EXPECT_EQ(written(), "");
    }
}

TEST_F(Http1, InterimAnswersAndTrailersAreBounded) {
    std::string interims;
    for (int i = 0; i < 40; ++i) interims += "HTTP/1.1 102 Processing\r\n\r\n";
    EXPECT_EQ(answer(interims), "");
    EXPECT_NE(fault_.find("too many interim answers"), std::string::npos);
    session_ = make_http1_session(heard_);
    std::string trailers = kOk + "transfer-encoding: chunked\r\n\r\n0\r\n";
    for (int i = 0; i < 10'000; ++i) trailers += "x-late: 1\r\n";
    answer(trailers);
    EXPECT_NE(fault_.find("a head is too long"), std::string::npos);
}

TEST_F(Http1, AnAnswerThatNobodyAskedForEndsTheConnection) {
    const Status unasked = session_->consume(kOk + "content-length: 0\r\n\r\n");
    ASSERT_FALSE(unasked.has_value());
    EXPECT_NE(unasked.error().message.find("nobody asked for"), std::string::npos);
    session_ = make_http1_session(heard_);
    EXPECT_EQ(answer(kOk + "content-length: 0\r\n\r\n" + kOk + "content-length: 0\r\n\r\n"),
              "200|content-length=0||end");
    EXPECT_NE(fault_.find("nobody asked for"), std::string::npos) << fault_;
    session_ = make_http1_session(heard_);
    ASSERT_NE(ask(), 0);  // but not yet written
    EXPECT_FALSE(session_->consume(kOk + "content-length: 0\r\n\r\n").has_value());
}

TEST_F(Http1, AnAnswerBeforeTheRequestWasSentEndsTheConnectionAfterIt) {
    ASSERT_NE(ask("POST", std::string(300'000, 'b')), 0);
    EXPECT_LT(written(100'000).size(), 300'000u);
    ASSERT_TRUE(session_->consume("HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").has_value());
    EXPECT_EQ(heard_.said, "413|content-length=0||end");
    EXPECT_EQ(heard_.limit, 0u);
    EXPECT_FALSE(session_->has_output());
    EXPECT_TRUE(session_->ended());
}

TEST_F(Http1, ACancelledRequestIsToldOfWhileProducingAndEndsTheConnection) {
    const int32_t id = ask();
    written();
    session_->cancel(id + 1);
    EXPECT_FALSE(session_->has_output());
    session_->cancel(id);
    EXPECT_EQ(heard_.said, "");
    EXPECT_TRUE(session_->has_output());
    EXPECT_EQ(written(), "");
    EXPECT_EQ(heard_.said, "|reset");
    EXPECT_TRUE(session_->ended());
    EXPECT_EQ(ask(), 0);
}

TEST_F(Http1, ARequestThatIsCancelledBeforeItWasWrittenIsNeverWritten) {
    session_->cancel(ask());
    EXPECT_TRUE(session_->has_output());
    EXPECT_EQ(written(), "");
    EXPECT_EQ(heard_.said, "|reset");
    EXPECT_TRUE(session_->ended());
}

TEST_F(Http1, NothingIsWrittenAfterAFault) {
    ASSERT_NE(ask(), 0);  // neither its head nor its body
    EXPECT_FALSE(session_->consume("SSH-2.0-x\r\n").has_value());
    EXPECT_FALSE(session_->has_output());
    EXPECT_EQ(written(), "");
    session_ = make_http1_session(heard_);
    ASSERT_NE(ask("POST", std::string(300'000, 'b')), 0);
    EXPECT_LT(written(100'000).size(), 300'000u);
    EXPECT_FALSE(session_->consume("SSH-2.0-x\r\n").has_value());
    EXPECT_FALSE(session_->has_output());
    EXPECT_EQ(written(), "");
}

TEST_F(Http1, ABodyThatIsNotThereAnyMoreEndsTheConnection) {
    ask();
    heard_.request_body.clear();
    written();
    EXPECT_EQ(heard_.said, "|reset");
    EXPECT_TRUE(session_->ended());
}

}  // namespace
}  // namespace belfry::http
