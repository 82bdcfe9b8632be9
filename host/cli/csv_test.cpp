// SPDX-License-Identifier: Apache-2.0
#include "cli/csv.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <streambuf>

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

// All lines of a text, or the error.
std::string lines_of(const std::string& csv) {
    std::istringstream in(csv);
    CsvReader reader(in);
    if (const Status opened = reader.open(); !opened) return opened.error().to_string();
    std::string out;
    while (true) {
        const Result<bool> more = reader.next(out);
        if (!more) return more.error().to_string();
        if (!*more) return out;
    }
}

// A disk that gives up in the middle.
class BrokenFile final : public std::streambuf {
public:
    BrokenFile() { setg(text_, text_, text_ + sizeof text_ - 1); }

private:
    int_type underflow() override { throw std::ios_base::failure("input error"); }
    char text_[30] = "provider,token\nfcm,a\nfcm,b";
};

TEST(Csv, AReadErrorIsNotTheEnd) {
    BrokenFile file;
    std::istream in(&file);
    CsvReader reader(in);
    ASSERT_TRUE(reader.open());
    std::string line;
    ASSERT_TRUE(reader.next(line));
    EXPECT_NE(reader.next(line).error().message.find("input error"), std::string::npos);
}

TEST(Csv, ReadsQuotedCellsOverLinesAndEitherEndOfLine) {
    EXPECT_EQ(lines_of("\xef\xbb\xbfprovider,token,topics,meta\r\nfcm,\"a "
                       "\"\"b\"\",\nc\",x|y,\"{\"\"k\"\":\"\"v\"\"}\"\r\n\napns,t,,"),
              R"({"meta":{"k":"v"},"provider":"fcm","token":"a \"b\",\nc","topics":["x","y"]})"
              "\n\n"
              R"({"provider":"apns","token":"t"})"
              "\n");
    EXPECT_EQ(lines_of("token\n"), "");
    EXPECT_EQ(lines_of("token,topics\nt,\"[\"\"a|b\"\"]\"\n"), "{\"token\":\"t\",\"topics\":[\"a|b\"]}\n");
}

TEST(Csv, SaysWhichRecordIsWrong) {
    EXPECT_EQ(
        lines_of("token,tpics\n"),
        "the first record must name the columns; there is no \"tpics\", known are id, provider, token, platform, user, "
        "timezone, locale, topics, meta");
    EXPECT_EQ(lines_of("token,user\na,b\nc\n"), "record 2: has 1 cells, the first record has 2");
    EXPECT_EQ(lines_of("token,meta\na,x\n"), "record 1: meta must be a JSON object");
    EXPECT_EQ(lines_of("token,topics\na,[x\n"), "record 1: topics begins with [ but is no JSON array");
    EXPECT_EQ(lines_of("token\n\"abc\n"), "record 1: ends inside quotes");
    EXPECT_EQ(lines_of("token\n\"" + std::string(2 << 20, 'x')),
              "record 1: longer than 1 MiB; is a quote missing its end?");
}

TEST(Csv, TakesBackWhatItHasWritten) {
    const Json devices[] = {
        {{"id", "i"}, {"provider", "fcm"}, {"token", "a,\"b\"\nc"}, {"topics", {"x", "y z"}}, {"meta", {{"k", "1,2"}}}},
        {{"provider", "webpush"}, {"token", R"({"endpoint":"https://e","keys":{}})"}, {"topics", {"[a", "b|c"}}},
        {{"provider", "fcm"}, {"token", "t"}, {"user", "\xc3\xa4"}, {"timezone", "Europe/Berlin"}, {"locale", "de"}}};
    std::string csv = csv_heading();
    std::string expected;
    for (const Json& device : devices) {
        csv += csv_record(device.dump()).value();
        expected += device.dump() + "\n";
    }
    EXPECT_EQ(lines_of(csv), expected);
    EXPECT_FALSE(csv_record("half a li"));
}

}  // namespace
}  // namespace belfry::cli
