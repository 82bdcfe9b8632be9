// SPDX-License-Identifier: Apache-2.0
// The engine's small parts, without sockets.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "http/door.h"
#include "http/http_date.h"
#include "http/origin.h"
#include "http/output.h"
#include "http/pacer.h"
#include "http/pieces.h"
#include "http/recycler.h"
#include "http/request_head.h"
#include "http/resolver.h"
#include "http/timers.h"

namespace belfry::http {

TEST(Origin, ReadsHostAndPort) {
    const Result<Origin> plain = parse_origin("https://FCM.example.com/");
    ASSERT_TRUE(plain.has_value());
    EXPECT_EQ(plain->host, "fcm.example.com");
    EXPECT_EQ(plain->port, 443);
    EXPECT_EQ(plain->authority, "fcm.example.com");
    EXPECT_FALSE(plain->literal);
    EXPECT_EQ(parse_origin("https://a:8443")->authority, "a:8443");
    const Result<Origin> v6 = parse_origin("https://[::1]:8443");
    ASSERT_TRUE(v6.has_value());
    EXPECT_EQ(v6->host, "::1");
    EXPECT_EQ(v6->authority, "[::1]:8443");
    EXPECT_TRUE(v6->literal);
    EXPECT_TRUE(parse_origin("https://127.0.0.1")->literal);
}

TEST(Origin, RefusesEverythingElse) {
    for (const char* url : {"", "http://a", "https://", "https://a/b", "https://a?b", "https://u@a",
                            "https://a:", "https://a:0", "https://a:65536", "https://a:8x", "https://[::1",
                            "https://[::g]", "https://[::1]x", "https://a b", "https://a:1:2", "HTTPS://a"}) {
        const Result<Origin> origin = parse_origin(url);
        ASSERT_FALSE(origin.has_value()) << url;
        EXPECT_EQ(origin.error().code, ErrorCode::InvalidArgument);
        EXPECT_NE(origin.error().message.find(url), std::string::npos);
    }
    EXPECT_FALSE(parse_origin("https://" + std::string(300, 'a')).has_value());
}

TEST(HttpDate, ReadsTheFixedFormatOnly) {
    EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777000);
    EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164800000);
    for (const char* text :
         {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 08:49:37 UTC",
          "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 anF 1994 08:49:37 GMT", "Sun, 31 Feb 2024 00:00:00 GMT",
          "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 6  Nov 1994 08:49:37 GMT"}) {
        EXPECT_EQ(parse_http_date(text), 0) << text;
    }
}

