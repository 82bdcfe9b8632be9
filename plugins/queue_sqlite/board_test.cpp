// SPDX-License-Identifier: Apache-2.0
#include "board.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "pages.h"

namespace belfry::queue_sqlite {
namespace {

constexpr int32_t kLane = 2;
constexpr uint64_t kNode = 7;

// Items of several pushes on one board, paged as the writer would.
class BoardTest : public testing::Test {
protected:
    BoardTest() : path_(testing::TempDir() + "board_test." + std::to_string(::getpid())), ledger_(path_) {
        board_ = std::make_unique<Board>(ledger_, Board::Bounds{});
    }
    ~BoardTest() override { std::filesystem::remove(path_); }

    Item& add(int64_t push, uint32_t gate = 0, int64_t vt = 0) {
        auto item = std::make_unique<Item>();
        item->id = static_cast<int64_t>(items_.size()) + 1;
        item->push = push;
        item->kind = 1;
        item->lane = kLane;
        item->gate = gate;
        item->vt = vt;
        ++live_[push];
        items_.push_back(std::move(item));
        publish(*items_.back());
        return *items_.back();
    }
    void publish(Item& item) {
        Item* const one[] = {&item};
        board_->publish(one);
    }
    Claim claim(uint32_t n, std::vector<uint32_t> gates = {}) { return board_->claim(kNode, kLane, gates, n, 0); }
    // Claims and releases `pages` items, each a page of 1000 deliveries; answers pages per push.
    std::map<int64_t, int> run(int pages, const std::map<int64_t, uint32_t>& weights = {}) {
        std::map<int64_t, int> counts;
        for (int i = 0; i < pages; ++i) {
            const Claim claimed = claim(1);
            if (claimed.grants.empty()) break;
            Item& item = *items_[static_cast<size_t>(claimed.grants[0].id) - 1];
            const auto weight = weights.find(item.push);
            item.vt += virtual_cost(1000, live_[item.push], 1, weight == weights.end() ? 1 : weight->second);
            ++counts[item.push];
            publish(item);
        }
        return counts;
    }

