// SPDX-License-Identifier: Apache-2.0
// Payloads, headers and requests. That bodies can be decrypted is shown against the simulator and http_ece.
#include <set>

#include "fakes/webpush_bed.h"

namespace belfry::fakes {
namespace {

struct BadPayload {
    const char* name;
    std::string payload;
    belfry_code code;
    const char* where;
};
TEST(WebPushPayload, IsCheckedBeforeAnythingIsQueued) {
    WebPushBed bed;
    const BadPayload cases[] = {
        {"no JSON", "{", BELFRY_BAD_REQUEST, ""},
        {"no object", R"("text")", BELFRY_BAD_REQUEST, ""},
        {"no payload", "{}", BELFRY_BAD_REQUEST, "payload"},
        {"unknown member", R"({"payload":"x","tll":5})", BELFRY_BAD_REQUEST, "tll"},
        {"negative ttl", R"({"payload":"x","ttl":-1})", BELFRY_BAD_REQUEST, "ttl"},
        {"ttl in words", R"({"payload":"x","ttl":"5"})", BELFRY_BAD_REQUEST, "ttl"},
        {"urgency in capitals", R"({"payload":"x","urgency":"HIGH"})", BELFRY_BAD_REQUEST, "urgency"},
        {"empty topic", R"({"payload":"x","topic":""})", BELFRY_BAD_REQUEST, "topic"},
        {"number as topic", R"({"payload":"x","topic":5})", BELFRY_BAD_REQUEST, "topic"},
        {"headers of another kind", R"({"payload":"x","headers":"TTL: 5"})", BELFRY_BAD_REQUEST, "headers"},
        {"unknown header", R"({"payload":"x","headers":{"Encryption":"x"}})", BELFRY_BAD_REQUEST, "headers.Encryption"},
        {"number as header", R"({"payload":"x","headers":{"TTL":5}})", BELFRY_BAD_REQUEST, "headers.TTL"},
        {"words as TTL", R"({"payload":"x","headers":{"TTL":"soon"}})", BELFRY_BAD_REQUEST, "headers.TTL"},
        {"TTL twice", R"({"payload":"x","ttl":5,"headers":{"TTL":"5"}})", BELFRY_BAD_REQUEST, "headers.TTL"},
        {"header twice", R"({"payload":"x","headers":{"TTL":"5","ttl":"5"}})", BELFRY_BAD_REQUEST, "headers.ttl"},
        {"3994 bytes", R"({"payload":")" + std::string(3994, 'x') + "\"}", BELFRY_TOO_LARGE, "payload"}};
    for (const BadPayload& each : cases) {
        EXPECT_EQ(bed.prepare(each.payload, BELFRY_CONTENT_CHECK_ONLY), 0U) << each.name;
        EXPECT_EQ(bed.trouble.code, each.code) << each.name << ": " << bed.trouble.text;
        EXPECT_EQ(bed.trouble.where, each.where) << each.name << ": " << bed.trouble.text;
    }
    EXPECT_EQ(bed.prepare(R"({"payload":")" + std::string(3993, 'x') + "\"}"), 1U) << bed.trouble.text;
    EXPECT_EQ(bed.prepare(R"({"payload":")" + std::string(3994, 'x') + "\"}", BELFRY_CONTENT_HAS_HOLES), 1U);
    EXPECT_EQ(bed.prepare(R"({"payload":"x"})", BELFRY_CONTENT_CHECK_ONLY), 0U);
    EXPECT_EQ(bed.trouble.code, BELFRY_OK);
    EXPECT_EQ(bed.prepare(R"({"payload":"x"})", BELFRY_CONTENT_DRY_RUN), 0U);
    EXPECT_EQ(bed.trouble.code, BELFRY_UNSUPPORTED);
    EXPECT_EQ(bed.prepare(R"({"payload":"x"})", 0, BELFRY_CONTENT_TOPIC), 0U);
    EXPECT_EQ(bed.trouble.code, BELFRY_UNSUPPORTED);
}