TEST(Pacer, AllowsABurstThenTheRate) {
    Pacer pacer(60'000, 50);  // 1,000 per second: 50 at once, 45 for others than lane high
    const int64_t now = kNsPerSecond;
    int taken = 0;
    while (pacer.try_take(now, false) == 0) ++taken;
    EXPECT_EQ(taken, 45);
    int high = 0;
    while (pacer.try_take(now, true) == 0) ++high;
    EXPECT_EQ(high, 5);
    int later = 0;
    for (int64_t at = now; at < now + kNsPerSecond; at += kNsPerMs) later += pacer.try_take(at, true) == 0;
    EXPECT_NEAR(later, 1000, 2);
}

TEST(Pacer, SaysHowLongToWait) {
    Pacer pacer(60, 1);  // one per second
    const int64_t now = 5 * kNsPerSecond;
    EXPECT_EQ(pacer.try_take(now, false), 0);
    const int64_t wait = pacer.try_take(now, false);
    EXPECT_EQ(wait, kNsPerSecond);
    EXPECT_EQ(pacer.try_take(now + wait, false), 0);
}

TEST(Pacer, CountsTheDeliveriesOfARequest) {
    Pacer pacer(60'000);  // 1,000 per second
    int64_t at = kNsPerSecond, last = at;
    uint64_t taken = 0;
    for (; at < 11 * kNsPerSecond; at += kNsPerMs) {
        if (pacer.try_take(at, false, 400) != 0) continue;
        taken += 400;
        last = at;
    }
    EXPECT_GE(taken, 9'600u);
    EXPECT_LE(taken, 10'000u);
    EXPECT_GT(pacer.try_take(last + kNsPerMs, false), 300 * kNsPerMs) << "those after a large request wait for it";
}

TEST(Pacer, ARequestForMoreThanTheBucketHoldsGetsNoBurst) {
    Pacer pacer(360'000);  // 6,000 per second: the bucket holds 300
    uint64_t first_second = 0;
    for (int64_t at = kNsPerSecond; at < 2 * kNsPerSecond; at += kNsPerMs)
        first_second += pacer.try_take(at, false, 1'000) == 0 ? 1'000u : 0u;
    EXPECT_EQ(first_second, 6'000u);
}

TEST(Pacer, ARequestOfManyIsPaidForWhollyByTheBucketItFitsInto) {
    Pacer pacer(60'000, 50);  // 45 at once for others than lane high
    const int64_t now = kNsPerSecond;
    EXPECT_EQ(pacer.try_take(now, false, 40), 0);
    EXPECT_EQ(pacer.try_take(now, false, 40), 35 * kNsPerMs);
    EXPECT_EQ(pacer.try_take(now, false, 5), 0);
}

TEST(Pacer, WithoutARateOnlyPauses) {
    Pacer pacer(0);
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(pacer.try_take(1, false), 0);
    pacer.pause_until(100, 0);
    EXPECT_TRUE(pacer.paused(99));
    EXPECT_EQ(pacer.try_take(40, true), 60);
    EXPECT_EQ(pacer.try_take(100, false), 0);
    pacer.pause_until(500, 0);
    pacer.pause_until(300, 0);  // an earlier end never shortens a pause
    EXPECT_TRUE(pacer.paused(400));
    pacer.resume();
    EXPECT_FALSE(pacer.paused(400));
}

TEST(Pacer, ClimbsFromATenthAfterAPause) {
    Pacer pacer(60'000, 1);
    const int64_t end = 10 * kNsPerSecond;
    pacer.pause_until(end, 10 * kNsPerSecond);
    const auto taken_in_second = [&pacer](int64_t from) {
        int taken = 0;
        for (int64_t at = from; at < from + kNsPerSecond; at += 100'000) taken += pacer.try_take(at, true) == 0;
        return taken;
    };
    EXPECT_NEAR(taken_in_second(end), 145, 15);                     // 10 % rising to 19 %
    EXPECT_NEAR(taken_in_second(end + 5 * kNsPerSecond), 595, 40);  // 55 % to 64 %
    EXPECT_NEAR(taken_in_second(end + 20 * kNsPerSecond), 1000, 10);
}

class Bell final : public Timer {
public:
    explicit Bell(Timers& timers, std::vector<int>& rung, int name) : Timer(timers), rung_(rung), name_(name) {}
    void on_time(int64_t now) noexcept override {
        rung_.push_back(name_);
        if (again != 0) arm(now + again);
    }
    int64_t again = 0;

private:
    std::vector<int>& rung_;
    int name_;
};

TEST(Timers, RunInOrderAndAtMostOncePerRun) {
    Timers timers;
    std::vector<int> rung;
    Bell one(timers, rung, 1), two(timers, rung, 2), three(timers, rung, 3);
    three.arm(30);
    one.arm(10);
    two.arm(20);
    EXPECT_EQ(timers.next_due(), 10);
    timers.run(25);
    EXPECT_EQ(rung, (std::vector<int>{1, 2}));
    three.arm(5);
    three.again = -100;
    timers.run(25);
    EXPECT_EQ(rung, (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(timers.next_due(), -75);
    three.arm(kNever);
    EXPECT_EQ(timers.next_due(), kNever);
}

TEST(Timers, ForgetTimersThatAreDestroyed) {
    Timers timers;
    std::vector<int> rung;
    std::deque<Bell> bells;
    for (int i = 0; i < 100; ++i) bells.emplace_back(timers, rung, i).arm((i * 37) % 100);
    for (int i = 0; i < 30; ++i) bells.pop_front();
    for (int i = 0; i < 30; ++i) bells.pop_back();
    timers.run(1000);
    ASSERT_EQ(rung.size(), 40u);
    for (size_t i = 1; i < rung.size(); ++i) EXPECT_LT(rung[i - 1] * 37 % 100, rung[i] * 37 % 100);
}

TEST(Recycler, GivesBlocksAgainAndKeepsTheirContents) {
    Recycler recycler;
    nghttp2_mem* mem = recycler.as_nghttp2();
    void* first = mem->malloc(100, mem->mem_user_data);
    mem->free(first, mem->mem_user_data);
    EXPECT_EQ(mem->malloc(90, mem->mem_user_data), first);
    auto* text = static_cast<char*>(mem->realloc(first, 5000, mem->mem_user_data));
    std::memset(text, 'x', 5000);
    text = static_cast<char*>(mem->realloc(text, 9000, mem->mem_user_data));
    EXPECT_EQ(std::string(text, 5000), std::string(5000, 'x'));
    mem->free(text, mem->mem_user_data);
    auto* zeroes = static_cast<char*>(mem->calloc(10, 10, mem->mem_user_data));
    EXPECT_EQ(std::string(zeroes, 100), std::string(100, '\0'));
    mem->free(zeroes, mem->mem_user_data);
    EXPECT_EQ(mem->calloc(SIZE_MAX, 2, mem->mem_user_data), nullptr);
    mem->free(nullptr, mem->mem_user_data);
}

// Executes one piece, checking that both passes agree.
std::string executed(const Plan& plan, const Exchange& exchange, Piece piece, int64_t unix_s = 0) {
    const PieceSource source{plan, exchange, unix_s};
    std::string text(measure(source, {&piece, 1}), '\0');
    EXPECT_EQ(write(source, {&piece, 1}, text.data()), text.data() + text.size());
    return text;
}

TEST(Pieces, AreExecutedForTheExchange) {
    Plan plan;
    plan.text = "abcdef";
    plan.target = "say \"hi\"\n";
    Exchange exchange;
    exchange.token = "tok/en\"\x01";
    exchange.payload = R"({"k":"a\u0041\n","n":5})";
    exchange.expires_unix_ms = 1'700'000'500'999;
    for (size_t i = 0; i < 16; ++i) exchange.delivery_id[i] = static_cast<uint8_t>(i * 17);
    EXPECT_EQ(executed(plan, exchange, {PieceKind::Text, 1, 4}), "bcd");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::Text, 4, 99}), "ef");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::Text, 9, 12}), "");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::Payload, 1, 4}), "\"k\"");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::PayloadString, 5, 16}), "aA\n");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::PayloadString, 21, 22}), "5");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::Token, 0, 0}), exchange.token);
    EXPECT_EQ(executed(plan, exchange, {PieceKind::TokenJson, 0, 0}), "tok/en\\\"\\u0001");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::TokenPath, 0, 0}), "tok%2Fen%22%01");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::TargetJson, 0, 0}), "say \\\"hi\\\"\\n");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::DeliveryId, 0, 0}), "00112233-4455-6677-8899-aabbccddeeff");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::ExpiresS, 0, 0}), "1700000500");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::TtlS, 0, 0}, 1'700'000'000), "500");
    EXPECT_EQ(executed(plan, exchange, {PieceKind::TtlS, 0, 0}, 1'800'000'000), "0");
}

TEST(Pieces, EscapeEveryByteThatNeedsItWhereverItStands) {
    Plan plan;
    Exchange exchange;
    for (int byte = 0; byte < 128; ++byte) {
        for (size_t at = 0; at < 19; ++at) {
            std::string token(19, 'z');
            token[at] = static_cast<char>(byte);
            exchange.token = token;
            const std::string inside = executed(plan, exchange, {PieceKind::TokenJson, 0, 0});
            const bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
            EXPECT_EQ(inside == token, plain) << byte << " at " << at;
        }
    }
}

TEST(RequestHeads, BuildsWhatThePlanSays) {
    Plan plan;
    plan.text = "/alert";
    plan.path = {{PieceKind::Text, 0, 1}, {PieceKind::TokenPath, 0, 0}};
    plan.headers = {{"apns-push-type", {{PieceKind::Text, 1, 6}}, false},
                    {"apns-id", {{PieceKind::DeliveryId, 0, 0}}, true}};
    Exchange exchange;
    exchange.plan = &plan;
    exchange.token = "a b";
    RequestHeads heads;
    RequestHead head;
    ASSERT_EQ(heads.build(exchange, "host", 0, 0, head), HeadFault::None);
    EXPECT_EQ(head.path, "/a%20b");
    EXPECT_EQ(head.authority, "host");
    ASSERT_EQ(head.fields.size(), 3u);
    EXPECT_EQ(head.fields[0].value, "alert");
    EXPECT_FALSE(head.fields[0].varies);
    EXPECT_TRUE(head.fields[1].varies);
    EXPECT_TRUE(head.fields[1].never_index);
    EXPECT_EQ(head.fields[2].name, "content-length");
    EXPECT_EQ(head.fields[2].value, "0");
}

TEST(RequestHeads, RefusesWhatNoServerWouldAccept) {
    Plan plan;
    plan.text = "/x";
    plan.path = {{PieceKind::Text, 0, 2}};
    Exchange exchange;
    exchange.plan = &plan;
    exchange.token = "line\r\nbreak";
    RequestHeads heads;
    RequestHead head;
    const auto build = [&] {
        heads.reset();  // plans do not change while heads refer to them
        return heads.build(exchange, "host", 0, 0, head);
    };
    EXPECT_EQ(build(), HeadFault::None);
    plan.headers = {{"x", {{PieceKind::Token, 0, 0}}, false}};
    EXPECT_EQ(build(), HeadFault::Malformed);
    plan.headers = {{"Upper", {{PieceKind::Text, 0, 1}}, false}};
    EXPECT_EQ(build(), HeadFault::Malformed);
    plan.headers.clear();
    plan.path = {{PieceKind::Text, 1, 2}};
    EXPECT_EQ(build(), HeadFault::Malformed);
    plan.path = {{PieceKind::Text, 0, 1}, {PieceKind::Token, 0, 0}};
    EXPECT_EQ(build(), HeadFault::Malformed);
    plan.path = {{PieceKind::Text, 0, 2}};
    plan.headers.assign(100, {"x", {{PieceKind::Text, 0, 1}}, false});
    EXPECT_EQ(build(), HeadFault::Malformed);
    plan.headers.clear();
    for (const char* lines : {"no colon\n", ": empty\n", "Upper: x\n", "bell: \a\n", ":path: /y\n", "host: x\n",
                              "content-length: 0\n", "connection: close\n", "transfer-encoding: chunked\n"}) {
        const EncodedRequest encoded{"/x", lines, ""};
        exchange.encoded = &encoded;
        EXPECT_EQ(build(), HeadFault::Malformed) << lines;
    }
    plan.method = "GET / HTTP/1.1\r\nx:";
    EXPECT_EQ(build(), HeadFault::Malformed);
    plan.method = "PUT";
    const EncodedRequest fine{"/x", "a:  b \nc: d", "body"};
    exchange.encoded = &fine;
    ASSERT_EQ(build(), HeadFault::None);
    EXPECT_EQ(head.fields[0].value, "b");
    EXPECT_EQ(head.fields[1].value, "d");
    EXPECT_EQ(head.body_bytes, 4u);
}

TEST(Output, GrowsWithoutLosingAnything) {
    Output output;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        const std::string text(static_cast<size_t>(i % 97), static_cast<char>('a' + i % 26));
        output.append(text);
        expected += text;
    }
    EXPECT_EQ(output.view(), expected);
    output.cut(10);
    EXPECT_EQ(output.view(), expected.substr(0, 10));
}

