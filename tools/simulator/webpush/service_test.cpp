// SPDX-License-Identifier: Apache-2.0
#include "webpush/service.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fcm/base64url.h"
#include "testing/fake_clock.h"
#include "testing/push_sender.h"

namespace belfry::simulator::webpush {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

class WebPushTest : public testing::Test {
protected:
    WebPushTest() : world_(clock_, {1000, 10}, 1), services_(world_) {
        for (const Flavour flavour : kFlavours)
            services_.set_origin(flavour, "https://" + std::string(flavour_name(flavour)) + ".test");
    }

    json control(const std::string& method, const std::vector<std::string>& segments, const json& body = {}) {
        Request request;
        request.method = method;
        request.body = body.dump();
        const Reply reply = services_.control(request, segments);
        EXPECT_LT(reply.status, 300) << reply.body;
        return json::parse(reply.body);
    }
    json subscribe(Flavour flavour, const std::string& name = "phone", const json& more = json::object()) {
        json asked = {{"flavour", flavour_name(flavour)}, {"name", name}};
        asked.update(more);
        return control("POST", {"webpush", "subscriptions"}, asked)["subscription"];
    }
    json phone(const std::string& name = "phone") { return control("GET", {"webpush", "phones", name}); }

    json claims(Flavour flavour) const {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
        return {{"aud", services_.origin(flavour)}, {"exp", now + 12 * 3600}, {"sub", "mailto:ops@example.com"}};
    }
    // A request that is in order, for tests to spoil.
    Request request(Flavour flavour, const json& subscription, const std::string& payload = "hello") {
        const std::string endpoint = subscription["endpoint"];
        const std::string target = endpoint.substr(services_.origin(flavour).size());
        Request made;
        made.method = "POST";
        made.path = target.substr(0, target.find('?'));
        if (target.find('?') != std::string::npos) made.query = target.substr(target.find('?') + 1);
        made.body =
            PushSender::seal(base64url_decode(subscription["keys"]["p256dh"].get<std::string>()).value(),
                             base64url_decode(subscription["keys"]["auth"].get<std::string>()).value(), payload);
        made.headers = {{"ttl", "60"},
                        {"content-encoding", "aes128gcm"},
                        {"content-length", std::to_string(made.body.size())},
                        {"authorization", sender_.authorization(claims(flavour))}};
        return made;
    }
    static void set(Request& request, const std::string& name, const std::string& value) {
        std::erase_if(request.headers, [&](const Header& header) { return header.name == name; });
        if (!value.empty()) request.headers.push_back({name, value});
    }
    Reply post(Flavour flavour, Request made) { return services_.backend(flavour).handle(std::move(made)).reply; }
    static std::string header(const Reply& reply, const std::string& name) {
        for (const Header& each : reply.headers) {
            if (each.name == name) return each.value;
        }
        return {};
    }

