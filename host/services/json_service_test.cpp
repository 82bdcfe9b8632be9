// SPDX-License-Identifier: Apache-2.0
#include <belfry/services.h>
#include <gtest/gtest.h>

#include <belfry/abi.hpp>

#include "fakes/service_host.h"

namespace belfry::services {
namespace {

using fakes::TestHost;

class JsonService : public testing::Test {
protected:
    std::string at(std::string_view source, belfry_span span) const {
        return std::string(source.substr(span.at, span.n));
    }
    std::string unescaped(std::string_view source, belfry_span span) const {
        std::string out = "nothing";
        collect<belfry_str>(
            [&](auto emit, void* ctx) {
                json_.unescape(host_.abi(), str(source), span, emit, ctx);
                return BELFRY_OK;
            },
            [&](const belfry_str& row) { out = text(row); });
        return out;
    }
    std::vector<std::pair<std::string, std::string>> entries(std::string_view source, belfry_span span) const {
        std::vector<std::pair<std::string, std::string>> out;
        collect<belfry_json_entry>(
            [&](auto emit, void* ctx) {
                json_.entries(host_.abi(), str(source), span, emit, ctx);
                return BELFRY_OK;
            },
            [&](const belfry_json_entry& row) { out.emplace_back(at(source, row.key.at), at(source, row.value.at)); });
        return out;
    }
    TestHost host_;
    const belfry_json& json_ = host_.service<belfry_json>(BELFRY_JSON_ID);
};

TEST_F(JsonService, CheckSaysWhere) {
    EXPECT_EQ(json_.check(host_.abi(), str("{\"a\":[1,2]}"), nullptr), BELFRY_OK);
    belfry_why why{};
    EXPECT_EQ(json_.check(host_.abi(), str("{\"a\":[1,2}"), &why), BELFRY_BAD_REQUEST);
    EXPECT_STREQ(why.text, "line 1, column 10 (byte 9): expected ',' or ']'");
}

TEST_F(JsonService, FindGivesSpansOfTheText) {
    constexpr std::string_view kText = R"(  {"error":{"details":[{"code":"A"}]}})";
    const belfry_json_value found = json_.find(host_.abi(), str(kText), str("error.details.0.code"));
    EXPECT_EQ(found.type, BELFRY_JSON_STRING);
    EXPECT_EQ(at(kText, found.at), "\"A\"");
    EXPECT_EQ(json_.find(host_.abi(), str(kText), str("")).at.at, 2U);
    EXPECT_EQ(json_.find(host_.abi(), str(kText), str("error.nothing")).type, 0);
    EXPECT_EQ(json_.find(host_.abi(), str(""), str("a")).type, 0);
}

TEST_F(JsonService, EntriesComeWithSpansOfTheWholeText) {
    constexpr std::string_view kText = R"({"skip":0,"m":{"a":1,"b":[2]}})";
    const belfry_json_value inner = json_.find(host_.abi(), str(kText), str("m"));
    const std::vector<std::pair<std::string, std::string>> expected = {{"\"a\"", "1"}, {"\"b\"", "[2]"}};
    EXPECT_EQ(entries(kText, inner.at), expected);
    EXPECT_TRUE(entries(kText, {1000, 5}).empty());
    EXPECT_TRUE(entries(kText, {5, 4'000'000'000}).empty());
}

TEST_F(JsonService, EntriesPassTheSizeOfOneBatchAndStopWhenAsked) {
    std::string text = "[0";
    for (int i = 1; i < 200; ++i) text += "," + std::to_string(i);
    text += "]";
    const belfry_span whole{0, static_cast<uint32_t>(text.size())};
    const auto all = entries(text, whole);
    ASSERT_EQ(all.size(), 200U);
    EXPECT_EQ(all[199].second, "199");
    size_t calls = 0;
    json_.entries(
        host_.abi(), str(text), whole,
        [](void* ctx, belfry_list) -> int32_t {
            ++*static_cast<size_t*>(ctx);
            return 1;
        },
        &calls);
    EXPECT_EQ(calls, 1U);
}

TEST_F(JsonService, UnescapesAndEscapes) {
    constexpr std::string_view kText = R"(["plain","a\"\u00e9"])";
    EXPECT_EQ(unescaped(kText, {1, 7}), "plain");
    EXPECT_EQ(unescaped(kText, {9, 11}), "a\"\xC3\xA9");
    EXPECT_EQ(unescaped(kText, {100, 7}), "");
    std::string out;
    collect<belfry_str>(
        [&](auto emit, void* ctx) {
            json_.escape(host_.abi(), str("a\"\n"), emit, ctx);
            return BELFRY_OK;
        },
        [&](const belfry_str& row) { out = text(row); });
    EXPECT_EQ(out, "a\\\"\\n");
}

}  // namespace
}  // namespace belfry::services
