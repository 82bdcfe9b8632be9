// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace belfry::conformance {
namespace {

void passes(Context&) {}
void fails(Context&) {
    require_equal(std::string("a"), std::string("b"), "letter");
}
void skips(Context&) {
    skip("nothing to test");
}
void crashes(Context&) {
    std::abort();
}
void hangs(Context&) {
    for (;;) ::pause();
}
void writes_where_it_was_told(Context& context) {
    require(context.config == "{\"path\":\"" + context.directory + "/x\"}", "config names the directory");
    require(std::filesystem::is_empty(context.directory), "the directory is fresh");
    std::ofstream(context.directory + "/x") << "1";
}

constexpr std::array<Case, 6> kCases{{{"P", "passes", 10, passes},
                                      {"F", "fails", 10, fails},
                                      {"S", "skips", 10, skips},
                                      {"C", "crashes", 10, crashes},
                                      {"H", "hangs", 1, hangs},
                                      {"W", "writes", 10, writes_where_it_was_told}}};
const Suite kSuite{"suite", "{\"path\":\"{dir}/x\"}", kCases};

int run(std::vector<std::string> words) {
    words.insert(words.begin(), "conformance");
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    return run_main(static_cast<int>(argv.size()), argv.data(), kSuite);
}

TEST(ConformanceRunner, CountsEveryKindOfEndAndListsThem) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run({"/proc/self/exe"}), 1);
    const std::string out = testing::internal::GetCapturedStdout();
    EXPECT_NE(out.find("pass P passes"), std::string::npos) << out;
    EXPECT_NE(out.find("letter: found \"a\", wanted \"b\" [runner_test.cpp:"), std::string::npos) << out;
    EXPECT_NE(out.find("skip S skips"), std::string::npos) << out;
    EXPECT_NE(out.find("fail C crashes"), std::string::npos) << out;
    EXPECT_NE(out.find("no end after 1 s"), std::string::npos) << out;
    EXPECT_NE(out.find("2 passed, 3 failed, 1 skipped"), std::string::npos) << out;
}

TEST(ConformanceRunner, ExpectedFailuresMustBeExactlyThose) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run({"/proc/self/exe", "--case", "P,F,C", "--expect-fail", "F,C"}), 0);
    EXPECT_EQ(run({"/proc/self/exe", "--case", "P,F,C", "--expect-fail", "F"}), 1);
    EXPECT_EQ(run({"/proc/self/exe", "--case", "P,F", "--expect-fail", "P,F"}), 1);
    testing::internal::GetCapturedStdout();
}

TEST(ConformanceRunner, WrongUsageIsTold) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(run({}), 2);
    EXPECT_EQ(run({"/proc/self/exe", "--case", "X"}), 2);
    EXPECT_EQ(run({"/nonexistent.so"}), 2);
    EXPECT_EQ(run({"/proc/self/exe", "--sed", "1"}), 2);
    const std::string out = testing::internal::GetCapturedStderr();
    EXPECT_NE(out.find("no case X"), std::string::npos) << out;
    EXPECT_NE(out.find("unknown option --sed"), std::string::npos) << out;
}

TEST(ConformanceRunner, KilledWorkHandsOverWhatItReported) {
    std::vector<int64_t> reported;
    const bool killed = run_and_kill(
        [](const auto& report) {
            for (int64_t i = 1;; ++i) report(i);
        },
        [](const std::vector<int64_t>& seen) { return seen.size() > 100; }, &reported);
    EXPECT_TRUE(killed);
    ASSERT_GT(reported.size(), 100U);
    EXPECT_EQ(reported[100], 101);
}

TEST(ConformanceRunner, WorkThatEndsByItselfWasNotKilled) {
    std::vector<int64_t> reported;
    EXPECT_FALSE(run_and_kill([](const auto& report) { report(7); }, [](const auto&) { return false; }, &reported));
    EXPECT_EQ(reported, std::vector<int64_t>{7});
}

}  // namespace
}  // namespace belfry::conformance
