// SPDX-License-Identifier: Apache-2.0
// The pipeline over the real embedded storage and queue: the same promises, kept by SQLite files.
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <random>
#include <set>

#include "audience/hashes.h"
#include "conformance/runner/plugin.h"
#include "delivery/core_rig.h"

namespace belfry::delivery {
namespace {

using conformance::FakeHost;
using conformance::Instance;

constexpr const char* kPlugins = BELFRY_TEST_PLUGIN_DIR;

std::string plugin(const char* name) {
    return std::string(kPlugins) + "/" + name + ".so";
}

// Started stores in a directory of their own, and a core over them.
class SqliteRig {
public:
    explicit SqliteRig(fakes::ScriptedSender::Script script) : sender_(std::move(script)) {
        char name[] = "/tmp/belfry-core-XXXXXX";
        directory_ = mkdtemp(name);
        options.attempts.base_ms = 1;
        options.attempts.cap_ms = 20;
        options.straggler_after_ms = 30;
        options.changes_ms = 10;
        options.stop_answers_ms = 200;
        open();
    }
    ~SqliteRig() {
        close();
        std::filesystem::remove_all(directory_);
    }
    void open() {
        host_ = std::make_unique<FakeHost>(directory_ + "/state");
        storage_ = std::make_unique<Instance>(*host_, plugin("storage_sqlite"),
                                              "{\"path\":\"" + directory_ + "/storage.db\"}", BELFRY_STORAGE_ID);
        queue_ = std::make_unique<Instance>(*host_, plugin("queue_sqlite"),
                                            "{\"path\":\"" + directory_ + "/queue.db\"}", BELFRY_QUEUE_ID);
        storage_adapter = std::make_unique<plugins::Storage>(
            static_cast<const belfry_storage*>(storage_->interface_table()), storage_->get(), faults);
        queue_adapter = std::make_unique<plugins::Queue>(static_cast<const belfry_queue*>(queue_->interface_table()),
                                                         queue_->get(), faults);
        provider_adapter_ = std::make_unique<plugins::Provider>(provider_.table(), provider_.instance(), faults);
        Result<std::unique_ptr<Core>> made =
            make(options, *storage_adapter, *queue_adapter, {{"fake", 0, provider_adapter_.get(), nullptr}}, sender_,
                 clock_, log_, metrics_);
        ASSERT_TRUE(made) << made.error().to_string();
        core = std::move(*made);
        ASSERT_TRUE(core->start());
    }
    void close() {
        core->stop();
        core.reset();
        queue_adapter.reset();
        storage_adapter.reset();
        queue_.reset();
        storage_.reset();
    }
    void restart(fakes::ScriptedSender::Script script) {
        close();
        sender_.revive(std::move(script));
        open();
    }
    void add_devices(uint32_t n) {
        std::vector<belfry_registration> rows(n);
        std::vector<std::string> tokens(n);
        const belfry_str topic = str(std::string_view("news"));
        for (uint32_t i = 0; i < n; ++i) {
            tokens[i] = "token-" + std::to_string(i);
            rows[i] = sized<belfry_registration>();
            rows[i].key = -1;
            rows[i].prefix = audience::key_prefix(1, "default", "fake", tokens[i]);
            const audience::Hash16 identity = audience::identity_hash("fake", tokens[i]);
            const audience::Hash16 token = audience::token_hash(tokens[i]);
            std::copy(identity.begin(), identity.end(), rows[i].identity_hash);
            std::copy(token.begin(), token.end(), rows[i].token_hash);
            rows[i].provider = str(std::string_view("fake"));
            rows[i].token = str(std::string_view(tokens[i]));
            rows[i].platform = str(std::string_view("android"));
            rows[i].topics = one_row(topic);
        }
        uint32_t created = 0;
        ASSERT_TRUE(storage_adapter->register_devices(
            "default", rows, [&](const belfry_registered& row) { created += row.code == BELFRY_OK; }));
        ASSERT_EQ(created, n);
    }
    std::string send(PushRequest request) {
        Result<Accepted> done = core->accept(std::move(request));
        EXPECT_TRUE(done) << done.error().to_string();
        return done ? done->uid : std::string();
    }
    PushStatus status(const std::string& uid) {
        Result<PushStatus> found = core->status("default", uid);
        EXPECT_TRUE(found) << uid;
        return found ? *found : PushStatus{};
    }
    bool reaches(const std::string& uid, const std::string& state) {
        return Rig::eventually([&] { return status(uid).state == state && status(uid).planned_final; }, 40);
    }
    static int64_t sum(const PushStatus& status) {
        int64_t sum = 0;
        for (const OutcomeCount& count : status.outcomes) sum += count.n;
        return sum;
    }
    static int64_t count(const PushStatus& status, const std::string& outcome) {
        int64_t sum = 0;
        for (const OutcomeCount& one : status.outcomes) sum += one.outcome == outcome ? one.n : 0;
        return sum;
    }
    fakes::ScriptedSender& sender() { return sender_; }

