// SPDX-License-Identifier: Apache-2.0
#include "writer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>
#include <string>
#include <vector>

#include "feeds.h"

namespace belfry::queue_sqlite {
namespace {

// Records transactions; the first commit can be held up, and chosen ones fail.
class RecordingEngine : public Engine {
public:
    void begin(bool durable) override { current_ = durable ? "full:" : "normal:"; }
    void commit() override {
        if (gate_.valid()) {
            entered_.set_value();
            gate_.wait();
            gate_ = {};
        }
        if (failures_ > 0) {
            --failures_;
            throw std::runtime_error("disk full");
        }
        done.push_back(current_);
    }
    void rollback() noexcept override { ++rollbacks; }
    void tidy_up() noexcept override { ++tidied; }

    void note(const std::string& what) { current_ += what; }
    void hold_next_commit(std::shared_future<void> gate) { gate_ = std::move(gate); }
    std::future<void> entered() { return entered_.get_future(); }
    void fail_next(int n) { failures_ = n; }

    std::vector<std::string> done;
    int rollbacks = 0;
    std::atomic<int> tidied{0};

private:
    std::string current_;
    std::shared_future<void> gate_;
    std::promise<void> entered_;
    int failures_ = 0;
};

// A writer whose first transaction "0" commits only when open() is called; what is called meanwhile waits.
class BusyWriter {
public:
    BusyWriter() {
        engine.hold_next_commit(gate_.get_future().share());
        std::future<void> entered = engine.entered();
        start(Effect::Progress, "0");
        entered.wait();
    }
    void start(Effect effect, const std::string& what, size_t bytes = 1, bool throws = false) {
        const size_t waiting = writer.figures().waiting;
        const bool held = !callers_.empty();
        callers_.push_back(std::async(std::launch::async, [this, effect, what, bytes, throws] {
            writer.call(effect, bytes, [&] {
                engine.note(what);
                if (throws) throw std::invalid_argument(what);
            });
        }));
        while (held && !open_ && writer.figures().waiting == waiting) std::this_thread::yield();
    }
    void open() {
        open_ = true;
        gate_.set_value();
    }
    // The error of a caller, or nothing.
    std::string result(size_t caller) {
        try {
            callers_[caller].get();
            return "";
        } catch (const std::exception& error) {
            return error.what();
        }
    }

    RecordingEngine engine;
    Writer writer{engine};

private:
    bool open_ = false;
    std::promise<void> gate_;
    std::vector<std::future<void>> callers_;
};

TEST(Writer, CommandsThatArriveDuringACommitShareTheNextTransaction) {
    BusyWriter busy;
    busy.start(Effect::Durable, "a");
    busy.start(Effect::Progress, "b");
    busy.start(Effect::Durable, "c");
    busy.open();
    for (size_t i = 0; i < 4; ++i) EXPECT_EQ(busy.result(i), "");
    ASSERT_EQ(busy.engine.done.size(), 2u);
    EXPECT_EQ(busy.engine.done[0], "normal:0");
    EXPECT_EQ(busy.engine.done[1], "full:abc");
    EXPECT_EQ(busy.writer.figures().commits, 2u);
    EXPECT_EQ(busy.writer.figures().commands, 4u);
}

TEST(Writer, ProgressAloneIsCommittedWithoutSync) {
    BusyWriter busy;
    busy.start(Effect::Progress, "a");
    busy.start(Effect::Progress, "b");
    busy.open();
    EXPECT_EQ(busy.result(2), "");
    EXPECT_EQ(busy.engine.done.back(), "normal:ab");
}

TEST(Writer, ReadsRunBetweenTransactions) {
    BusyWriter busy;
    busy.start(Effect::Durable, "a");
    busy.start(Effect::Read, "r");
    busy.open();
    EXPECT_EQ(busy.result(1), "");
    EXPECT_EQ(busy.result(2), "");
    EXPECT_EQ(busy.engine.done.back(), "full:a");
}

TEST(Writer, FailedTransactionIsRetriedOneByOneSoThatOnlyTheGuiltyFails) {
    BusyWriter busy;
    busy.start(Effect::Durable, "a");
    busy.start(Effect::Durable, "bad", 1, true);
    busy.start(Effect::Durable, "c");
    busy.open();
    EXPECT_EQ(busy.result(1), "");
    EXPECT_EQ(busy.result(2), "bad");
    EXPECT_EQ(busy.result(3), "");
    EXPECT_EQ(busy.engine.done, (std::vector<std::string>{"normal:0", "full:a", "full:c"}));
    EXPECT_EQ(busy.engine.rollbacks, 2);
}

TEST(Writer, FailedCommitReachesEveryCallerAndLaterOnesSucceed) {
    BusyWriter busy;
    busy.start(Effect::Durable, "a");
    busy.start(Effect::Durable, "b");
    busy.engine.fail_next(4);  // the held one, the merged one, both alone
    busy.open();
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(busy.result(i), "disk full") << i;
    busy.start(Effect::Durable, "d");
    EXPECT_EQ(busy.result(3), "");
    EXPECT_EQ(busy.engine.done, std::vector<std::string>{"full:d"});
}

TEST(Writer, TransactionIsCutAtItsByteBound) {
    BusyWriter busy;
    busy.start(Effect::Durable, "a", Writer::kBytesMax);
    busy.start(Effect::Durable, "b", 1);
    busy.open();
    EXPECT_EQ(busy.result(2), "");
    EXPECT_EQ(busy.engine.done.at(1), "full:a");
    EXPECT_EQ(busy.engine.done.at(2), "full:b");
}

TEST(Replies, RepeatOnlyWhatWasCommitted) {
    Replies replies;
    const Replies::Key kept{1, 2, 3};
    const Replies::Key undone{1, 2, 4};
    replies.add(kept, {0, 5, {}});
    replies.commit();
    replies.add(undone, {0, 6, {}});
    replies.rollback();
    ASSERT_NE(replies.find(kept), nullptr);
    EXPECT_EQ(replies.find(kept)->live_items, 5u);
    EXPECT_EQ(replies.find(undone), nullptr);
}

TEST(Replies, ForgetTheOldestBeyondTheirBound) {
    Replies replies;
    for (uint64_t i = 0; i <= Replies::kKeptMax; ++i) {
        replies.add({1, 1, i + 1}, {});
        replies.commit();
    }
    EXPECT_EQ(replies.find({1, 1, 1}), nullptr);
    EXPECT_NE(replies.find({1, 1, 2}), nullptr);
}

TEST(Changes, GrowOverReopenings) {
    Changes changes;
    changes.start(1);
    changes.add(9, 5, "app", "uid");
    EXPECT_TRUE(changes.since(0).empty());
    changes.commit();
    const int64_t first = changes.latest();
    ASSERT_EQ(changes.since(0).size(), 1u);
    EXPECT_EQ(changes.since(0)[0].number, first);
    EXPECT_TRUE(changes.since(first).empty());
    Changes reopened;
    reopened.start(2);
    EXPECT_GT(reopened.latest(), first);
}

}  // namespace
}  // namespace belfry::queue_sqlite