    FakeClock clock_;
    World world_;
    PushServices services_;
    PushSender sender_;
};

TEST_F(WebPushTest, EveryFlavourShowsTheMessageAndAnswersInItsWay) {
    for (const Flavour flavour : kFlavours) {
        const std::string name(flavour_name(flavour));
        const Reply reply = post(flavour, request(flavour, subscribe(flavour, name)));
        EXPECT_EQ(reply.status, 201) << name << reply.body;
        EXPECT_EQ(reply.body, "");
        ASSERT_EQ(phone(name)["messages"].size(), 1U) << name;
        EXPECT_EQ(phone(name)["messages"][0]["payload"], "hello");
        const char* names[] = {"location", "ttl", "apns-id", "x-wns-status"};
        EXPECT_NE(header(reply, names[static_cast<std::size_t>(flavour)]), "") << name;
    }
}

TEST_F(WebPushTest, WindowsEscapesAreKeptByteForByte) {
    const json subscription = subscribe(Flavour::Windows);
    Request altered = request(Flavour::Windows, subscription);
    altered.query.replace(altered.query.find("%2b"), 3, "%2B");
    EXPECT_EQ(post(Flavour::Windows, std::move(altered)).status, 404);
}

struct Spoiled {
    const char* name;
    const char* header;
    const char* value;
    int statuses[4];  // of fcm, mozilla, apple, windows
};

TEST_F(WebPushTest, HeadersThatBreakTheProtocolAreRefused) {
    const Spoiled cases[] = {{"no ttl", "ttl", "", {400, 400, 400, 400}},
                             {"negative ttl", "ttl", "-1", {400, 400, 400, 400}},
                             {"ttl in words", "ttl", "soon", {400, 400, 400, 400}},
                             {"urgency in capitals", "urgency", "HIGH", {400, 400, 400, 400}},
                             {"topic of 33", "topic", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", {400, 400, 400, 400}},
                             {"topic with a dot", "topic", "a.b", {400, 400, 400, 400}},
                             {"topic apple cannot decode", "topic", "new_event", {201, 201, 400, 201}},
                             {"topic of 24", "topic", "abcdefghijklmnopqrstuvwx", {201, 201, 201, 201}},
                             {"older encoding", "content-encoding", "aesgcm", {400, 400, 400, 400}},
                             {"no length", "content-length", "", {400, 400, 400, 411}},
                             {"no sender", "authorization", "", {401, 401, 403, 401}},
                             {"capital scheme", "authorization", "Vapid t=a.b.c, k=x", {403, 401, 403, 401}},
                             {"older scheme", "authorization", "WebPush a.b.c", {403, 401, 403, 401}}};
    int number = 0;
    for (const Spoiled& each : cases) {
        for (const Flavour flavour : kFlavours) {
            Request made = request(flavour, subscribe(flavour, "p" + std::to_string(++number)));
            set(made, each.header, each.value);
            EXPECT_EQ(post(flavour, std::move(made)).status, each.statuses[static_cast<std::size_t>(flavour)])
                << each.name << " at " << flavour_name(flavour);
        }
    }
}

TEST_F(WebPushTest, DoubledHeadersAndGetAreRefused) {
    const json subscription = subscribe(Flavour::Mozilla);
    for (const char* name : {"ttl", "urgency", "topic"}) {
        Request made = request(Flavour::Mozilla, subscription);
        made.headers.push_back({name, name == std::string("ttl") ? "60" : "low"});
        made.headers.push_back({name, name == std::string("ttl") ? "60" : "low"});
        EXPECT_EQ(post(Flavour::Mozilla, std::move(made)).status, 400) << name;
    }
    Request get = request(Flavour::Mozilla, subscription);
    get.method = "GET";
    EXPECT_EQ(post(Flavour::Mozilla, std::move(get)).status, 400);
}

struct Claim {
    const char* name;
    json change;
    int apple;  // status there; the others
    int others;
};

TEST_F(WebPushTest, ClaimsAreChecked) {
    const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
    const Claim cases[] = {{"audience with a slash", {{"aud", "https://apple.test/"}}, 403, 403},
                           {"another audience", {{"aud", "https://elsewhere.test"}}, 403, 403},
                           {"past", {{"exp", now - 1}}, 403, 403},
                           {"beyond a day", {{"exp", now + 25 * 3600}}, 403, 403},
                           {"no expiry", {{"exp", nullptr}}, 403, 403},
                           {"no subject", {{"sub", nullptr}}, 403, 201},
                           {"subject with a blank", {{"sub", "mailto: a@example.com"}}, 403, 201},
                           {"subject in brackets", {{"sub", "mailto:<a@example.com>"}}, 403, 201},
                           {"subject at localhost", {{"sub", "mailto:a@localhost"}}, 403, 201},
                           {"subject without a scheme", {{"sub", "a@example.com"}}, 403, 201},
                           {"subject over http", {{"sub", "http://example.com"}}, 403, 201},
                           {"subject over https", {{"sub", "https://example.com/contact"}}, 201, 201}};
    for (const Claim& each : cases) {
        for (const Flavour flavour : {Flavour::Apple, Flavour::Fcm}) {
            Request made = request(flavour, subscribe(flavour, std::string(flavour_name(flavour)) + each.name));
            json wrong = claims(flavour);
            wrong.update(each.change);
            set(made, "authorization", sender_.authorization(wrong));
            EXPECT_EQ(post(flavour, std::move(made)).status, flavour == Flavour::Apple ? each.apple : each.others)
                << each.name;
        }
    }
}

TEST_F(WebPushTest, AnotherKeyOrSignatureIsRefusedInTheServicesWords) {
    const PushSender other;
    const char* words[] = {"do not correspond", "VAPID public key mismatch", "VapidPkHashMismatch", ""};
    const int statuses[] = {403, 401, 400, 401};
    for (const Flavour flavour : kFlavours) {
        const json subscription = subscribe(flavour, std::string(flavour_name(flavour)));
        EXPECT_EQ(post(flavour, request(flavour, subscription)).status, 201);
        Request foreign = request(flavour, subscription);
        set(foreign, "authorization", other.authorization(claims(flavour)));
        const Reply reply = post(flavour, std::move(foreign));
        EXPECT_EQ(reply.status, statuses[static_cast<std::size_t>(flavour)]);
        EXPECT_NE(reply.body.find(words[static_cast<std::size_t>(flavour)]), std::string::npos) << reply.body;
        Request forged = request(flavour, subscription);
        set(forged, "authorization", "vapid t=" + other.token(claims(flavour)) + ", k=" + sender_.public_key());
        EXPECT_GE(post(flavour, std::move(forged)).status, 400);
        Request unsigned_one = request(flavour, subscription);
        set(unsigned_one, "authorization",
            "vapid t=" + sender_.token(claims(flavour), {{"alg", "none"}}) + ", k=" + sender_.public_key());
        EXPECT_GE(post(flavour, std::move(unsigned_one)).status, 400);
    }
}

TEST_F(WebPushTest, BodiesThatCannotBeOpenedAndLongOnesAreRefused) {
    const json subscription = subscribe(Flavour::Mozilla);
    Request broken = request(Flavour::Mozilla, subscription);
    broken.body.back() = static_cast<char>(broken.body.back() ^ 1);
    EXPECT_EQ(json::parse(post(Flavour::Mozilla, std::move(broken)).body)["errno"], 110);
    EXPECT_EQ(post(Flavour::Mozilla, request(Flavour::Mozilla, subscription, std::string(3993, 'x'))).status, 201);
    EXPECT_EQ(post(Flavour::Mozilla, request(Flavour::Mozilla, subscription, std::string(3994, 'x'))).status, 413);
}

TEST_F(WebPushTest, DeadSubscriptionsAreNamedAsSuch) {
    const int gone[] = {410, 410, 410, 410}, unknown[] = {404, 404, 410, 404};
    for (const Flavour flavour : kFlavours) {
        const std::string name(flavour_name(flavour));
        const json subscription = subscribe(flavour, name);
        control("POST", {"webpush", "subscriptions", name}, {{"state", "gone"}});
        EXPECT_EQ(post(flavour, request(flavour, subscription)).status, gone[static_cast<std::size_t>(flavour)]);
        control("POST", {"webpush", "subscriptions", name}, {{"state", "unknown"}});
        EXPECT_EQ(post(flavour, request(flavour, subscription)).status, unknown[static_cast<std::size_t>(flavour)]);
    }
}

TEST_F(WebPushTest, WaitingMessagesFollowTopicTimeToLiveAndDelete) {
    const json subscription = subscribe(Flavour::Mozilla, "phone", {{"online", false}});
    const auto send = [&](const std::string& payload, const std::string& ttl, const std::string& topic) {
        Request made = request(Flavour::Mozilla, subscription, payload);
        set(made, "ttl", ttl);
        set(made, "topic", topic);
        return post(Flavour::Mozilla, std::move(made));
    };
    EXPECT_EQ(send("first", "100", "news").status, 201);
    EXPECT_EQ(send("second", "100", "news").status, 201);
    EXPECT_EQ(send("dropped", "0", "").status, 201);
    EXPECT_EQ(send("too old", "10", "").status, 201);
    const Reply withdrawn = send("withdrawn", "100", "");
    Request removal;
    removal.method = "DELETE";
    removal.path = header(withdrawn, "location").substr(services_.origin(Flavour::Mozilla).size());
    EXPECT_EQ(post(Flavour::Mozilla, removal).status, 204);
    EXPECT_EQ(post(Flavour::Mozilla, removal).status, 404);
    clock_.advance(std::chrono::seconds(11));
    control("POST", {"webpush", "subscriptions", "phone"}, {{"online", true}});
    const json messages = phone()["messages"];
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0]["payload"], "second");
    EXPECT_EQ(header(send("x", "99999999", ""), "ttl"), "2592000");
}