sockaddr_storage address_of(const char* text) {
    sockaddr_storage storage{};
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
    } else {
        EXPECT_EQ(inet_pton(AF_INET6, text, &v6->sin6_addr), 1) << text;
        v6->sin6_family = AF_INET6;
    }
    return storage;
}

bool is_public(const char* text) {
    const sockaddr_storage storage = address_of(text);
    return is_public(reinterpret_cast<const sockaddr*>(&storage));
}

// How many addresses of a lookup would be tried.
size_t usable(std::vector<const char*> texts, bool untrusted) {
    std::vector<sockaddr_storage> addresses;
    for (const char* text : texts) addresses.push_back(address_of(text));
    std::vector<addrinfo> list(texts.size());
    for (size_t i = 0; i < list.size(); ++i) {
        const bool v4 = addresses[i].ss_family == AF_INET;
        list[i].ai_family = addresses[i].ss_family;
        list[i].ai_addr = reinterpret_cast<sockaddr*>(&addresses[i]);
        list[i].ai_addrlen = v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        list[i].ai_next = i + 1 < list.size() ? &list[i + 1] : nullptr;
    }
    return usable_addresses(list.data(), untrusted).size();
}

TEST(AddressPolicy, RefusesANameWithOnePrivateAddressAltogether) {
    EXPECT_EQ(usable({"8.8.8.8", "2606:4700::1"}, true), 2u);
    EXPECT_EQ(usable({"10.0.0.1", "::1"}, false), 2u);
    for (const char* hidden : {"127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fd00::1", "::1"}) {
        EXPECT_EQ(usable({hidden}, true), 0u) << hidden;
        EXPECT_EQ(usable({"8.8.8.8", hidden}, true), 0u) << hidden;
        EXPECT_EQ(usable({hidden, "8.8.8.8"}, true), 0u) << hidden;
        EXPECT_EQ(usable({"8.8.8.8", "2606:4700::1", hidden}, true), 0u) << hidden;
    }
}

