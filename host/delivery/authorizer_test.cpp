// SPDX-License-Identifier: Apache-2.0
#include "delivery/authorizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "fakes/facades.h"
#include "fakes/scripted_provider.h"

namespace belfry::delivery {
namespace {

bool eventually(const std::function<bool()>& what) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!what()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

class AuthorizerTest : public testing::Test {
protected:
    AuthorizerTest() { plugin.uses_credential = true; }
    std::unique_ptr<Authorizer> make() {
        return std::make_unique<Authorizer>(provider, "fake", clock, log, [this] { ++changes; });
    }
    ManualClock clock;
    fakes::QuietLog log;
    fakes::ScriptedProvider plugin;
    plugins::Faults faults{"fake"};
    plugins::Provider provider{plugin.table(), plugin.instance(), faults};
    std::atomic<int> changes{0};
};

TEST_F(AuthorizerTest, MakesTheCredentialOfAWantedSlotOnce) {
    const auto authorizer = make();
    EXPECT_TRUE(authorizer->ready());  // nothing is needed yet
    const auto slot = authorizer->slot(0);
    ASSERT_TRUE(eventually([&] { return authorizer->ready() && slot->get() != nullptr; }));
    EXPECT_EQ(slot->get()->value, "Bearer 1");
    EXPECT_EQ(slot->get()->generation, 1u);
    EXPECT_EQ(authorizer->slot(0), slot);
    EXPECT_EQ(plugin.authorized.load(), 1);
    EXPECT_EQ(authorizer->slot(kCredentialSlotsMax), nullptr);
}

TEST_F(AuthorizerTest, AProviderWithoutCredentialsNeedsNone) {
    plugin.uses_credential = false;
    const auto authorizer = make();
    authorizer->slot(0);
    EXPECT_TRUE(eventually([&] { return changes > 0; }));
    EXPECT_TRUE(authorizer->ready());
    EXPECT_FALSE(authorizer->status().needed);
}

TEST_F(AuthorizerTest, RenewsInTheBackgroundBeforeTheEnd) {
    const auto authorizer = make();
    const auto slot = authorizer->slot(0);
    ASSERT_TRUE(eventually([&] { return slot->get() != nullptr; }));
    clock.advance(std::chrono::minutes(55));
    ASSERT_TRUE(eventually([&] { return slot->get()->generation == 2; }));
    EXPECT_TRUE(authorizer->ready());
}

TEST_F(AuthorizerTest, AShortLivedCredentialIsUsedForNineTenthsOfItsTime) {
    std::atomic<bool> works{true};
    plugin.credential_valid_ms = 4'000;
    plugin.authorizing = [&](int, belfry_why* why) {
        return works ? belfry_code{BELFRY_OK} : because(why, BELFRY_RETRY_LATER, {}, "down");
    };
    const auto authorizer = make();
    authorizer->slot(0);
    ASSERT_TRUE(eventually([&] { return authorizer->ready(); }));
    works = false;
    clock.advance(std::chrono::milliseconds(3'599));
    EXPECT_TRUE(authorizer->ready());
    clock.advance(std::chrono::milliseconds(1));
    EXPECT_FALSE(authorizer->ready());
}

TEST_F(AuthorizerTest, NoCredentialIsUsedInItsLastFiveSeconds) {
    std::atomic<bool> works{true};
    plugin.authorizing = [&](int, belfry_why* why) {
        return works ? belfry_code{BELFRY_OK} : because(why, BELFRY_RETRY_LATER, {}, "down");
    };
    const auto authorizer = make();
    authorizer->slot(0);
    ASSERT_TRUE(eventually([&] { return authorizer->ready(); }));
    works = false;
    clock.advance(std::chrono::seconds(3'595) - std::chrono::milliseconds(1));
    EXPECT_TRUE(authorizer->ready());
    clock.advance(std::chrono::milliseconds(1));
    EXPECT_FALSE(authorizer->ready());
}

TEST_F(AuthorizerTest, RejectionsOfOneGenerationAskForOneRenewal) {
    const auto authorizer = make();
    const auto slot = authorizer->slot(0);
    ASSERT_TRUE(eventually([&] { return slot->get() != nullptr; }));
    authorizer->prove(0, 1);
    for (int i = 0; i < 100; ++i) authorizer->reject(0, 1);
    ASSERT_TRUE(eventually([&] { return authorizer->renewed_since(0, 1); }));
    for (int i = 0; i < 100; ++i) authorizer->reject(0, 1);  // late ones
    EXPECT_TRUE(authorizer->ready());
    EXPECT_EQ(plugin.authorized.load(), 2);
    EXPECT_FALSE(authorizer->renewed_since(0, 2));
}

TEST_F(AuthorizerTest, AFreshCredentialThatIsRejectedTooNeedsAnOperator) {
    const auto authorizer = make();
    authorizer->slot(0);
    ASSERT_TRUE(eventually([&] { return authorizer->ready(); }));
    authorizer->reject(0, 1);
    ASSERT_TRUE(eventually([&] { return authorizer->renewed_since(0, 1); }));
    authorizer->reject(0, 2);
    EXPECT_FALSE(authorizer->ready());
    EXPECT_TRUE(authorizer->status().operator_must_act);
    EXPECT_EQ(authorizer->status().next_try_mono_ns, clock.mono_ns() + 60 * kNsPerSecond);
    EXPECT_EQ(plugin.authorized.load(), 2);
    clock.advance(std::chrono::seconds(61));
    ASSERT_TRUE(eventually([&] { return authorizer->ready(); }));
    authorizer->reject(0, 3);
    EXPECT_EQ(authorizer->status().next_try_mono_ns, clock.mono_ns() + 120 * kNsPerSecond);  // slower each time
}

TEST_F(AuthorizerTest, ARefusalIsProbedSlowlyAndTroubleSoon) {
    std::atomic<int32_t> code{BELFRY_AUTH};
    plugin.authorizing = [&](int, belfry_why* why) { return because(why, code, "credentials", "the key was revoked"); };
    const auto authorizer = make();
    authorizer->slot(0);
    ASSERT_TRUE(eventually([&] { return authorizer->status().operator_must_act; }));
    EXPECT_EQ(authorizer->status().reason, "credentials: the key was revoked");
    EXPECT_EQ(authorizer->status().next_try_mono_ns, clock.mono_ns() + 60 * kNsPerSecond);
    code = BELFRY_RETRY_LATER;
    clock.advance(std::chrono::seconds(60));
    ASSERT_TRUE(eventually([&] { return !authorizer->status().operator_must_act; }));
    EXPECT_EQ(authorizer->status().next_try_mono_ns, clock.mono_ns() + 2 * kNsPerSecond);
    EXPECT_FALSE(authorizer->ready());
}

}  // namespace
}  // namespace belfry::delivery