TEST(WebPushRequest, HasWhatTheRfcsWant) {
    WebPushBed bed;
    const Browser browser(bed.services, "https://WNS2.notify.windows.com/w/?token=a%2bb");
    const auto request = bed.one(browser, R"({"payload":"hello","ttl":60,"urgency":"high","topic":"new_event"})");
    EXPECT_EQ(request.origin, "https://wns2.notify.windows.com");
    EXPECT_EQ(request.path, "/w/?token=a%2bb");
    EXPECT_EQ(request.headers.at("ttl"), "60");
    EXPECT_EQ(request.headers.at("urgency"), "high");
    EXPECT_EQ(request.headers.at("topic").size(), 24U);
    EXPECT_EQ(request.headers.at("content-encoding"), "aes128gcm");
    EXPECT_EQ(request.headers.at("content-type"), "application/octet-stream");
    EXPECT_EQ(request.headers.at("authorization").substr(0, 8), "vapid t=");
    EXPECT_EQ(request.body.size(), 103U + 5);
    EXPECT_EQ(request.headers.size(), 6U);
}

TEST(WebPushRequest, TakesItsOptionsFromHeadersToo) {
    WebPushBed bed;
    const Browser browser(bed.services);
    const auto members = bed.one(browser, R"({"payload":"x","ttl":60,"urgency":"low","topic":"news"})");
    const auto headers = bed.one(browser, R"({"payload":"x","headers":{"TTL":"60","urgency":"low","Topic":"news"}})");
    for (const char* name : {"ttl", "urgency", "topic"}) EXPECT_EQ(headers.headers.at(name), members.headers.at(name));
    EXPECT_EQ(bed.one(browser, R"({"payload":"x","headers":{}})").headers.at("ttl"), "2419200");
    EXPECT_EQ(bed.one(browser, R"({"payload":"x","headers":{"TTL":"99999999999999999999"}})").headers.at("ttl"),
              "2419200");
}

// The claims of a request's token.
std::string claims_of(const Written& request) {
    const std::string& value = request.headers.at("authorization");
    const size_t first = value.find('.') + 1;
    return decoded(value.substr(first, value.find('.', first) - first));
}

TEST(WebPushRequest, SaysWhoItIsForInItsAudience) {
    WebPushBed bed(R"("allowed_origins":["h.test","h.test:8443"])");
    const std::pair<const char*, const char*> cases[] = {{"https://h.test:443/x", "https://h.test"},
                                                         {"https://h.test/x", "https://h.test"},
                                                         {"https://H.test/x", "https://h.test"},
                                                         {"https://h.test:8443/x", "https://h.test:8443"}};
    for (const auto& [url, audience] : cases) {
        const auto request = bed.one(Browser(bed.services, url), R"({"payload":"x"})");
        const std::string claims = claims_of(request);
        EXPECT_EQ(json::unescape(json::find(claims, "aud")), audience) << url;
        EXPECT_EQ(request.origin, audience);
        EXPECT_EQ(json::unescape(json::find(claims, "sub")), "mailto:ops@example.com");
        const auto exp = std::stoll(std::string(json::find(claims, "exp").raw));
        EXPECT_EQ(exp, bed.host.clock.unix_ms() / 1000 + 12 * 3600);
    }
}

TEST(WebPushRequest, SharesOneTokenPerOriginForHours) {
    WebPushBed bed;
    std::set<std::string> tokens;
    const auto send = [&](const char* url) {
        tokens.insert(bed.one(Browser(bed.services, url), R"({"payload":"x"})").headers.at("authorization"));
    };
    for (int i = 0; i < 20; ++i) send("https://fcm.googleapis.com/fcm/send/a");
    bed.host.clock.advance(std::chrono::hours(10));
    send("https://fcm.googleapis.com/fcm/send/b");
    EXPECT_EQ(tokens.size(), 1U);
    send("https://web.push.apple.com/Qa");
    EXPECT_EQ(tokens.size(), 2U);
    bed.host.clock.advance(std::chrono::hours(2));
    send("https://fcm.googleapis.com/fcm/send/b");
    EXPECT_EQ(tokens.size(), 3U);
}