    Options options;
    plugins::Faults faults{"sqlite"};
    std::unique_ptr<plugins::Storage> storage_adapter;
    std::unique_ptr<plugins::Queue> queue_adapter;
    std::unique_ptr<Core> core;

private:
    std::string directory_;
    SystemClock clock_;
    fakes::QuietLog log_;
    fakes::MemoryMetrics metrics_;
    fakes::ScriptedProvider provider_;
    fakes::ScriptedSender sender_;
    std::unique_ptr<plugins::Provider> provider_adapter_;
    std::unique_ptr<FakeHost> host_;
    std::unique_ptr<Instance> storage_, queue_;
};

TEST(CoreSqlite, ABroadcastIsPlannedAndCountedExactly) {
    SqliteRig rig(accepted);
    rig.add_devices(12'000);
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(rig.reaches(uid, "done"));
    const PushStatus status = rig.status(uid);
    EXPECT_EQ(status.planned, 12'000);
    EXPECT_EQ(SqliteRig::count(status, "accepted"), 12'000);
    EXPECT_EQ(status.lane, "low");  // a push by filter, and ten thousand matched
    ASSERT_EQ(status.outcomes.size(), 1u);
    EXPECT_EQ(status.outcomes[0].provider, "fake");
    EXPECT_EQ(rig.sender().sent().size(), 12'000u);
    EXPECT_EQ(rig.faults.total(), 0u);
}

TEST(CoreSqlite, RandomAnswersAddUpForSlicesListsAndBundles) {
    std::mutex mutex;
    std::mt19937_64 random(42);
    SqliteRig rig([&](const http::Exchange&) {
        const std::lock_guard lock(mutex);
        ScriptedReply reply;
        switch (random() % 12) {
            case 0:
                reply = answer(BELFRY_RETRY);
                break;
            case 1:
                reply = answer(BELFRY_REFUSED);
                break;
            case 2:
                reply = without_answer(http::Transport::Unknown);
                break;
            case 3:
                reply = without_answer(http::Transport::NeverSent);
                break;
            case 4:
                reply = answer(BELFRY_DEVICE_GONE);
                break;
            default:
                break;
        }
        reply.delay_ms = random() % 200 == 0 ? 70 : 0;
        return reply;
    });
    rig.add_devices(1'500);
    rig.send(Rig::to_topic("slice"));
    std::vector<std::string> tokens;
    for (int i = 0; i < 300; ++i) tokens.push_back("raw-" + std::to_string(i));
    rig.send(Rig::to_tokens("list", tokens));
    std::vector<std::thread> callers;
    for (int i = 0; i < 24; ++i) {
        callers.emplace_back([&rig, i] {
            rig.send(
                Rig::to_tokens("small-" + std::to_string(i), {"s-" + std::to_string(i), "t-" + std::to_string(i)}));
        });
    }
    for (std::thread& caller : callers) caller.join();
    for (const std::string uid : {"slice", "list", "small-0", "small-11", "small-23"}) {
        ASSERT_TRUE(rig.reaches(uid, "done"))
            << uid << " " << rig.status(uid).planned << " " << SqliteRig::sum(rig.status(uid));
        EXPECT_EQ(SqliteRig::sum(rig.status(uid)), rig.status(uid).planned) << uid;
    }
    EXPECT_EQ(rig.status("slice").planned, 1'500);
    EXPECT_EQ(rig.status("list").planned, 300);
    EXPECT_EQ(rig.status("small-11").planned, 2);
    EXPECT_EQ(rig.status("slice").samples.size(), 5u);
    EXPECT_EQ(rig.faults.total(), 0u);
}

TEST(CoreSqlite, StragglersAreFinishedByTheirOwnLists) {
    SqliteRig rig([](const http::Exchange& exchange) {
        ScriptedReply reply;
        reply.hold = exchange.token == "token-7";
        return reply;
    });
    rig.add_devices(1'000);
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return SqliteRig::sum(rig.status(uid)) == 999; }));
    EXPECT_EQ(rig.status(uid).planned, 1'000);
    EXPECT_EQ(rig.status(uid).state, "running");
    rig.sender().release();
    ASSERT_TRUE(rig.reaches(uid, "done"));
    EXPECT_EQ(SqliteRig::count(rig.status(uid), "accepted"), 1'000);
}

TEST(CoreSqlite, ALateAnswerToABundledPushMayAskForARetry) {
    std::mutex mutex;
    std::set<std::string> asked;
    SqliteRig rig([&](const http::Exchange& exchange) {
        const std::lock_guard lock(mutex);
        const bool first = exchange.token.substr(0, 2) == "b-" && asked.emplace(exchange.token).second;
        ScriptedReply reply = first ? answer(BELFRY_RETRY) : ScriptedReply{};
        reply.hold = first;
        return reply;
    });
    const auto uid = [](int i) { return "otp-" + std::to_string(i); };
    std::vector<std::thread> callers;
    for (int i = 0; i < 20; ++i) {
        callers.emplace_back([&, i] {
            rig.send(Rig::to_tokens(uid(i), {"a-" + std::to_string(i), "b-" + std::to_string(i)}));
        });
    }
    for (std::thread& caller : callers) caller.join();
    for (int i = 0; i < 20; ++i)
        ASSERT_TRUE(Rig::eventually([&] { return SqliteRig::sum(rig.status(uid(i))) == 1; })) << uid(i);
    rig.sender().release();
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(rig.reaches(uid(i), "done")) << uid(i);
        EXPECT_EQ(SqliteRig::count(rig.status(uid(i)), "accepted"), 2);
    }
}

TEST(CoreSqlite, PauseParksResumeGoesOnAndCancelEnds) {
    SqliteRig rig([](const http::Exchange&) {
        ScriptedReply reply;
        reply.transport = http::Transport::NeverSent;
        reply.hold = true;
        return reply;
    });
    rig.add_devices(300);
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender().pending() > 0; }));
    ASSERT_EQ(*rig.core->pause("default", uid), SteerResult::Done);
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender().pending() == 0; }));
    EXPECT_EQ(rig.status(uid).state, "paused");
    rig.sender().set_script(accepted);
    ASSERT_EQ(*rig.core->resume("default", uid), SteerResult::Done);
    ASSERT_TRUE(rig.reaches(uid, "done"));
    EXPECT_EQ(SqliteRig::sum(rig.status(uid)), 300);

