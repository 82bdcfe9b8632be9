// SPDX-License-Identifier: Apache-2.0
// Who is given up when an answer calls all of its tokens dead: hms.md sections 10 and 17.8.
#include <chrono>

#include "fakes/hms_bed.h"
#include "strikes.h"

namespace belfry::fakes {
namespace {

constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT, kLearn = BELFRY_VERDICT_LEARN_VARIANT;
using std::chrono::hours;
using std::chrono::minutes;

class HmsDeadTokens : public testing::Test {
protected:
    HmsDeadTokens() { bed.prepare(R"({"message":{"data":"x"}})"); }

    Answer answer(const char* code, size_t tokens, uint32_t variant = 0) const {
        const std::string body = R"({"code":")" + std::string(code) + R"(","msg":"All the tokens are invalid"})";
        return {200, body, "", 0, 0, variant, HmsBed::tokens(tokens)};
    }
    Answer served(size_t tokens = 1) const { return answer("80000000", tokens); }
    Answer dead(size_t tokens = 1, uint32_t variant = 0) const { return answer("80300007", tokens, variant); }
    void serve(size_t requests) {
        for (size_t i = 0; i < requests; ++i) bed.decode(std::vector<Answer>{served(100)});
    }
    // Of all tokens alike.
    Verdict judge(const Answer& given) {
        const auto verdicts = bed.decode(std::vector<Answer>{given});
        EXPECT_EQ(verdicts.size(), given.tokens.size());
        for (const Verdict& each : verdicts) EXPECT_EQ(each.outcome, verdicts[0].outcome);
        return verdicts.at(0);
    }
    size_t errors() const {
        size_t n = 0;
        for (const auto& line : bed.host.log.lines) n += line.level == LogLevel::Error;
        return n;
    }

