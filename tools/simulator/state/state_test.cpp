// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "state/counters.h"
#include "state/faults.h"
#include "state/journal.h"
#include "state/phones.h"
#include "state/settings.h"
#include "state/token_ledger.h"

namespace belfry::simulator {
namespace {

using nlohmann::ordered_json;

TEST(TokenLedger, CountsAMillionTokensExactly) {
    constexpr std::uint32_t kTokens = 1'000'000;
    TokenLedger ledger;
    for (std::uint32_t i = 0; i < kTokens; ++i) ++ledger.row("token-" + std::to_string(i)).accepted;
    for (std::uint32_t i = 0; i < 10; ++i) ++ledger.row("token-" + std::to_string(i)).accepted;
    ledger.row("seen but never accepted");
    const TokenLedger::Summary summary = ledger.summary();
    EXPECT_EQ(summary.distinct, kTokens);
    EXPECT_EQ(summary.accepted, kTokens + 10);
    EXPECT_EQ(summary.min_times, 1U);
    EXPECT_EQ(summary.max_times, 2U);
    EXPECT_EQ(summary.more_than_once, 10U);
    EXPECT_EQ(ledger.times_accepted("token-5"), 2U);
    EXPECT_EQ(ledger.times_accepted("token-999999"), 1U);
    EXPECT_EQ(ledger.times_accepted("unknown"), 0U);
}

TEST(TokenLedger, IsEmptyAfterClear) {
    TokenLedger ledger;
    ++ledger.row("a").accepted;
    ledger.clear();
    EXPECT_EQ(ledger.summary().distinct, 0U);
    EXPECT_EQ(ledger.times_accepted("a"), 0U);
}

TEST(Journal, KeepsTheLastEntriesAndTheirNumbers) {
    Journal journal(3);
    for (int i = 0; i < 5; ++i) {
        JournalEntry entry;
        entry.status = i;
        journal.add(std::move(entry));
    }
    EXPECT_EQ(journal.total(), 5U);
    EXPECT_EQ(journal.first_kept(), 2U);
    const auto entries = journal.list(0, 2);
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].sequence, 2U);
    EXPECT_EQ(entries[0].status, 2);
    EXPECT_EQ(journal.list(4, 10).size(), 1U);
    EXPECT_TRUE(journal.list(5, 10).empty());
}

Delivered delivered(const std::string& id) {
    return {id, 0, std::make_shared<const std::string>("{}")};
}

TEST(Phones, KeepTheLastTwentyMessages) {
    Phones phones(2);
    for (int i = 0; i < 25; ++i) phones.deliver("a", delivered(std::to_string(i)));
    ASSERT_NE(phones.find("a"), nullptr);
    EXPECT_EQ(phones.find("a")->received, 25U);
    EXPECT_EQ(phones.find("a")->last.size(), 20U);
    EXPECT_EQ(phones.find("a")->last.front().message_id, "5");
}

TEST(Phones, AreBoundedAndCountTheRest) {
    Phones phones(2);
    for (const char* token : {"a", "b", "c", "c", "a"}) phones.deliver(token, delivered("x"));
    EXPECT_EQ(phones.all().size(), 2U);
    EXPECT_EQ(phones.find("c"), nullptr);
    EXPECT_EQ(phones.not_kept(), 2U);
    EXPECT_EQ(phones.find("a")->received, 2U);
}

TEST(Counters, PutArrivalsIntoBucketsOf100Milliseconds) {
    Counters counters;
    for (const int at : {1000, 1099, 1100, 1450}) counters.add_arrival(at);
    const ordered_json json = counters.json();
    EXPECT_EQ(json["arrivals"]["first_ms"], 1000);
    EXPECT_EQ(json["arrivals"]["counts"], ordered_json::parse("[2,1,0,0,1]"));
}

TEST(Counters, KeepOpenConnectionsOverAReset) {
    Counters counters;
    counters.add(Counters::ConnectionsOpened);
    counters.add(Counters::ConnectionsOpened);
    counters.add(Counters::ConnectionsClosed);
    counters.note_streams(1, 7);
    counters.note_streams(1, 3);
    EXPECT_EQ(counters.json()["streams_high_water_by_connection"]["1"], 7);
    counters.clear();
    EXPECT_EQ(counters.json()["connections_opened"], 0);
    EXPECT_EQ(counters.json()["connections_open"], 1);
    counters.add(Counters::ConnectionsClosed);
    EXPECT_EQ(counters.json()["connections_open"], 0);
}

TEST(Settings, AreChangedAllOrNotAtAll) {
    Settings settings;
    EXPECT_FALSE(update_settings(settings, {{"latency_ms", 40}, {"too_big_text", "android"}}).has_value());
    EXPECT_EQ(settings.latency_ms, 40);
    const auto problem = update_settings(settings, {{"latency_ms", 50}, {"stream_limt", 5}});
    ASSERT_TRUE(problem.has_value());
    EXPECT_NE(problem->find("stream_limt"), std::string::npos);
    EXPECT_EQ(settings.latency_ms, 40);
    for (const char* wrong : {R"({"latency_ms":-1})", R"({"gzip":1})", R"({"account_state":"gone"})", "[]", "7",
                              R"({"stream_limit":"100"})"}) {
        EXPECT_TRUE(update_settings(settings, ordered_json::parse(wrong)).has_value()) << wrong;
    }
}