    rig.sender().set_script([](const http::Exchange&) {
        ScriptedReply reply;
        reply.transport = http::Transport::NeverSent;
        reply.hold = true;
        return reply;
    });
    const std::string second = rig.send(Rig::to_topic("push-2"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender().pending() > 0; }));
    EXPECT_EQ(*rig.core->cancel("default", second), CancelResult::Cancelled);
    ASSERT_TRUE(Rig::eventually([&] { return rig.status(second).planned > 0 && rig.status(second).planned_final; }));
    EXPECT_EQ(SqliteRig::sum(rig.status(second)), rig.status(second).planned);
    EXPECT_EQ(rig.status(second).state, "cancelled");
}

TEST(CoreSqlite, ARestartGoesOnWhereTheStopLeftIt) {
    SqliteRig rig([](const http::Exchange& exchange) {
        ScriptedReply reply;
        if (exchange.token.size() % 2 == 0) return reply;
        reply.transport = http::Transport::NeverSent;
        reply.hold = true;
        return reply;
    });
    rig.add_devices(2'500);
    const std::string uid = rig.send(Rig::to_topic("push-1"));
    ASSERT_TRUE(Rig::eventually([&] { return rig.sender().pending() > 0; }));
    rig.restart(accepted);
    ASSERT_TRUE(rig.reaches(uid, "done"));
    EXPECT_EQ(rig.status(uid).planned, 2'500);
    EXPECT_EQ(SqliteRig::count(rig.status(uid), "accepted"), 2'500);
    const std::vector<std::string> sent = rig.sender().sent();
    EXPECT_EQ(std::set<std::string>(sent.begin(), sent.end()).size(), 2'500u);
    EXPECT_EQ(sent.size(), 2'500u);
}

TEST(CoreSqlite, APushToNobodyIsDoneAtOnce) {
    SqliteRig rig(accepted);
    PushRequest request = Rig::to_topic("nobody");
    request.recipient.filter->topics.clear();
    request.recipient.filter->users = {"ghost"};
    const std::string uid = rig.send(std::move(request));
    ASSERT_TRUE(rig.reaches(uid, "done"));
    EXPECT_EQ(rig.status(uid).planned, 0);
    const std::string empty_topic = rig.send(Rig::to_topic("empty"));
    ASSERT_TRUE(rig.reaches(empty_topic, "done"));
    EXPECT_EQ(rig.status(empty_topic).planned, 0);
}

}  // namespace
}  // namespace belfry::delivery
