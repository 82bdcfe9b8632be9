// SPDX-License-Identifier: Apache-2.0
#include "telemetry/line_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "base/handles.h"

namespace belfry::telemetry {
namespace {

std::string line_with(const LogField& field) {
    return format_log_line(1'700'000'000'123, LogLevel::Info, "api", "request refused", &field, 1);
}

TEST(LineLog, WritesTimeLevelSourceEventAndFields) {
    EXPECT_EQ(line_with({"code", 107}), "2023-11-14T22:13:20.123Z INFO  api: request refused code=107\n");
}

TEST(LineLog, QuotesValuesThatCouldBreakTheLine) {
    EXPECT_EQ(line_with({"why", "two words"}),
              "2023-11-14T22:13:20.123Z INFO  api: request refused why=\"two words\"\n");
    EXPECT_NE(line_with({"why", "x\nERROR api: forged"}).find("why=\"x\\nERROR api: forged\"\n"), std::string::npos);
    EXPECT_NE(line_with({"why", "a=b \"c\" \\ \x01"}).find("why=\"a=b \\\"c\\\" \\\\ \\x01\"\n"), std::string::npos);
    EXPECT_NE(line_with({"why", ""}).find("why=\"\"\n"), std::string::npos);
}

TEST(LineLog, CutsLongValues) {
    const std::string line = line_with({"why", std::string(5000, 'x')});
    EXPECT_LT(line.size(), kLogValueBytesMax + 200);
    EXPECT_NE(line.find("...\"\n"), std::string::npos);
}

TEST(LineLog, DropsLinesBelowTheLevelUntilItIsChanged) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    UniqueFd out(ends[0]);
    UniqueFd in(ends[1]);
    const ManualClock clock;
    LineLog log(in.get(), LogLevel::Warning, clock);
    const Logger logger(log, "test");
    logger.info("not seen");
    log.set_level(LogLevel::Info);
    logger.info("seen", {{"n", 1}});
    in.reset();
    std::string text(1000, '\0');
    const ssize_t n = ::read(out.get(), text.data(), text.size());
    ASSERT_GT(n, 0);
    text.resize(static_cast<size_t>(n));
    EXPECT_EQ(text.find("not seen"), std::string::npos);
    EXPECT_NE(text.find("INFO  test: seen n=1\n"), std::string::npos);
}

TEST(LineLog, KnowsTheNamesOfLevels) {
    EXPECT_EQ(log_level_of("warning"), LogLevel::Warning);
    EXPECT_FALSE(log_level_of("loud").has_value());
}

}  // namespace
}  // namespace belfry::telemetry
