// SPDX-License-Identifier: Apache-2.0
// Bodies in chunks by table, cut in every way.
#include "api/chunk_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace belfry::api {
namespace {

struct Read {
    std::string body;
    size_t used = 0;
    bool ended = false, broken = false;
};

Read read(const std::string& bytes, size_t step) {
    ChunkReader reader;
    Read out;
    while (out.used < bytes.size() && !reader.at_end() && !reader.is_broken()) {
        std::string piece = bytes.substr(out.used, step);
        const ChunkReader::Step done = reader.read(piece.data(), piece.size());
        out.body.append(piece, 0, done.body);
        out.used += done.used;
    }
    out.ended = reader.at_end();
    out.broken = reader.is_broken();
    return out;
}

TEST(ChunkReader, PutsBodiesTogether) {
    struct Case {
        std::string bytes, body;
    };
    const Case cases[] = {
        {"0\r\n\r\n", ""},
        {"5\r\nhello\r\n0\r\n\r\n", "hello"},
        {"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n", "hello world"},
        {"A;name=value\r\n0123456789\r\n000\r\n\r\n", "0123456789"},
        {"a ; q=\"x\"\r\n0123456789\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", "0123456789"},
        {"00000000000001b\r\nabcdefghijklmnopqrstuvwxyz\n\r\n0\r\n\r\n", "abcdefghijklmnopqrstuvwxyz\n"},
    };
    for (const Case& one : cases) {
        for (size_t step = 1; step <= one.bytes.size() + 4; ++step) {
            const Read got = read(one.bytes + "GET ", step);
            EXPECT_TRUE(got.ended) << one.bytes << step;
            EXPECT_EQ(got.body, one.body) << one.bytes << step;
            EXPECT_EQ(got.used, one.bytes.size()) << "the next request is left alone";
        }
    }
}

TEST(ChunkReader, RefusesWhatIsNoChunk) {
    const std::string cases[] = {
        "\r\n",
        ";x\r\n",
        " 5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\r\nhello\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5\r\nhello!\r\n",
        "5;\nhello\r\n",
        "5;\x01\r\nhello\r\n",
        "0\r\n\rX",
        "0\r\nTrailer: x\n\r\n",
        "0\r\nTrailer\rx",
        "ffffffffffffffff\r\n",
        "0000000000000005\r\nhello\r\n",
        "5;" + std::string(ChunkReader::kLineBytesMax + 1, 'x') + "\r\nhello\r\n",
        "0\r\n" + std::string(ChunkReader::kLineBytesMax + 1, 'x') + "\r\n\r\n",
    };
    for (const std::string& bytes : cases) {
        for (const size_t step : {size_t{1}, size_t{3}, bytes.size()}) {
            const Read got = read(bytes, step);
            EXPECT_TRUE(got.broken) << bytes.substr(0, 60) << " in steps of " << step;
            EXPECT_FALSE(got.ended);
        }
    }
}

TEST(ChunkReader, BoundsAllTrailersTogether) {
    std::string bytes = "0\r\n";
    for (size_t i = 0; i <= ChunkReader::kLineBytesMax / 8; ++i) bytes += "X: 12345\r\n";
    EXPECT_TRUE(read(bytes, 100).broken);
}

}  // namespace
}  // namespace belfry::api
