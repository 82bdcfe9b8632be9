// SPDX-License-Identifier: Apache-2.0
#include "conformance/runner/runner.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "conformance/runner/lent.h"
#include "conformance/runner/process.h"

#if defined(__SANITIZE_ADDRESS__)
// The runner tells a crash by its signal, which the sanitizer would turn into an exit.
extern "C" const char* __asan_default_options();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __asan_default_options() {
    return "handle_segv=0";
}
#endif

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
void leaves_quietly(Context&) {
    ::_exit(0);
}
void throws_its_own(Context&) {
    throw std::range_error("out of range");
}
void crashes_on_the_way(Context& context) {
    context.step("the bridge is crossed");
    std::abort();
}
void notes_and_passes(Context& context) {
    context.note("two\nlines");
    require(!context.directory.empty(), "there is a folder");
}
void prints(Context&) {
    std::puts("noise");
}

Answer run(void (*what)(Context&), std::chrono::seconds timeout = std::chrono::seconds(10)) {
    const Case one{"X", "something holds", 10, what};
    Context context("/proc/self/exe", "{}", "/tmp", 1);
    return run_in_process(one, context, timeout);
}

TEST(ConformanceRunner, TellsEveryKindOfEnd) {
    EXPECT_EQ(run(passes).verdict, Verdict::Passed);
    const Answer failed = run(fails);
    EXPECT_EQ(failed.verdict, Verdict::Failed);
    EXPECT_EQ(failed.text.rfind("letter: expected \"b\", came \"a\" [runner_test.cpp:", 0), 0u) << failed.text;
    const Answer skipped = run(skips);
    EXPECT_EQ(skipped.verdict, Verdict::Skipped);
    EXPECT_EQ(skipped.text, "nothing to test");
    EXPECT_EQ(run(crashes).text, "crashed: Aborted");
    EXPECT_EQ(run(crashes).verdict, Verdict::Failed);
    EXPECT_EQ(run(hangs, std::chrono::seconds(1)).text, "no end after 1 s");
    EXPECT_EQ(run(throws_its_own).text, "an exception came out of a call: out of range");
}

TEST(ConformanceRunner, TakesAnEndOfTheProcessForNoSuccess) {
    const Answer answer = run(leaves_quietly);
    EXPECT_EQ(answer.verdict, Verdict::Failed);
    EXPECT_EQ(answer.text, "ended the process with exit code 0");
}

TEST(ConformanceRunner, NamesTheStepThatACrashCameIn) {
    EXPECT_EQ(run(crashes_on_the_way).text, "crashed: Aborted while the bridge is crossed");
}

TEST(ConformanceRunner, HandsNotesOverEachAsOneLine) {
    const Answer answer = run(notes_and_passes);
    EXPECT_EQ(answer.verdict, Verdict::Passed);
    EXPECT_EQ(answer.notes, std::vector<std::string>{"two lines"});
}

TEST(ConformanceRunner, KeepsWhatACasePrintsOutOfTheReport) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_EQ(run(prints).verdict, Verdict::Passed);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "noise\n");
}

TEST(ConformanceRunner, LentMemoryIsGoneOnceItIsTakenBack) {
    const Answer answer = run([](Context& context) {
        Lent lent;
        const belfry_str text = lent.text("hello");
        require_equal(std::string_view(text.p, text.n), "hello", "what was lent");
        lent.take_back();
        context.step("it is read afterwards");
        require(text.p[0] == 'h', "this is never reached");
    });
    EXPECT_EQ(answer.text, "crashed: Segmentation fault while it is read afterwards");
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