    std::string path_;
    Ledger ledger_;
    std::unique_ptr<Board> board_;
    std::vector<std::unique_ptr<Item>> items_;
    std::map<int64_t, uint32_t> live_;
};

TEST_F(BoardTest, HandsOutLowestVirtualTimeFirstAndArrivalOrderAmongEquals) {
    add(1, 0, 30);
    add(2, 0, 10);
    add(3, 0, 10);
    const Claim claimed = claim(3);
    ASSERT_EQ(claimed.grants.size(), 3u);
    EXPECT_EQ(claimed.grants[0].id, 2);
    EXPECT_EQ(claimed.grants[1].id, 3);
    EXPECT_EQ(claimed.grants[2].id, 1);
}

TEST_F(BoardTest, ItemsOfClosedGatesStayUntilTheirGateOpens) {
    add(1, 5);
    Item& open = add(2, 0);
    const Claim first = claim(5, {4});
    ASSERT_EQ(first.grants.size(), 1u);
    EXPECT_EQ(first.grants[0].id, open.id);
    EXPECT_EQ(claim(5, {4, 5}).grants.size(), 1u);
}

TEST_F(BoardTest, StoppedItemsAreClaimableWhateverTheirGate) {
    Item& item = add(1, 5);
    ASSERT_TRUE(board_->withdraw(item));
    item.stopped = true;
    publish(item);
    EXPECT_EQ(claim(5).grants.size(), 1u);
}

TEST_F(BoardTest, PushWithSixtyFourSlicesGetsTheShareOfOneWithASingleSlice) {
    for (int i = 0; i < 64; ++i) add(1);
    add(2);
    std::map<int64_t, int> counts = run(4000);
    EXPECT_NEAR(counts[1], 2000, 100);
    EXPECT_NEAR(counts[2], 2000, 100);
}

TEST_F(BoardTest, WeightThreeGetsThreeTimesTheShareOfWeightOne) {
    add(1);
    add(2);
    std::map<int64_t, int> counts = run(4000, {{1, 3}});
    EXPECT_NEAR(counts[1], 3000, 50);
    EXPECT_NEAR(counts[2], 1000, 50);
}

TEST_F(BoardTest, LatecomerGetsItsShareAtOnceWithoutArrears) {
    add(1);
    run(1000);
    add(2);
    std::map<int64_t, int> counts = run(100);
    EXPECT_NEAR(counts[1], 50, 2);
    EXPECT_NEAR(counts[2], 50, 2);
}

TEST_F(BoardTest, ItemBehindAReopenedGateIsServedOncePerItemThenShares) {
    add(1);
    Item& waiting = add(2, 5);
    run(1000);
    ASSERT_TRUE(board_->withdraw(waiting));
    waiting.gate = 0;
    publish(waiting);
    std::map<int64_t, int> counts = run(100);
    EXPECT_NEAR(counts[2], 50, 2);
}

TEST_F(BoardTest, WithdrawFailsForAnItemThatAClaimTook) {
    Item& item = add(1);
    ASSERT_EQ(claim(1).grants.size(), 1u);
    EXPECT_FALSE(board_->withdraw(item));
    EXPECT_TRUE(board_->is_held(item));
    EXPECT_EQ(board_->held_count(kLane), 1);
}

TEST_F(BoardTest, EveryClaimHasAnEpochOfItsOwn) {
    Item& item = add(1);
    const uint32_t first = claim(1).grants.at(0).epoch;
    publish(item);
    EXPECT_NE(claim(1).grants.at(0).epoch, first);
}

TEST_F(BoardTest, FullShelfSpillsAndAsksForItsItemsOnceItRunsLow) {
    board_ = std::make_unique<Board>(ledger_, Board::Bounds{8, 1024});
    for (int i = 0; i < 8; ++i) add(i + 1);
    EXPECT_FALSE(board_->has_room({kLane, 0}));
    board_->spill({kLane, 0}, 9);
    board_->spill({kLane, 0}, 10);
    const Claim first = claim(8);
    EXPECT_EQ(first.grants.size(), 8u);
    const Claim second = claim(1);
    ASSERT_TRUE(second.starved.has_value());
    const Board::Fetch fetch = board_->next_fetch(*second.starved);
    EXPECT_EQ(fetch.after, 8);
    EXPECT_EQ(fetch.limit, 8u);
    board_->fetched(*second.starved, 10, false);
    EXPECT_FALSE(claim(1).starved.has_value());
    EXPECT_TRUE(board_->has_room({kLane, 0}));
}

TEST_F(BoardTest, ContentsBeyondTheirBoundStayOnDisk) {
    board_ = std::make_unique<Board>(ledger_, Board::Bounds{8, 100});
    Item& first = add(1);
    board_->withdraw(first);
    first.content = std::make_shared<const std::string>(80, 'a');
    publish(first);
    Item& second = add(2);
    board_->withdraw(second);
    second.content = std::make_shared<const std::string>(80, 'b');
    publish(second);
    const Claim claimed = claim(2);
    EXPECT_NE(claimed.grants.at(0).content, nullptr);
    EXPECT_EQ(claimed.grants.at(1).content, nullptr);
}

TEST_F(BoardTest, WaitEndsWhenSomethingIsPublished) {
    const Claim empty = claim(1);
    add(1);
    const auto before = std::chrono::steady_clock::now();
    board_->wait(empty.version, before + std::chrono::seconds(10));
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST(Ledger, RemembersWhatWasHeldWhenTheProcessEnded) {
    const std::string path = testing::TempDir() + "ledger_test." + std::to_string(::getpid());
    std::filesystem::remove(path);
    {
        Ledger ledger(path);
        EXPECT_TRUE(ledger.found().empty());
        const uint32_t released = ledger.hold(11);
        ledger.hold(12);
        ledger.release(released);
    }
    {
        Ledger ledger(path);
        EXPECT_EQ(ledger.found(), std::vector<int64_t>{12});
        ledger.clear_all();
    }
    EXPECT_TRUE(Ledger(path).found().empty());
    std::filesystem::remove(path);
}

TEST(Ledger, MoreItemsThanSlotsAreHeldUnrecorded) {
    const std::string path = testing::TempDir() + "ledger_full." + std::to_string(::getpid());
    Ledger ledger(path);
    for (uint32_t i = 0; i < Ledger::kSlots; ++i) EXPECT_NE(ledger.hold(i + 1), Ledger::kNoSlot);
    EXPECT_EQ(ledger.hold(1), Ledger::kNoSlot);
    ledger.release(Ledger::kNoSlot);
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace belfry::queue_sqlite