TEST(AddressPolicy, KnowsWhatIsNotPublic) {
    for (const char* text : {"8.8.8.8", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.128.0.1", "2606:4700::1",
                             "2002:808:808::1", "::ffff:8.8.8.8", "64:ff9b::808:808"}) {
        EXPECT_TRUE(is_public(text)) << text;
    }
    for (const char* text : {"0.0.0.0",
                             "10.1.2.3",
                             "100.64.0.1",
                             "127.0.0.1",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.0.0.8",
                             "192.0.2.1",
                             "192.168.0.1",
                             "198.18.0.1",
                             "198.51.100.1",
                             "203.0.113.1",
                             "224.0.0.1",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::ffff:127.0.0.1",
                             "fe80::1",
                             "fc00::1",
                             "fd12::1",
                             "ff02::1",
                             "2001:db8::1",
                             "2002:7f00:1::1",
                             "64:ff9b::7f00:1",
                             "64:ff9b:1::808:808",
                             "192.88.99.1",
                             "100::1",
                             "2001::1",
                             "2001:2::1",
                             "2001:10::1",
                             "3fff::1",
                             "::ffff:169.254.169.254",
                             "::10.0.0.1",
                             "2002:a9fe:a9fe::1"}) {
        EXPECT_FALSE(is_public(text)) << text;
    }
}