TEST(WebPushRequest, LivesNoLongerThanThePush) {
    WebPushBed bed;
    const Browser browser(bed.services);
    const int64_t now = bed.host.clock.unix_ms();
    EXPECT_EQ(bed.one(browser, R"({"payload":"x"})").headers.at("ttl"), "2419200");
    EXPECT_EQ(bed.one(browser, R"({"payload":"x","ttl":99999999})").headers.at("ttl"), "2419200");
    EXPECT_EQ(bed.one(browser, R"({"payload":"x","ttl":0})").headers.at("ttl"), "0");
    EXPECT_EQ(bed.one(browser, R"({"payload":"x","ttl":600})", now + 90'500).headers.at("ttl"), "90");
    EXPECT_EQ(bed.one(browser, R"({"payload":"x","ttl":60})", now + 90'500).headers.at("ttl"), "60");
    const std::string payload = R"({"payload":"x"})";
    const auto late = bed.encode({{browser.endpoint, browser.data(), 0, payload, now - 1}});
    ASSERT_EQ(late.refused.size(), 1U);
    EXPECT_EQ(late.refused[0].outcome, BELFRY_EXPIRED);
    const auto device = bed.validate(browser.subscription());
    ASSERT_TRUE(device);
    for (const auto& [text, sent] : {std::pair{R"({"payload":"x","ttl":0})", 0U}, {R"({"payload":"x","ttl":1})", 1U}}) {
        const auto again = bed.encode({{device->token, device->data, device->variant, text, 0, 2}});
        EXPECT_EQ(again.requests.size(), sent) << "ttl 0 is for now or never: " << text;
    }
}

TEST(WebPushRequest, LivesAsLongAsThePushSaidFromItsStartOnEveryAttempt) {
    WebPushBed bed;
    const Browser browser(bed.services);
    const int64_t start = bed.host.clock.unix_ms();
    // The ttl header of an attempt, -1: it is over.
    const auto ttl = [&](const char* payload, uint32_t attempt, int64_t started, int64_t expires = 0) {
        const auto out = bed.encode({{browser.endpoint, browser.data(), bed.validate(browser.subscription())->variant,
                                      payload, expires, attempt, started}});
        if (out.requests.size() == 1) return std::stoi(out.requests[0].headers.at("ttl"));
        EXPECT_EQ(out.refused.at(0).outcome, BELFRY_EXPIRED);
        return -1;
    };
    const char* minute = R"({"payload":"x","ttl":60})";
    EXPECT_EQ(ttl(minute, 1, start), 60);
    EXPECT_EQ(ttl(minute, 1, start + 5'000), 60) << "noted by a clock that is ahead";
    bed.host.clock.advance(std::chrono::milliseconds(20'900));
    EXPECT_EQ(ttl(minute, 2, start), 40);
    EXPECT_EQ(ttl(minute, 2, start, start + 30'900), 10) << "the sooner counts";
    EXPECT_EQ(ttl(minute, 2, start, start + 300'000), 40);
    EXPECT_EQ(ttl(minute, 2, 0), 60) << "a host that does not say when";
    EXPECT_EQ(ttl(R"({"payload":"x","ttl":0})", 1, start), 0) << "now or never: now";
    bed.host.clock.advance(std::chrono::milliseconds(39'000));
    EXPECT_EQ(ttl(minute, 3, start), 1);
    bed.host.clock.advance(std::chrono::milliseconds(100));
    EXPECT_EQ(ttl(minute, 3, start), -1);
    EXPECT_EQ(ttl(minute, 1, start), -1) << "kept waiting for its whole life";
}

TEST(WebPushRequest, MapsEachTopicToOneSafeValue) {
    WebPushBed bed;
    const Browser browser(bed.services);
    const auto topic = [&](const std::string& name) {
        return bed.one(browser, R"({"payload":"x","topic":")" + name + "\"}").headers.at("topic");
    };
    EXPECT_EQ(topic("new_event"), topic("new_event"));
    std::set<std::string> values;
    for (const std::string& name : {std::string("new_event"), std::string("a.b"), std::string(33, 'a'),
                                    std::string("mail-batch-10"), std::string("\xD0\xB0")}) {
        const std::string value = topic(name);
        EXPECT_EQ(value.size(), 24U);
        EXPECT_EQ(value.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                  std::string::npos);
        values.insert(value);
    }
    EXPECT_EQ(values.size(), 5U);
    EXPECT_EQ(bed.one(browser, R"({"payload":"x"})").headers.count("topic"), 0U);
}

TEST(WebPushRequest, CarriesTextsUnescapedAndJsonAsItIs) {
    WebPushBed bed;
    const Browser browser(bed.services);
    const auto bytes = [&](const std::string& payload) {
        return bed.one(browser, R"({"payload":)" + payload + "}").body.size() - 103;
    };
    EXPECT_EQ(bytes(R"("")"), 0U);
    EXPECT_EQ(bytes(R"("a\nb\u00e9")"), 5U);
    const std::string declarative =
        R"({"web_push": 8030, "notification":{"title":"t","navigate":"https://example.com/"}})";
    EXPECT_EQ(bytes(declarative), declarative.size());
    EXPECT_EQ(bytes("null"), 4U);
}

TEST(WebPushEncode, WritesAPrefixThatFitsAndNeverRepeatsASalt) {
    WebPushBed bed;
    std::vector<Item> items;
    std::vector<Browser> browsers;
    const std::string payload = R"({"payload":")" + std::string(1000, 'x') + "\"}";
    for (int i = 0; i < 100; ++i) {
        browsers.emplace_back(bed.services, "https://fcm.googleapis.com/fcm/send/" + std::to_string(i));
        const auto token = bed.validate(browsers.back().subscription());
        ASSERT_TRUE(token);
        items.push_back({token->token, token->data, token->variant, payload});
    }
    const auto whole = bed.encode(items, 256 * 1024, 7);
    EXPECT_EQ(whole.length, 64U);
    ASSERT_EQ(whole.requests.size(), 64U);
    std::set<std::string> salts, keys;
    for (size_t i = 0; i < whole.requests.size(); ++i) {
        EXPECT_EQ(whole.requests[i].first_item, 7 + i);
        EXPECT_EQ(whole.requests[i].items, 1U);
        EXPECT_EQ(whole.requests[i].path, "/fcm/send/" + std::to_string(i));
        salts.insert(whole.requests[i].body.substr(0, 16));
        keys.insert(whole.requests[i].body.substr(21, 65));
    }
    EXPECT_EQ(salts.size(), 64U);
    EXPECT_EQ(keys.size(), 64U);
    const auto part = bed.encode(items, 10 * 1024);
    EXPECT_GT(part.length, 3U);
    EXPECT_LT(part.length, 8U);
    EXPECT_EQ(part.requests.size(), part.length);
}

TEST(WebPushEncode, OneBadItemHarmsNoOther) {
    WebPushBed bed;
    const Browser good(bed.services);
    const auto token = bed.validate(good.subscription());
    ASSERT_TRUE(token);
    const std::string payload = R"({"payload":"x"})", long_one = R"({"payload":")" + std::string(3994, 'x') + "\"}";
    const auto encoded = bed.encode({{token->token, token->data, token->variant, payload},
                                     {token->token, "rubbish", token->variant, payload},
                                     {"not a url", token->data, token->variant, payload},
                                     {token->token, token->data, token->variant, long_one},
                                     {token->token, token->data, token->variant, payload}});
    EXPECT_EQ(encoded.length, 5U);
    EXPECT_EQ(encoded.requests.size(), 2U);
    ASSERT_EQ(encoded.refused.size(), 3U);
    EXPECT_NE(encoded.refused[2].reason.find("3994"), std::string::npos) << encoded.refused[2].reason;
}

TEST(WebPushPlugin, SaysWhoItIs) {
    WebPushBed bed;
    EXPECT_EQ(view(bed.main().id), "webpush");
    EXPECT_NE(bed.provider().encode, nullptr);
    EXPECT_EQ(bed.provider().authorize, nullptr);
    EXPECT_EQ(bed.provider().send, nullptr);
}

}  // namespace
}  // namespace belfry::fakes