TEST_F(WebPushTest, FaultsAnswerInTheServicesForm) {
    const json subscription = subscribe(Flavour::Windows);
    ASSERT_FALSE(world_.faults.add(ordered_json::parse(
        R"({"action":"status","status":406,"retry_after_s":900,"match":{"route":"webpush","next":1}})")));
    const Reply throttled = post(Flavour::Windows, request(Flavour::Windows, subscription));
    EXPECT_EQ(throttled.status, 406);
    EXPECT_EQ(header(throttled, "retry-after"), "900");
    EXPECT_EQ(header(throttled, "x-wns-status"), "appthrottled");
    EXPECT_EQ(post(Flavour::Windows, request(Flavour::Windows, subscription)).status, 201);
    ASSERT_FALSE(
        world_.faults.add(ordered_json::parse(R"({"action":"status","status":301,"match":{"route":"webpush"}})")));
    EXPECT_EQ(header(post(Flavour::Windows, request(Flavour::Windows, subscription)), "location"),
              "http://127.0.0.1:1/moved");
    EXPECT_EQ(phone()["received"], 1);
}

TEST_F(WebPushTest, KeepsEveryRequestForAssertions) {
    const json subscription = subscribe(Flavour::Fcm);
    post(Flavour::Fcm, request(Flavour::Fcm, subscription));
    post(Flavour::Fcm, request(Flavour::Fcm, subscription));
    const json seen = control("GET", {"webpush", "requests"})["requests"];
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_NE(seen[0]["salt"], seen[1]["salt"]);
    EXPECT_NE(seen[0]["sender_key"], seen[1]["sender_key"]);
    EXPECT_EQ(seen[0]["subscription"], "phone");
    EXPECT_EQ(world_.journal.total(), 2U);
    services_.forget_messages();
    EXPECT_EQ(control("GET", {"webpush", "requests"})["total"], 0);
}

TEST_F(WebPushTest, NamesMistakesInControlCalls) {
    Request request;
    request.method = "POST";
    for (const char* body : {"", "[]", R"({"flavour":"opera"})", R"({"count":0})", R"({"name":5})"}) {
        request.body = body;
        EXPECT_EQ(services_.control(request, {"webpush", "subscriptions"}).status, 400) << body;
    }
    EXPECT_EQ(services_.control(request, {"webpush", "nothing"}).status, 404);
    subscribe(Flavour::Apple, "twice");
    request.body = R"({"name":"twice"})";
    EXPECT_EQ(services_.control(request, {"webpush", "subscriptions"}).status, 409);
}

}  // namespace
}  // namespace belfry::simulator::webpush