TEST(Resolver, FindsLoopbackAndSaysWhatItCannotFind) {
    const auto door = std::make_shared<Door>();
    Resolver resolver;
    const auto answer = [&door] {
        std::vector<Portion*> portions;
        std::vector<Notice> notices;
        while (notices.empty()) {
            door->take(portions, notices);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return std::move(notices.front());
    };
    ASSERT_TRUE(resolver.resolve("localhost", 443, false, 5, door));
    const Notice found = answer();
    EXPECT_EQ(found.number, 5u);
    EXPECT_FALSE(found.addresses.empty());
    ASSERT_TRUE(resolver.resolve("localhost", 443, true, 6, door));
    EXPECT_TRUE(answer().addresses.empty());
    ASSERT_TRUE(resolver.resolve("no-such-name.invalid", 443, false, 7, door));
    const Notice missing = answer();
    EXPECT_TRUE(missing.addresses.empty());
    EXPECT_NE(missing.failure.find("no-such-name.invalid"), std::string::npos);
}

TEST(Door, RefusesPostsAfterClosing) {
    Door door;
    Portion portion;
    EXPECT_TRUE(door.post(portion));
    EXPECT_TRUE(door.post(Notice{}));
    door.close();
    EXPECT_FALSE(door.post(portion));
    std::vector<Portion*> portions;
    std::vector<Notice> notices;
    door.take(portions, notices);
    EXPECT_EQ(portions.size(), 1u);
    EXPECT_EQ(notices.size(), 1u);
}

}  // namespace belfry::http
