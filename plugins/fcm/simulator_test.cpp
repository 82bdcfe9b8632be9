// SPDX-License-Identifier: Apache-2.0
// The plugin through the real engine against belfry-simulator, which verifies assertions, bearers and bodies by its own
// code.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "fakes/fcm_bed.h"
#include "services/engine_calls.h"

extern char** environ;

namespace belfry::fakes {
namespace {

std::string read_file(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// A simulator process of its own, with what it says about itself.
class Simulator {
public:
    Simulator() {
        const std::string folder = folder_.path().string();
        std::vector<std::string> words = {BELFRY_SIMULATOR, "--dir", folder};
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
        if (::posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ) != 0) pid_ = -1;
        posix_spawn_file_actions_destroy(&files);
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (pid_ > 0 && facts_.empty() && std::chrono::steady_clock::now() < patience) {
            facts_ = read_file(folder_.path() / "simulator.json");
            if (facts_.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    ~Simulator() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, nullptr, 0);
    }
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    std::string fact(std::string_view name) const { return json::unescape(json::find(facts_, name)); }
    std::string key() const { return read_file(fact("service_account")); }

private:
    TemporaryFolder folder_;
    pid_t pid_ = -1;
    std::string facts_;
};

// The wall clock, moved.
class SkewedClock final : public Clock {
public:
    int64_t mono_ns() const noexcept override { return system_.mono_ns(); }
    int64_t unix_ms() const noexcept override { return system_.unix_ms() + skew_ms; }
    int64_t skew_ms = 0;

private:
    SystemClock system_;
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

class FcmSimulator : public testing::Test {
protected:
    static void SetUpTestSuite() { simulator_ = std::make_unique<Simulator>(); }
    static void TearDownTestSuite() { simulator_.reset(); }

    FcmSimulator() {
        auto engine = http::Engine::create({}, clock_, log_, metrics_);
        EXPECT_TRUE(engine);
        engine_ = std::move(*engine);
        calls_ = std::make_unique<services::EngineCalls>(*engine_);
        services_ =
            std::make_unique<services::HostServices>(services::Parts{log_, metrics_, clock_, *calls_, folder_.path()});
    }
    ~FcmSimulator() override {
        instance_.reset();
        engine_->stop(clock_.mono_ns() + kNsPerSecond);
    }

    FcmInstance& start(const std::string& key, const std::string& more_config = "") {
        host_ = services_->make({"fcm", "fcm", simulator_->fact("ca_file"), 0,
                                 [key](std::string_view) -> Result<std::string> { return key; }, false});
        instance_ =
            std::make_unique<FcmInstance>(host_->abi(), R"({"credentials":{"$secret":"s"},"endpoint":")" +
                                                            simulator_->fact("fcm_url") + "\"" + more_config + "}");
        EXPECT_EQ(instance_->trouble.code, BELFRY_OK) << instance_->trouble.where << ": " << instance_->trouble.text;
        return *instance_;
    }
    int64_t deadline() const { return clock_.mono_ns() + 10 * kNsPerSecond; }

    Verdict send(const std::string& payload, const std::string& token, const std::string& bearer, uint32_t flags = 0) {
        const auto request = instance_->prepare(payload, token, BELFRY_CONTENT_TOKENS, "", flags);
        EXPECT_TRUE(request) << instance_->trouble.text;
        if (!request) return {};
        http::CallRequest call;
        call.method = request->method;
        call.path = request->path;
        call.body = request->body;
        call.headers = {{"content-type", "application/json"}, {"authorization", bearer}};
        const auto answer = engine_->call(request->endpoint, call, deadline());
        EXPECT_TRUE(answer) << (answer ? "" : answer.error().to_string());
        if (!answer) return {};
        std::string retry_after;
        for (const auto& [name, value] : answer->headers) {
            if (name == "retry-after") retry_after = value;
        }
        return instance_->decode({answer->status, answer->body, retry_after, 0, answer->date_unix_ms});
    }

    static inline std::unique_ptr<Simulator> simulator_;
    SkewedClock clock_;
    QuietLog log_;
    MemoryMetrics metrics_;
    TemporaryFolder folder_;
    std::unique_ptr<http::Engine> engine_;
    std::unique_ptr<services::EngineCalls> calls_;
    std::unique_ptr<services::HostServices> services_;
    std::unique_ptr<services::InstanceHost> host_;
    std::unique_ptr<FcmInstance> instance_;
};

TEST_F(FcmSimulator, EveryKindOfTokenGetsItsVerdict) {
    FcmInstance& fcm = start(simulator_->key());
    const auto credential = fcm.authorize(deadline());
    ASSERT_TRUE(credential) << fcm.trouble.text;
    struct Case {
        const char* token;
        int32_t outcome, scope;
        uint32_t flags;
        int64_t wait_min_ms;
    };
    constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT;
    const Case cases[] = {{"ok-1", BELFRY_ACCEPTED, BELFRY_SCOPE_ITEM, 0, 0},
                          {"unreg-1", BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, 0, 0},
                          {"bad-1", BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect, 0},
                          {"badfield-1", BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect, 0},
                          {"mismatch-1", BELFRY_DEVICE_GONE, BELFRY_SCOPE_ITEM, kSuspect, 0},
                          {"apnsauth-1", BELFRY_AUTH_REFUSED, BELFRY_SCOPE_PLATFORM, 0, 0},
                          {"apnsauthtext-1", BELFRY_AUTH_REFUSED, BELFRY_SCOPE_PLATFORM, 0, 0},
                          {"r500-1-x", BELFRY_RETRY, BELFRY_SCOPE_ITEM, 0, 10'000},
                          {"r500-1-x", BELFRY_ACCEPTED, BELFRY_SCOPE_ITEM, 0, 0}};
    for (const Case& c : cases) {
        const Verdict verdict =
            send(R"({"message":{"notification":{"title":"t"},"data":{"k":"v"}}})", c.token, credential->value);
        EXPECT_EQ(verdict.outcome, c.outcome) << c.token << ": " << verdict.reason;
        EXPECT_EQ(verdict.scope, c.scope) << c.token;
        EXPECT_EQ(verdict.flags, c.flags) << c.token;
        EXPECT_GE(verdict.retry_after_ms, c.wait_min_ms) << c.token;
        EXPECT_EQ(verdict.message_id.empty(), c.outcome != BELFRY_ACCEPTED) << c.token;
    }
}

TEST_F(FcmSimulator, PayloadsThatFcmRefusesStopThePush) {
    FcmInstance& fcm = start(simulator_->key());
    const auto credential = fcm.authorize(deadline());
    ASSERT_TRUE(credential) << fcm.trouble.text;
    const Verdict unknown = send(R"({"message":{"toen":"x"}})", "ok-2", credential->value);
    EXPECT_EQ(unknown.outcome, BELFRY_REFUSED) << unknown.reason;
    EXPECT_EQ(unknown.scope, BELFRY_SCOPE_PUSH) << unknown.reason;
    const Verdict ttl = send(R"({"message":{"android":{"ttl":"9999999s"}}})", "ok-2", credential->value);
    EXPECT_EQ(ttl.outcome, BELFRY_REFUSED) << ttl.reason;
    const Verdict big =
        send(R"({"message":{"notification":{"body":")" + std::string(5000, 'x') + "\"}}}", "ok-2", credential->value);
    EXPECT_EQ(big.outcome, BELFRY_REFUSED) << big.reason;
    EXPECT_EQ(big.scope, BELFRY_SCOPE_PLATFORM) << big.reason;
}

TEST_F(FcmSimulator, S2_DryRunIsValidatedOnly) {
    FcmInstance& fcm = start(simulator_->key());
    const auto credential = fcm.authorize(deadline());
    ASSERT_TRUE(credential) << fcm.trouble.text;
    EXPECT_EQ(send(R"({"message":{}})", "ok-dry", credential->value, BELFRY_CONTENT_DRY_RUN).outcome, BELFRY_ACCEPTED);
    EXPECT_EQ(send(R"({"message":{"toen":1}})", "ok-dry", credential->value, BELFRY_CONTENT_DRY_RUN).outcome,
              BELFRY_REFUSED);
}

TEST_F(FcmSimulator, E13_AGarbageBearerAsksForANewOne) {
    start(simulator_->key());
    const Verdict verdict = send(R"({"message":{}})", "ok-3", "Bearer garbage");
    EXPECT_EQ(verdict.outcome, BELFRY_AUTH_REFUSED);
    EXPECT_EQ(verdict.flags, static_cast<uint32_t>(BELFRY_VERDICT_REAUTH | BELFRY_VERDICT_RESEND));
}

TEST_F(FcmSimulator, AnotherProjectIsRefusedForTheInstance) {
    FcmInstance& fcm = start(simulator_->key(), R"(,"project_id":"somebody-elses")");
    const auto credential = fcm.authorize(deadline());
    ASSERT_TRUE(credential) << fcm.trouble.text;
    const Verdict verdict = send(R"({"message":{}})", "ok-4", credential->value);
    EXPECT_TRUE(verdict.outcome == BELFRY_AUTH_REFUSED || verdict.outcome == BELFRY_MISCONFIGURED) << verdict.reason;
    EXPECT_EQ(verdict.scope, BELFRY_SCOPE_INSTANCE);
}

TEST_F(FcmSimulator, T2_AnotherKeyIsRefused) {
    std::string key = simulator_->key();
    const std::string pem = json::unescape(json::find(key, "private_key"));
    key = replaced(key, json::escape(pem), json::escape(kTestRsaKey));
    FcmInstance& fcm = start(key);
    EXPECT_FALSE(fcm.authorize(deadline()));
    EXPECT_EQ(fcm.trouble.code, BELFRY_AUTH) << fcm.trouble.text;
}

TEST_F(FcmSimulator, T5_AWrongClockIsNamed) {
    FcmInstance& fcm = start(simulator_->key());
    clock_.skew_ms = 2 * 3600 * 1000;
    EXPECT_FALSE(fcm.authorize(deadline()));
    EXPECT_EQ(fcm.trouble.code, BELFRY_AUTH) << fcm.trouble.text;
    EXPECT_EQ(fcm.trouble.where, "clock");
    EXPECT_NE(fcm.trouble.text.find("ahead"), std::string::npos) << fcm.trouble.text;
}

TEST_F(FcmSimulator, T7_AnotherAudienceIsAConfigurationError) {
    const std::string url = simulator_->fact("token_url");
    const std::string key = replaced(simulator_->key(), "\"" + url + "\"", "\"https://elsewhere.test/token\"");
    FcmInstance& fcm = start(key, R"(,"token_endpoint":")" + url + "\"");
    EXPECT_FALSE(fcm.authorize(deadline()));
    EXPECT_EQ(fcm.trouble.code, BELFRY_CONFIG) << fcm.trouble.text;
    EXPECT_EQ(fcm.trouble.where, "credentials.token_uri");
}

TEST_F(FcmSimulator, T9_AnUnknownScopeIsAConfigurationError) {
    FcmInstance& fcm = start(simulator_->key(), R"(,"scope":"https://www.googleapis.com/auth/unknown")");
    EXPECT_FALSE(fcm.authorize(deadline()));
    EXPECT_EQ(fcm.trouble.code, BELFRY_CONFIG) << fcm.trouble.text;
    EXPECT_EQ(fcm.trouble.where, "scope");
}

}  // namespace
}  // namespace belfry::fakes