TEST(Settings, ComeBackAsTheyWereWritten) {
    Settings settings;
    settings.stream_limit = 7;
    settings.missing_role = true;
    ordered_json json = settings;
    Settings copy;
    EXPECT_FALSE(update_settings(copy, json).has_value());
    EXPECT_EQ(copy.stream_limit, 7);
    EXPECT_TRUE(copy.missing_role);
}

RequestFacts a_send(std::string_view target = "ok-1", std::uint64_t connection = 1) {
    return {Route::Send, "demo", target, connection};
}

int hits(Faults& faults, int requests) {
    int count = 0;
    for (int i = 0; i < requests; ++i) count += faults.decide(a_send()).rule.has_value() ? 1 : 0;
    return count;
}

void add(Faults& faults, const char* rule) {
    const auto problem = faults.add(ordered_json::parse(rule));
    ASSERT_FALSE(problem.has_value()) << *problem;
}

TEST(Faults, HitEveryNthOrTheNextNOrSomePercent) {
    Faults every(1);
    add(every, R"({"action":"rst","code":"CANCEL","match":{"every":3}})");
    EXPECT_FALSE(every.decide(a_send()).rule.has_value());
    EXPECT_FALSE(every.decide(a_send()).rule.has_value());
    EXPECT_EQ(every.decide(a_send()).rule->code, 8U);
    EXPECT_EQ(hits(every, 30), 10);

    Faults next(1);
    add(next, R"({"action":"tcp_reset","match":{"next":2}})");
    EXPECT_EQ(hits(next, 10), 2);

    Faults percent(1);
    add(percent, R"({"action":"tcp_reset","match":{"percent":10}})");
    const int some = hits(percent, 10'000);
    EXPECT_GT(some, 800);
    EXPECT_LT(some, 1200);

    Faults bounded(1);
    add(bounded, R"({"action":"tcp_reset","times":4})");
    EXPECT_EQ(hits(bounded, 100), 4);
}

TEST(Faults, ChooseByRouteTokenProjectAndConnection) {
    Faults faults(1);
    add(faults, R"({"action":"tcp_reset","match":{"token_prefix":"x-","project":"demo","connection":2}})");
    EXPECT_FALSE(faults.decide(a_send("y-1", 2)).rule.has_value());
    EXPECT_FALSE(faults.decide(a_send("x-1", 1)).rule.has_value());
    EXPECT_FALSE(faults.decide({Route::Topics, "demo", "x-1", 2}).rule.has_value());
    EXPECT_TRUE(faults.decide(a_send("x-1", 2)).rule.has_value());
}

TEST(Faults, DecideAboutConnectionsApart) {
    Faults faults(1);
    add(faults, R"([{"action":"tls_stall","match":{"next":1}},{"action":"accept_reset","match":{"next":1}}])");
    EXPECT_FALSE(faults.decide(a_send()).rule.has_value());
    EXPECT_EQ(faults.decide_accept(), AcceptFate::StallTls);
    EXPECT_EQ(faults.decide_accept(), AcceptFate::Reset);
    EXPECT_EQ(faults.decide_accept(), AcceptFate::Serve);
    EXPECT_FALSE(faults.connects_refused());
    add(faults, R"({"action":"refuse_connects"})");
    EXPECT_TRUE(faults.connects_refused());
}

TEST(Faults, SayWhatIsWrongWithARule) {
    Faults faults(1);
    const std::pair<const char*, const char*> cases[] = {
        {R"({"match":{}})", "action"},
        {R"({"action":"explode"})", "explode"},
        {R"({"action":"rst","code":"NO_SUCH"})", "REFUSED_STREAM"},
        {R"({"action":"rst","code":"REFUSED_STREAM","processed":true})", "not processed"},
        {R"({"action":"status","status":99})", "status"},
        {R"({"action":"status","match":{"percent":0}})", "percent"},
        {R"({"action":"status","match":{"percent":5,"next":1}})", "only one"},
        {R"({"action":"status","match":{"route":"sned"}})", "match.route"},
        {R"({"action":"status","retry_after":1})", "retry_after"},
        {R"({"action":"goaway","last_stream_id":"first"})", "last_stream_id"},
        {R"(7)", "object"},
    };
    for (const auto& [rule, part] : cases) {
        const auto problem =
            faults.add(ordered_json::array({ordered_json::parse(R"({"action":"rst"})"), ordered_json::parse(rule)}));
        ASSERT_TRUE(problem.has_value()) << rule;
        EXPECT_NE(problem->find(part), std::string::npos) << *problem;
    }
    EXPECT_TRUE(faults.empty());
}

TEST(Faults, AreRemovedById) {
    Faults faults(1);
    add(faults, R"([{"action":"rst"},{"action":"tcp_reset"}])");
    EXPECT_TRUE(faults.remove(1));
    EXPECT_FALSE(faults.remove(1));
    EXPECT_EQ(faults.decide(a_send()).rule->action, FaultAction::TcpReset);
    EXPECT_EQ(faults.json()[0]["hits"], 1);
}

}  // namespace
}  // namespace belfry::simulator
