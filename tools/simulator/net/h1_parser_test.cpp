// SPDX-License-Identifier: Apache-2.0
#include "net/h1_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "net/url.h"

namespace belfry::simulator {
namespace {

using State = H1Parser::State;

TEST(H1Parser, ReadsARequestByteByByte) {
    H1Parser parser;
    const std::string text =
        "POST /a%20b?x=1 HTTP/1.1\r\nHost: here\r\nContent-Type:  text/plain \r\ncontent-length: 3\r\n\r\nabc";
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        parser.feed(text.substr(i, 1));
        ASSERT_NE(parser.advance(), State::Complete);
        ASSERT_NE(parser.advance(), State::Failed);
    }
    parser.feed(text.substr(text.size() - 1));
    ASSERT_EQ(parser.advance(), State::Complete);
    const Request request = parser.take();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/a%20b");
    EXPECT_EQ(request.query, "x=1");
    EXPECT_EQ(request.authority, "here");
    EXPECT_EQ(request.header("content-type"), "text/plain");
    EXPECT_EQ(request.body, "abc");
    EXPECT_TRUE(parser.keep_alive());
}

TEST(H1Parser, ReadsChunksAndGoesOnWithTheNextRequest) {
    H1Parser parser;
    parser.feed(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
        "chunked\r\n\r\n3;ext=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: "
        "x\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    ASSERT_EQ(parser.advance(), State::Complete);
    EXPECT_EQ(parser.take().body, "abc0123456789");
    ASSERT_EQ(parser.advance(), State::Complete);
    EXPECT_EQ(parser.take().path, "/next");
    EXPECT_FALSE(parser.keep_alive());
}

TEST(H1Parser, RefusesBrokenRequestsWithTheRightStatus) {
    const std::pair<std::string, int> cases[] = {
        {"nonsense\r\n", 400},
        {"GET / HTTP/2.0\r\n", 505},
        {"GET http://x/ HTTP/1.1\r\n", 400},
        {"GET / HTTP/1.1\r\nno colon\r\n", 400},
        {"GET / HTTP/1.1\r\nName : x\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413},
        {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        {"GET / HTTP/1.1\r\nLong: " + std::string(70'000, 'x'), 431},
    };
    for (const auto& [text, status] : cases) {
        H1Parser parser;
        parser.feed(text);
        ASSERT_EQ(parser.advance(), State::Failed) << text.substr(0, 80);
        EXPECT_EQ(parser.error_status(), status) << text.substr(0, 80);
    }
}

TEST(H1Parser, AsksOnceForAnExpectedBody) {
    H1Parser parser;
    parser.feed("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    EXPECT_EQ(parser.advance(), State::Body);
    EXPECT_TRUE(parser.take_expectation());
    EXPECT_FALSE(parser.take_expectation());
}

TEST(Url, DecodesFormsAndPaths) {
    EXPECT_EQ(form_value("a=1&b=x+y%26z&c", "b"), "x y&z");
    EXPECT_FALSE(form_value("a=1", "b").has_value());
    EXPECT_FALSE(percent_decode("%4").has_value());
    EXPECT_FALSE(percent_decode("%zz").has_value());
    EXPECT_EQ(percent_decode("a%2Bb+c"), "a+b+c");
    EXPECT_EQ(path_segments("/a/b%2Fc/"), (std::vector<std::string>{"a", "b/c", ""}));
}

}  // namespace
}  // namespace belfry::simulator
