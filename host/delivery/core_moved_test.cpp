// SPDX-License-Identifier: Apache-2.0
// Stores that are moved away under a process: it looks after each sign of life, and works no more.
#include <gtest/gtest.h>

#include <atomic>

#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

// A queue that counts claims and takes this process for dead when told to.
struct Watched {
    static inline const belfry_queue* behind = nullptr;
    static inline std::atomic<bool> fences{false};
    static inline std::atomic<uint64_t> claims{0}, beats{0}, node{0};
    static belfry_code claim(belfry_instance* i, uint64_t who, int32_t lane, belfry_list gates, uint32_t n,
                             uint32_t wait_ms, belfry_emit emit, void* ctx, belfry_why* why) {
        ++claims;
        return behind->claim(i, who, lane, gates, n, wait_ms, emit, ctx, why);
    }
    static belfry_code beat(belfry_instance* i, uint64_t who, belfry_pulse* pulse, belfry_why* why) {
        node = who;
        ++beats;
        return fences ? belfry_code{BELFRY_FENCED} : behind->beat(i, who, pulse, why);
    }
};

class CoreMoved : public ::testing::Test {
protected:
    CoreMoved() {
        Watched::fences = false;
        Watched::claims = Watched::beats = 0;
        rig_.options.beat_ms = 2;
    }
    ~CoreMoved() override {
        if (rig_.core) rig_.core->stop();
        rig_.sender.stop(0);
        rig_.core.reset();
    }
    Status start() {
        Result<std::unique_ptr<Core>> made = make(rig_.options, storage_, queue_, {{"fake", 0, &provider_, nullptr}},
                                                  rig_.sender, rig_.clock, rig_.log, rig_.metrics);
        if (!made) return made.error();
        rig_.core = std::move(*made);
        return rig_.core->start([this] {
            const ErrorCode answer = answer_;
            return answer == ErrorCode::Internal ? Status() : Status(error(answer, "moved"));
        });
    }
    static belfry_queue watched(const belfry_queue& table) {
        Watched::behind = &table;
        belfry_queue watched = table;
        watched.claim = &Watched::claim;
        watched.beat = &Watched::beat;
        return watched;
    }
    static bool more_beats() {
        return Rig::eventually([before = Watched::beats.load()] { return Watched::beats >= before + 5; });
    }

    Rig rig_;
    std::atomic<ErrorCode> answer_{ErrorCode::Internal};  // which stands for: it may
    plugins::Faults faults_{"fake"};
    belfry_queue table_ = watched(*rig_.queue.table());
    plugins::Storage storage_{rig_.storage.table(), rig_.storage.instance(), faults_};
    plugins::Queue queue_{&table_, rig_.queue.instance(), faults_};
    plugins::Provider provider_{rig_.providers[0]->table(), rig_.providers[0]->instance(), faults_};
};

TEST_F(CoreMoved, DoesNotStartOnThemAndLooksOnlyAfterItsFirstSignOfLife) {
    answer_ = ErrorCode::Misconfigured;
    const Status started = start();
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::Misconfigured);
    EXPECT_EQ(Watched::beats, 1u);
    EXPECT_EQ(Watched::claims, 0u);
}

TEST_F(CoreMoved, ClaimsNoMoreOnceTheyWereMoved) {
    ASSERT_TRUE(start());
    ASSERT_TRUE(Rig::eventually([] { return Watched::claims > 0; }));
    answer_ = ErrorCode::Misconfigured;
    ASSERT_TRUE(more_beats());
    const uint64_t claims = Watched::claims;
    ASSERT_TRUE(more_beats());
    EXPECT_LE(Watched::claims, claims + 1) << "one may have been under way";
    answer_ = ErrorCode::Internal;
    ASSERT_TRUE(more_beats());
    EXPECT_LE(Watched::claims, claims + 1) << "and never again";
}

TEST_F(CoreMoved, ClaimsOnWhileItIsNotKnown) {
    ASSERT_TRUE(start());
    answer_ = ErrorCode::Unavailable;
    ASSERT_TRUE(more_beats());
    const uint64_t claims = Watched::claims;
    EXPECT_TRUE(Rig::eventually([&] { return Watched::claims > claims + 1; }));
}

TEST_F(CoreMoved, IsNoNewNodeAfterItWasTakenForDeadUntilItIsKnown) {
    ASSERT_TRUE(start());
    const uint64_t node = Watched::node;
    answer_ = ErrorCode::Unavailable;
    Watched::fences = true;
    ASSERT_TRUE(more_beats());
    EXPECT_EQ(Watched::node, node);
    answer_ = ErrorCode::Internal;
    EXPECT_TRUE(Rig::eventually([&] { return Watched::node != node; }));
}

}  // namespace
}  // namespace belfry::delivery
