// SPDX-License-Identifier: Apache-2.0
// What a session of our own stands on: the encoder, against nghttp2's decoder, and the table of streams.
#include "http/hpack_encoder.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <map>
#include <random>

#include "http/stream_table.h"

namespace belfry::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

std::string text(const uint8_t* bytes, size_t n) {
    return {reinterpret_cast<const char*>(bytes), n};
}

const uint8_t* bytes(std::string_view of) {
    return reinterpret_cast<const uint8_t*>(of.data());
}

class Inflater {
public:
    Inflater() { EXPECT_EQ(nghttp2_hd_inflate_new(&inflater_), 0); }
    ~Inflater() { nghttp2_hd_inflate_del(inflater_); }
    void limit(size_t table) { EXPECT_EQ(nghttp2_hd_inflate_change_table_size(inflater_, table), 0); }
    Fields read(std::string_view block) {
        Fields fields;
        for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
            nghttp2_nv field{};
            const ssize_t n = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, bytes(block), block.size(), 1);
            EXPECT_GE(n, 0) << nghttp2_strerror(static_cast<int>(n));
            if (n < 0) return fields;
            block.remove_prefix(static_cast<size_t>(n));
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
                fields.emplace_back(text(field.name, field.namelen), text(field.value, field.valuelen));
        }
        nghttp2_hd_inflate_end_headers(inflater_);
        return fields;
    }

private:
    nghttp2_hd_inflater* inflater_ = nullptr;
};

TEST(HpackEncoder, IsReadByNghttp2WhateverTheTableHolds) {
    std::mt19937 random(7);
    HpackEncoder encoder;
    Inflater inflater;
    const auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
    for (int block = 0; block < 5000; ++block) {
        if (pick(50) == 0) {
            // Sometimes twice between two blocks: the lower one must be said, too.
            for (size_t i = 0; i <= pick(2); ++i) {
                const auto limit = static_cast<uint32_t>(pick(3) == 0 ? 0 : pick(6000));
                encoder.limit(limit);
                inflater.limit(limit);
            }
        }
        Output out;
        Fields meant;
        encoder.begin(out);
        for (size_t i = 0; i < 1 + pick(8); ++i) {
            const std::string_view known[] = {":path", ":method", "content-type", "authorization", "x-a", "x-bb"};
            const std::string name(known[pick(std::size(known))]);
            const std::string value(pick(40) == 0 ? 3000 : pick(30), static_cast<char>('a' + pick(12)));
            const auto kind = static_cast<HpackEncoder::Kind>(pick(3));
            encoder.field(name, value, kind, out);
            meant.emplace_back(name, value);
        }
        ASSERT_EQ(inflater.read(out.view()), meant) << "block " << block;
    }
}

TEST(HpackEncoder, WritesWhatStaysInOneByteAndSecretsNeverIntoTheTable) {
    HpackEncoder encoder;
    Output out;
    encoder.field("apns-topic", "com.example", HpackEncoder::Kind::Shared, out);
    EXPECT_GT(out.size(), 20u);
    const uint64_t version = encoder.version();
    out.clear();
    encoder.field("apns-topic", "com.example", HpackEncoder::Kind::Shared, out);
    EXPECT_EQ(out.view(), "\xbe");  // the first of the dynamic table
    out.clear();
    encoder.field("authorization", "s", HpackEncoder::Kind::Secret, out);
    EXPECT_EQ(out.view(), std::string_view("\x1f\x08\x01s", 4));  // never indexed, name 23
    EXPECT_EQ(encoder.version(), version);
}

TEST(StreamTable, FindsWhatIsThereWhateverWentBefore) {
    std::mt19937 random(3);
    StreamTable table;
    std::map<int32_t, uint32_t> model;
    int32_t next = 1;
    for (int step = 0; step < 20'000; ++step) {
        if (model.size() < 700 && random() % 3 != 0) {
            table.insert(next, static_cast<uint32_t>(step));
            model[next] = static_cast<uint32_t>(step);
            next += 2;
        } else if (!model.empty()) {
            const auto gone = std::next(model.begin(), static_cast<ptrdiff_t>(random() % model.size()));
            table.erase(gone->first);
            EXPECT_EQ(table.find(gone->first), StreamTable::kNone);
            model.erase(gone);
        }
        if (step % 500 != 0) continue;
        for (const auto& [id, slot] : model) ASSERT_EQ(table.find(id), slot);
    }
}

}  // namespace
}  // namespace belfry::http
