// SPDX-License-Identifier: Apache-2.0
// Heads of requests by table: what is taken, and what is refused with which status.
#include "api/head_reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace belfry::api {
namespace {

using State = HeadReader::State;

const std::string kLine = "POST /api/x HTTP/1.1\r\n";
const std::string kHost = "Host: x\r\n";

std::string many_fields(size_t n) {
    std::string out;
    for (size_t i = 0; i < n; ++i) out += "X" + std::to_string(i) + ": 1\r\n";
    return out;
}

struct Read {
    State state = State::Reading;
    int refusal = 0;
    std::string why;
    size_t size = 0;
};

// In pieces of `step` bytes, each time with the memory elsewhere.
Read read(const std::string& bytes, size_t step) {
    HeadReader reader;
    Read out;
    std::unique_ptr<std::string> copy;
    for (size_t n = std::min(step, bytes.size()); out.state == State::Reading; n = std::min(n + step, bytes.size())) {
        copy = std::make_unique<std::string>(bytes.substr(0, n));
        out.state = reader.read(*copy);
        if (n == bytes.size()) break;
    }
    out.refusal = reader.refusal();
    out.why = reader.why();
    if (out.state == State::Complete) out.size = reader.size();
    return out;
}

TEST(HeadReader, TellsWhatARequestAsksFor) {
    const std::string head =
        kLine + kHost + "X-API-Key:  k e y \t\r\nEmpty:\r\nx-api-key: second\r\nContent-Length: 15\r\n\r\n";
    for (size_t step = 1; step <= head.size(); ++step) {
        HeadReader reader;
        State state = State::Reading;
        const std::string bytes = head + "body";
        for (size_t n = step; state == State::Reading; n += step) state = reader.read(bytes.substr(0, n));
        ASSERT_EQ(state, State::Complete) << step;
        EXPECT_EQ(reader.size(), head.size());
        EXPECT_EQ(reader.method(), "POST");
        EXPECT_EQ(reader.target(bytes), "/api/x");
        EXPECT_EQ(reader.field(bytes, "X-API-KEY"), "k e y") << "the first one, without the space around it";
        EXPECT_EQ(reader.field(bytes, "Empty"), "");
        EXPECT_EQ(reader.field(bytes, "Absent"), "");
        EXPECT_EQ(reader.body_length(), 15);
        EXPECT_TRUE(reader.keeps_alive());
        EXPECT_FALSE(reader.is_http_1_0());
    }
}

TEST(HeadReader, KnowsWhoStaysAndHowLongBodiesAre) {
    struct Case {
        std::string head;
        bool keeps_alive;
        int64_t length;
    };
    const Case cases[] = {
        {kLine + "\r\n", true, 0},
        {kLine + "Connection: close\r\n\r\n", false, 0},
        {kLine + "Transfer-Encoding: Chunked\r\n\r\n", true, kChunked},
        {kLine + "Content-Length: 999999999999999999\r\n\r\n", true, 999'999'999'999'999'999},
        {kLine + "Content-Length: 5 \r\n\r\n", true, 5},
        {"GET / HTTP/1.0\r\n\r\n", false, 0},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, 0},
        {"GET http://x/health?a=b HTTP/1.1\r\n\r\n", true, 0},
        {kLine + "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", true, 0},
        {kLine + "X: \x80\xff and \ttab\r\n\r\n", true, 0},
        {kLine + many_fields(kHeadFieldsMax) + "\r\n", true, 0},
    };
    for (const Case& one : cases) {
        HeadReader reader;
        ASSERT_EQ(reader.read(one.head), State::Complete) << one.head << reader.why();
        EXPECT_EQ(reader.keeps_alive(), one.keeps_alive) << one.head;
        EXPECT_EQ(reader.body_length(), one.length) << one.head;
        EXPECT_EQ(reader.size(), one.head.size());
    }
}

TEST(HeadReader, RefusesWhatIsNoRequestOrCouldMeanTwoThings) {
    struct Case {
        int status;
        std::string head;
    };
    const Case cases[] = {
        {400, std::string("\0", 1)},
        {400, "\x16\x03\x01"},
        {400, "get / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\nHost: x\n\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: x\r\n\n"},
        {400, "GET\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "FOO / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/2.0\r\n\r\n"},
        {400, "GET / HTTP/1.2\r\n\r\n"},
        {400, "GET / HTTP/0.9\r\n\r\n"},
        {400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {400, "GET /\x01 HTTP/1.1\r\n\r\n"},
        {400, "GET /\x7f HTTP/1.1\r\n\r\n"},
        {400, "GET /a\tb HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\rHost: x\r\n\r\n"},
        {400, kLine + "no colon\r\n\r\n"},
        {400, kLine + "Na me: x\r\n\r\n"},
        {400, kLine + "Content-Length : 5\r\n\r\n"},
        {400, kLine + "N(me: x\r\n\r\n"},
        {400, kLine + ": x\r\n\r\n"},
        {400, kLine + "X: a\r\n b\r\n\r\n"},
        {400, kLine + "X: a\r\n\tb\r\n\r\n"},
        {400, kLine + "X:\r\n \r\n\r\n"},
        {400, kLine + " X: a\r\n\r\n"},
        {400, kLine + "Transfer-Encoding:\r\n chunked\r\n\r\n"},
        {400, kLine + "X: a\nContent-Length: 5\n Content-Length: 6\r\n\r\n"},
        {400, kLine + "X: a\rb\r\n\r\n"},
        {400, kLine + "X: a\r\n\rb"},
        {400, kLine + "X: a\r\n\r\r\n"},
        {400, kLine + "X:\rY: b\r\n\r\n"},
        {400, kLine + "\rb"},
        {400, kLine + std::string("X: a\0b\r\n\r\n", 10)},
        {400, kLine + "X: a\x01\r\n\r\n"},
        {400, kLine + std::string("X:\0\r\n\r\n", 8)},
        {400, kLine + "X:\x01y\r\n\r\n"},
        {400, kLine + "X: \x7f\r\n\r\n"},
        {400, kLine + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"},
        {400, kLine + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"},
        {400, kLine + "Content-Length: 5, 5\r\n\r\n"},
        {400, kLine + "Content-Length: +5\r\n\r\n"},
        {400, kLine + "Content-Length: -5\r\n\r\n"},
        {400, kLine + "Content-Length: 0x5\r\n\r\n"},
        {400, kLine + "Content-Length: 5 5\r\n\r\n"},
        {400, kLine + "Content-Length:\r\n\r\n"},
        {400, kLine + "Content-Length: 1000000000000000000\r\n\r\n"},
        {400, kLine + "Content-Length: 99999999999999999999999\r\n\r\n"},
        {400, kLine + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, kLine + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"},
        {400, kLine + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {400, kLine + "Transfer-Encoding: chunked, identity\r\n\r\n"},
        {400, kLine + "Transfer-Encoding: gzip, chunked\r\n\r\n"},
        {400, kLine + "Transfer-Encoding: xchunked\r\n\r\n"},
        {400, kLine + "Transfer-Encoding:\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {431, kLine + many_fields(kHeadFieldsMax + 1) + "\r\n"},
        {431, kLine + "X: " + std::string(kHeadBytesMax, 'a') + "\r\n\r\n"},
        {431, kLine + std::string(kHeadBytesMax, 'a') + ": x\r\n\r\n"},
        {414, "GET /" + std::string(kHeadBytesMax, 'a') + " HTTP/1.1\r\n\r\n"},
    };
    for (const Case& one : cases) {
        for (const size_t step : {size_t{1}, size_t{7}, one.head.size()}) {
            const Read got = read(one.head, step);
            const std::string about = one.head.substr(0, 100) + " in steps of " + std::to_string(step);
            EXPECT_EQ(got.state, State::Refused) << about;
            EXPECT_EQ(got.refusal, one.status) << about << ": " << got.why;
            EXPECT_FALSE(got.why.empty()) << about;
        }
    }
}

TEST(HeadReader, WaitsForTheRestOfAHead) {
    const std::string head = kLine + kHost + "Content-Length: 5\r\n\r\n";
    for (size_t n = 0; n < head.size(); ++n) EXPECT_EQ(read(head.substr(0, n), 3).state, State::Reading) << n;
    const std::string almost = kLine + "X: " + std::string(kHeadBytesMax - kLine.size() - 7, 'a') + "\r\n\r\n";
    ASSERT_EQ(almost.size(), kHeadBytesMax);
    EXPECT_EQ(read(almost, 1000).size, kHeadBytesMax);
}

TEST(HeadReader, StartsAnewForTheNextRequest) {
    HeadReader reader;
    const std::string first = kLine + "Content-Length: 7\r\nConnection: close\r\nX-API-Key: k\r\n\r\n";
    ASSERT_EQ(reader.read(first), State::Complete);
    reader.reset();
    EXPECT_TRUE(reader.is_untouched());
    const std::string second = "GET /health HTTP/1.1\r\n\r\n";
    ASSERT_EQ(reader.read(second), State::Complete);
    EXPECT_EQ(reader.method(), "GET");
    EXPECT_EQ(reader.target(second), "/health");
    EXPECT_EQ(reader.body_length(), 0);
    EXPECT_TRUE(reader.keeps_alive());
    EXPECT_EQ(reader.field(second, "X-API-Key"), "");
}

}  // namespace
}  // namespace belfry::api
