// SPDX-License-Identifier: Apache-2.0
#include "delivery/credential_watch.h"

#include <gtest/gtest.h>

#include <chrono>

#include "fakes/facades.h"

namespace belfry::delivery {
namespace {

using std::chrono::hours;

class Watch : public testing::Test {
protected:
    ManualClock clock;
    fakes::QuietLog log;
    CredentialWatch watch{"apns", clock, log};
    std::string first() const {
        const std::vector<std::string> notices = watch.report().notices;
        return notices.empty() ? "" : notices.front();
    }
};

TEST_F(Watch, SaysNothingAboutWhatItDoesNotKnow) {
    const CredentialReport report = watch.report();
    EXPECT_FALSE(report.certificate_valid_ms);
    EXPECT_FALSE(report.clock_skew_ms);
    EXPECT_TRUE(report.notices.empty());
}

TEST_F(Watch, NamesACertificateAMonthBeforeItsEndAndAfterIt) {
    plugins::HostFacts facts;
    facts.certificate_until_unix_ms = clock.unix_ms() + 40LL * 24 * 3'600'000;
    watch.know(facts);
    EXPECT_EQ(first(), "");
    clock.advance(hours(24 * 12));
    EXPECT_EQ(first(), "its certificate expires in 28 days: make a new one, reload");
    clock.advance(hours(24 * 28));
    EXPECT_EQ(first(), "its certificate has expired: make a new one, reload");
    EXPECT_LE(*watch.report().certificate_valid_ms, 0);
}

TEST_F(Watch, MeasuresTheClockByTheLatestDate) {
    plugins::HostFacts facts;
    facts.clock_skew_ms = 125'000;
    facts.clock_seen_mono_ns = clock.mono_ns();
    watch.know(facts);
    EXPECT_EQ(first(), "this machine's clock is 125 s ahead of the provider's: set it, or tokens will be refused");
    clock.advance(hours(1));
    watch.note_peer_clock(clock.unix_ms() + 90'000);
    EXPECT_EQ(first(), "this machine's clock is 90 s behind the provider's: set it, or tokens will be refused");
    clock.advance(hours(1));
    watch.note_peer_clock(clock.unix_ms() + 15'000);
    EXPECT_EQ(first(), "");
    EXPECT_EQ(watch.report().clock_skew_ms, -15'000);
}

TEST_F(Watch, PassesOnWhatThePluginWarnedOf) {
    plugins::HostFacts facts;
    facts.warnings = {"subject names nobody"};
    watch.know(facts);
    EXPECT_EQ(first(), "subject names nobody");
    watch.know({});
    EXPECT_EQ(first(), "") << "a new generation has its own";
}

}  // namespace
}  // namespace belfry::delivery