    HmsBed bed;
};

struct Row {
    const char* name;
    size_t served, all_dead;  // requests within the hour, before the one that is judged
    size_t tokens;            // of each all-dead one
    int32_t outcome;
    bool suspect;
    const char* reason;
    friend void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }
};
class HmsGate : public HmsDeadTokens, public testing::WithParamInterface<Row> {};
TEST_P(HmsGate, BelievesWhatIsRareAmongProvenCredentials) {
    serve(GetParam().served);
    for (size_t i = 0; i < GetParam().all_dead; ++i) judge(dead(GetParam().tokens));
    const Verdict verdict = judge(dead(GetParam().tokens));
    EXPECT_EQ(verdict.outcome, GetParam().outcome) << verdict.reason;
    EXPECT_EQ((verdict.flags & kSuspect) != 0, GetParam().suspect);
    EXPECT_NE(verdict.reason.find(GetParam().reason), std::string::npos) << verdict.reason;
}
INSTANTIATE_TEST_SUITE_P(
    Rows, HmsGate,
    testing::Values(Row{"S17_8_one_success_then_one_dead", 1, 0, 1, BELFRY_DEVICE_GONE, false, "80300007"},
                    Row{"nothing_served", 0, 0, 2, BELFRY_REFUSED, true, "no device was served"},
                    Row{"a_fifth", 4, 1, 2, BELFRY_REFUSED, true, "too many requests"},
                    Row{"a_whole_request_after_one_success", 1, 0, 50, BELFRY_REFUSED, true, "too many requests"},
                    Row{"two_of_seven", 5, 1, 2, BELFRY_REFUSED, true, "too many requests"},
                    Row{"less_than_a_fifth", 9, 1, 2, BELFRY_DEVICE_GONE, false, "80300007"},
                    Row{"less_than_a_fifth_of_many", 41, 9, 4, BELFRY_DEVICE_GONE, false, "80300007"},
                    Row{"fifty_tokens_are_few", 100, 4, 10, BELFRY_DEVICE_GONE, false, "80300007"},
                    Row{"more_are_too_many", 100, 5, 10, BELFRY_REFUSED, true, "at once"},
                    Row{"a_whole_request", 100, 0, 1000, BELFRY_REFUSED, true, "at once"},
                    Row{"many_single_ones_are_for_the_host", 300, 60, 1, BELFRY_DEVICE_GONE, true, "80300007"}),
    case_name<Row>);

TEST_F(HmsDeadTokens, AreKeptAndToldOnceBeforeAnythingWasServed) {  // 17.8
    for (int i = 0; i < 10; ++i) EXPECT_EQ(judge(dead(100)).outcome, BELFRY_REFUSED);
    EXPECT_EQ(errors(), 1U);
    serve(100);
    EXPECT_EQ(judge(dead()).outcome, BELFRY_DEVICE_GONE);
    for (int i = 0; i < 40; ++i) judge(dead(100));
    EXPECT_EQ(errors(), 2U) << "another time";
}

TEST_F(HmsDeadTokens, OfOneCallAreHeldAgainstEachOther) {
    serve(10);
    const std::vector<Answer> page(5, dead(100));
    for (const Verdict& verdict : bed.decode(page)) EXPECT_EQ(verdict.outcome, BELFRY_REFUSED);
}

TEST_F(HmsDeadTokens, AreJudgedByTheLastHour) {
    serve(1);
    bed.host.clock.advance(minutes(54));
    EXPECT_EQ(judge(dead()).outcome, BELFRY_DEVICE_GONE);
    bed.host.clock.advance(minutes(7));
    EXPECT_EQ(judge(dead()).outcome, BELFRY_REFUSED) << "the success is an hour old";
    serve(4);
    EXPECT_EQ(judge(dead()).outcome, BELFRY_REFUSED) << "two of six";
    bed.host.clock.advance(minutes(61));
    serve(1);
    EXPECT_EQ(judge(dead()).outcome, BELFRY_DEVICE_GONE) << "those are forgotten";
}

TEST_F(HmsDeadTokens, OneEveryTenMinutesAmongOthersIsGivenUp) {
    for (int i = 0; i < 30; ++i) {
        bed.host.clock.advance(minutes(10));
        const bool is_dead = i % 7 == 6;
        EXPECT_EQ(judge(is_dead ? dead() : served()).outcome, is_dead ? BELFRY_DEVICE_GONE : BELFRY_ACCEPTED) << i;
    }
}

TEST_F(HmsDeadTokens, AnswersAboutTopicsAndDryRunsProveNothing) {
    bed.prepare(R"({"message":{"data":"x"}})", "", BELFRY_CONTENT_TOPIC, "news");
    bed.decode(served());
    bed.prepare(R"({"message":{"data":"x"}})", "", BELFRY_CONTENT_TOKENS, "", BELFRY_CONTENT_DRY_RUN);
    bed.decode(served());
    EXPECT_EQ(judge(dead()).outcome, BELFRY_REFUSED) << "and give nobody up";
    EXPECT_EQ(judge(dead()).flags, 0U);
    bed.prepare(R"({"message":{"data":"x"}})");
    EXPECT_EQ(judge(dead(2)).outcome, BELFRY_REFUSED);
}

TEST_F(HmsDeadTokens, APartialSuccessNeedsNoGate) {
    for (int i = 0; i < 10; ++i) judge(dead(100));
    Answer partly = served(3);
    partly.body = R"({"code":"80100000","msg":{"success":2,"failure":1,"illegal_tokens":["T1"]}})";
    const auto verdicts = bed.decode(std::vector<Answer>{partly});
    EXPECT_EQ(verdicts.at(1).outcome, BELFRY_DEVICE_GONE);
    EXPECT_EQ(verdicts.at(1).flags, 0U);
}

class HmsStrikes : public HmsDeadTokens {
protected:
    // A dead device gets a push; its variant afterwards.
    Verdict strike() {
        const Verdict verdict = judge(dead(1, variant));
        if ((verdict.flags & kLearn) != 0) variant = verdict.variant;
        return verdict;
    }
    void next_day() { bed.host.clock.advance(hours(24)); }
    // So that the gate is shut.
    void serve_and_shut() {
        serve(1);
        for (int i = 0; i < 5; ++i) judge(dead(2));
    }
    uint32_t variant = 0;
};

TEST_F(HmsStrikes, GiveADeviceUpOnTheThirdDay) {  // section 10, 3
    for (int day = 1; day <= 3; ++day) {
        serve_and_shut();
        const Verdict first = strike();
        EXPECT_EQ(first.outcome, day < 3 ? BELFRY_REFUSED : BELFRY_DEVICE_GONE) << day;
        EXPECT_EQ(first.flags, day < 3 ? kSuspect | kLearn : 0U) << day;
        if (day < 3) {
            EXPECT_EQ(strike().flags, kSuspect) << "twice on a day is once";
        }
        next_day();
    }
}

TEST_F(HmsStrikes, NeedASuccessInBetween) {
    serve_and_shut();
    for (int day = 1; day <= 10; ++day, next_day()) EXPECT_EQ(strike().outcome, BELFRY_REFUSED) << day;
    serve_and_shut();
    EXPECT_EQ(strike().outcome, BELFRY_DEVICE_GONE);
}

TEST_F(HmsStrikes, AreForgottenWhenTheDeviceIsServedOrAfterAMonth) {
    serve_and_shut();
    strike();
    next_day();
    serve_and_shut();
    strike();
    EXPECT_EQ(hms::Strikes::of(variant).days, 2U);
    const Verdict verdict = judge(answer("80000000", 1, variant));
    EXPECT_EQ(verdict.flags, kLearn);
    EXPECT_EQ(verdict.variant, 0U);
    bed.host.clock.advance(hours(24 * 31));
    serve_and_shut();
    EXPECT_EQ(strike().outcome, BELFRY_REFUSED);
    EXPECT_EQ(hms::Strikes::of(variant).days, 1U);
}

TEST_F(HmsStrikes, AreNotCountedForDevicesThatShareARequest) {
    const Verdict verdict = judge(dead(2));
    EXPECT_EQ(verdict.flags, kSuspect);
}

TEST_F(HmsStrikes, MeanARequestOfOnesOwn) {  // else nobody would see that the device is served
    strike();
    ASSERT_NE(variant, 0U);
    const std::string payload = R"({"message":{"data":"x"}})";
    const auto encoded = bed.encode({{"T1", "", 0, payload}, {"T2", "", variant, payload}, {"T3", "", 0, payload}});
    ASSERT_EQ(encoded.requests.size(), 3U);
    for (const auto& request : encoded.requests) EXPECT_EQ(request.items, 1U);
}

TEST(HmsStrikeBits, LeaveTheOthersAlone) {
    const hms::Strikes strikes{2, 65'535};
    EXPECT_EQ(hms::Strikes::without(strikes.in(3)), 3U);
    EXPECT_EQ(hms::Strikes::of(strikes.in(1)).days, 2U);
    EXPECT_EQ(hms::Strikes::of(strikes.in(1)).last_day, 65'535U);
}

}  // namespace
}  // namespace belfry::fakes
