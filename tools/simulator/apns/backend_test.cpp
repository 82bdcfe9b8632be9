// SPDX-License-Identifier: Apache-2.0
// The cases of docs/providers/apns.md, 10, as far as they are the service's: A1 to A30 and B1 to B3.
#include "apns/backend.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "testing/assertion.h"
#include "testing/fake_clock.h"

namespace belfry::simulator {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

const std::string kToken = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";
const std::string kUuid = "eabeae54-14a8-11e5-b60b-1697f925ec7b";
const std::string kBody = R"({"aps":{"alert":"hi"}})";

struct KeyKind {
    const char* id;
    bool production, sandbox;
    const char* topic;
};

class ApnsBackendTest : public testing::Test {
protected:
    ApnsBackendTest()
        : world_(clock_, {1000, 10}, 1),
          production_(world_, ApnsEnvironment::Production),
          sandbox_(world_, ApnsEnvironment::Sandbox) {
        world_.apns.topics = {"com.example.app", "com.example.other"};
        for (const KeyKind& kind :
             {KeyKind{"TEAMKEY", true, true, ""}, KeyKind{"TEAMKEY2", true, true, ""},
              KeyKind{"SANDKEY", false, true, ""}, KeyKind{"TOPICKEY", true, true, "com.example.other"}}) {
            world_.apns.keys.push_back({kind.id, "TEAM", make_ec_key(), kind.production, kind.sandbox, kind.topic});
        }
        jwt_ = make_jwt(0);
    }

    std::string make_jwt(std::size_t key, std::int64_t age_s = 0) {
        const auto now = std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
        const ApnsKey& by = world_.apns.keys[key];
        return sign_jwt(by.key.get(), {{"alg", "ES256"}, {"kid", by.key_id}}, {{"iss", "TEAM"}, {"iat", now - age_s}});
    }

    // Headers given replace the usual ones; an empty value leaves one out.
    Request push(const std::string& token = kToken, const std::vector<Header>& headers = {},
                 const std::string& body = kBody) const {
        Request request;
        request.method = "POST";
        request.path = "/3/device/" + token;
        request.authority = "localhost";
        request.http2 = true;
        request.connection = connection_;
        request.body = body;
        request.headers = {{"authorization", "bearer " + jwt_},
                           {"apns-topic", "com.example.app"},
                           {"apns-push-type", "alert"},
                           {"apns-id", kUuid}};
        for (const Header& header : headers) {
            std::erase_if(request.headers, [&](const Header& old) { return old.name == header.name; });
            if (!header.value.empty()) request.headers.push_back(header);
        }
        return request;
    }

    static std::string text(const Plan& plan) {
        const json body = json::parse(plan.reply.body.empty() ? "{}" : plan.reply.body);
        return std::to_string(plan.reply.status) + " " + body.value("reason", "");
    }
    std::string managed(Request request) { return text(channels_.handle(std::move(request))); }
    std::string answer(Request request) { return text(production_.handle(std::move(request))); }
    std::string with(const std::vector<Header>& headers, const std::string& body = kBody) {
        return answer(push(kToken, headers, body));
    }
    static std::string header(const Plan& plan, const std::string& name) {
        for (const Header& each : plan.reply.headers) {
            if (each.name == name) return each.value;
        }
        return "";
    }
    Request channel(const std::string& method, const std::string& path, const std::vector<Header>& more = {},
                    const std::string& body = {}) const {
        Request request = push();
        request.method = method;
        request.path = path;
        request.body = body;
        request.headers.resize(1);
        request.headers.insert(request.headers.end(), more.begin(), more.end());
        return request;
    }

    FakeClock clock_;
    World world_;
    ApnsBackend production_, sandbox_;
    ApnsBackend channels_{world_, ApnsEnvironment::Production, ApnsDuty::Channels};
    ApnsBackend sandbox_channels_{world_, ApnsEnvironment::Sandbox, ApnsDuty::Channels};
    std::string jwt_;
    std::uint64_t connection_ = 1;
};

TEST_F(ApnsBackendTest, A1_AcceptsAndEchoesTheId) {
    const Plan plan = production_.handle(push(kToken, {{"apns-priority", "10"}, {"apns-collapse-id", "c"}}));
    EXPECT_EQ(text(plan), "200 ");
    EXPECT_EQ(header(plan, "apns-id"), kUuid);
    EXPECT_EQ(header(plan, "apns-unique-id"), "");
    EXPECT_EQ(plan.reply.body, "");
    const Phones::Phone* phone = world_.phones.find(kToken);
    ASSERT_NE(phone, nullptr);
    EXPECT_EQ(*phone->last.back().body, kBody);
    EXPECT_EQ(json::parse(phone->last.back().headers).value("apns-collapse-id", ""), "c");
    EXPECT_EQ(world_.ledger.times_accepted(kToken), 1U);
    EXPECT_EQ(world_.journal.list(0, 1).at(0).message_id, kUuid);
}

TEST_F(ApnsBackendTest, A2_MakesAnIdWhereNoneIsGiven) {
    const Plan plan = production_.handle(push(kToken, {{"apns-id", ""}}));
    EXPECT_EQ(header(plan, "apns-id").size(), 36U);
}

TEST_F(ApnsBackendTest, A3_ToA7_DevicesAnswerByTheirPrefix) {
    EXPECT_EQ(answer(push("bad0" + kToken)), "400 BadDeviceToken");
    EXPECT_EQ(answer(push("xyz0")), "400 BadDeviceToken");
    EXPECT_EQ(answer(push("abc")), "400 BadDeviceToken") << "half a byte";
    EXPECT_EQ(answer(push("0ff0")), "400 DeviceTokenNotForTopic");
    EXPECT_EQ(answer(push("DEAD00")), "410 Unregistered");
    EXPECT_EQ(production_.handle(push("dead01d0")).reply.body,
              R"({"reason":"Unregistered","timestamp":1700000000123})");
    EXPECT_EQ(production_.handle(push("fade01d0")).reply.body,
              R"({"reason":"ExpiredToken","timestamp":1700000000123})");
    EXPECT_EQ(answer(push("")), "400 MissingDeviceToken");
    EXPECT_EQ(answer(push(std::string(400, 'a'))), "200 ");
    EXPECT_EQ(answer(push(std::string(402, 'a'))), "400 BadDeviceToken");
    EXPECT_EQ(answer(push("500200")), "500 InternalServerError");
    EXPECT_EQ(answer(push("500200")), "500 InternalServerError");
    EXPECT_EQ(answer(push("500200")), "200 ");
    EXPECT_EQ(answer(push("503000")), "503 ServiceUnavailable");
    EXPECT_EQ(answer(push("429100")), "429 TooManyRequests");
    EXPECT_EQ(answer(push("429100")), "200 ");
    EXPECT_EQ(production_.handle(push("5100a0")).before_headers.count(), 100);
}

TEST_F(ApnsBackendTest, EnvironmentsKnowTheirOwnTokensOnly) {
    EXPECT_EQ(answer(push("5a00")), "400 BadDeviceToken");
    connection_ = 2;
    const Plan plan = sandbox_.handle(push("5a00"));
    EXPECT_EQ(text(plan), "200 ");
    EXPECT_EQ(header(plan, "apns-unique-id").size(), 36U);
    EXPECT_EQ(text(sandbox_.handle(push(kToken))), "400 BadDeviceToken");
}

TEST_F(ApnsBackendTest, A8_PayloadsHaveTheirSizes) {
    const auto body_of = [](std::size_t size) { return "{\"a\":\"" + std::string(size - 8, 'x') + "\"}"; };
    const std::vector<Header> voip = {{"apns-push-type", "voip"}, {"apns-topic", "com.example.app.voip"}};
    EXPECT_EQ(with({}, body_of(4096)), "200 ");
    EXPECT_EQ(with({}, body_of(4097)), "413 PayloadTooLarge");
    EXPECT_EQ(with(voip, body_of(5120)), "200 ");
    EXPECT_EQ(with(voip, body_of(5121)), "413 PayloadTooLarge");
    EXPECT_EQ(with({}, ""), "400 PayloadEmpty");
    EXPECT_EQ(with({}, "[1]"), "400 PayloadEmpty");
}

TEST_F(ApnsBackendTest, A9_A10_HeadersAreChecked) {
    EXPECT_EQ(with({{"apns-collapse-id", std::string(64, 'c')}}), "200 ");
    EXPECT_EQ(with({{"apns-collapse-id", std::string(65, 'c')}}), "400 BadCollapseId");
    EXPECT_EQ(with({{"apns-push-type", "background"}, {"apns-priority", "10"}}), "400 BadPriority");
    EXPECT_EQ(with({{"apns-push-type", "background"}}), "400 BadPriority") << "10 is the default";
    EXPECT_EQ(with({{"apns-push-type", "background"}, {"apns-priority", "5"}}), "200 ");
    EXPECT_EQ(with({{"apns-priority", "7"}}), "400 BadPriority");
    EXPECT_EQ(with({{"apns-expiration", "soon"}}), "400 BadExpirationDate");
    EXPECT_EQ(with({{"apns-expiration", "0"}}), "200 ");
    EXPECT_EQ(with({{"apns-id", "EABEAE54-14A8-11E5-B60B-1697F925EC7B"}}), "400 BadMessageId");
    EXPECT_EQ(with({{"apns-push-type", "loud"}}), "400 InvalidPushType");
    EXPECT_EQ(with({{"apns-topic", ""}}), "400 MissingTopic");
    Request twice = push();
    twice.headers.push_back({"apns-priority", "5"});
    twice.headers.push_back({"apns-priority", "5"});
    EXPECT_EQ(answer(twice), "400 DuplicateHeaders");
}

TEST_F(ApnsBackendTest, EveryPushTypeHasItsTopic) {
    const std::pair<const char*, const char*> types[] = {{"alert", ""},
                                                         {"voip", ".voip"},
                                                         {"complication", ".complication"},
                                                         {"fileprovider", ".pushkit.fileprovider"},
                                                         {"location", ".location-query"},
                                                         {"liveactivity", ".push-type.liveactivity"},
                                                         {"pushtotalk", ".voip-ptt"},
                                                         {"widgets", ".push-type.widgets"},
                                                         {"controls", ".push-type.controls"}};
    int device = 0;
    for (const auto& [type, suffix] : types) {
        const std::string token = kToken + "0" + std::to_string(++device);
        const std::string topic = std::string("com.example.app") + suffix;
        EXPECT_EQ(answer(push(token, {{"apns-push-type", type}, {"apns-topic", topic}})), "200 ") << type;
        const std::string wrong = *suffix == '\0' ? "com.example.app.voip" : "com.example.app";
        EXPECT_EQ(with({{"apns-push-type", type}, {"apns-topic", wrong}}), "400 BadTopic") << type;
    }
    EXPECT_EQ(with({{"apns-topic", "com.somebody.else"}}), "400 TopicDisallowed");
}

TEST_F(ApnsBackendTest, PathsAndMethods) {
    Request get = push();
    get.method = "GET";
    EXPECT_EQ(answer(get), "405 MethodNotAllowed");
    for (const char* path : {"/", "/3/devices/ab", "/2/device/ab", "/3/device/ab/cd", "/3"}) {
        Request elsewhere = push();
        elsewhere.path = path;
        EXPECT_EQ(answer(elsewhere), "404 BadPath") << path;
    }
}

TEST_F(ApnsBackendTest, A11_OldTokensAreExpiredAndMayWedgeTheConnection) {
    const std::string fresh = jwt_;
    jwt_ = make_jwt(0, 3601);
    EXPECT_EQ(answer(push()), "403 ExpiredProviderToken");
    jwt_ = fresh;
    EXPECT_EQ(answer(push()), "200 ");
    world_.settings.apns_wedge_expired = true;
    connection_ = 2;
    jwt_ = make_jwt(0, 3601);
    EXPECT_EQ(answer(push()), "403 ExpiredProviderToken");
    jwt_ = fresh;
    EXPECT_EQ(answer(push()), "403 ExpiredProviderToken");
    production_.on_connection_event(2, ConnectionEvent::Closed);
    EXPECT_EQ(answer(push()), "200 ");
}

TEST_F(ApnsBackendTest, A12_A13_A19_WrongTokensAreRefused) {
    EXPECT_EQ(with({{"authorization", ""}}), "403 MissingProviderToken");
    EXPECT_EQ(with({{"authorization", "basic x"}}), "403 InvalidProviderToken");
    EXPECT_EQ(with({{"authorization", "bearer x.y.z"}}), "403 InvalidProviderToken");
    jwt_ = make_jwt(0, -120);
    EXPECT_EQ(answer(push()), "403 InvalidProviderToken");
    connection_ = 2;
    jwt_ = make_jwt(2);
    EXPECT_EQ(answer(push()), "403 BadEnvironmentKeyIdInToken");
}

TEST_F(ApnsBackendTest, A14_TwoRenewalsInTwentyMinutesAreTooMany) {
    EXPECT_EQ(answer(push()), "200 ");
    jwt_ = make_jwt(0, 1);
    EXPECT_EQ(answer(push()), "200 ");
    const std::string second = jwt_;
    jwt_ = make_jwt(0, 2);
    EXPECT_EQ(answer(push()), "429 TooManyProviderTokenUpdates");
    jwt_ = second;
    EXPECT_EQ(answer(push()), "200 ") << "the token it knows stays good";
    jwt_ = make_jwt(0, 3);
    clock_.advance(std::chrono::minutes(21));
    EXPECT_EQ(answer(push()), "200 ");
    connection_ = 2;
    EXPECT_EQ(answer(push()), "200 ") << "the rule is per connection";
}

TEST_F(ApnsBackendTest, A15_BurstsToOneDeviceAreSlowedDown) {
    int refused = 0;
    for (int i = 0; i < 12; ++i) refused += answer(push()) == "429 TooManyRequests" ? 1 : 0;
    EXPECT_EQ(refused, 2);
    EXPECT_EQ(answer(push("aa")), "200 ");
    clock_.advance(std::chrono::seconds(1));
    EXPECT_EQ(answer(push()), "200 ");
}

TEST_F(ApnsBackendTest, A18_AConnectionIsBoundToItsFirstKey) {
    EXPECT_EQ(answer(push()), "200 ");
    jwt_ = make_jwt(3);
    EXPECT_EQ(answer(push()), "403 UnrelatedKeyIdInToken");
    jwt_ = make_jwt(1);
    EXPECT_EQ(answer(push()), "200 ") << "another key of the team";
    connection_ = 2;
    jwt_ = make_jwt(3);
    EXPECT_EQ(answer(push()), "400 TopicDisallowed");
    EXPECT_EQ(with({{"apns-topic", "com.example.other"}}), "200 ");
    jwt_ = make_jwt(0);
    EXPECT_EQ(answer(push()), "403 UnrelatedKeyIdInToken");
}

TEST_F(ApnsBackendTest, A21_OneStreamUntilATokenWasAccepted) {
    EXPECT_EQ(production_.wire_settings(1).stream_limit, 1U);
    jwt_ = make_jwt(0, 4000);
    EXPECT_FALSE(production_.handle(push()).wire_settings_changed);
    jwt_ = make_jwt(0);
    EXPECT_TRUE(production_.handle(push("bad000")).wire_settings_changed);
    EXPECT_EQ(production_.wire_settings(1).stream_limit, 500U);
    EXPECT_FALSE(production_.handle(push()).wire_settings_changed);
    EXPECT_EQ(production_.wire_settings(2).stream_limit, 1U);
}

TEST_F(ApnsBackendTest, StrictStreamsDropAfterARefusalAndComeBack) {
    world_.settings.apns_strict_streams = true;
    production_.handle(push());
    EXPECT_TRUE(production_.handle(push("bad000")).wire_settings_changed);
    EXPECT_EQ(production_.wire_settings(1).stream_limit, 1U);
    EXPECT_FALSE(production_.handle(push("dead00")).wire_settings_changed);
    EXPECT_TRUE(production_.handle(push()).wire_settings_changed);
    EXPECT_EQ(production_.wire_settings(1).stream_limit, 500U);
    EXPECT_FALSE(production_.handle(push("dead00")).wire_settings_changed) << "410 is no error to APNs";
}

TEST_F(ApnsBackendTest, A28_CertificatesReplaceTokens) {
    production_.on_client_certificate(1, {"com.example.app", "Apple Push Services: com.example.app"});
    EXPECT_EQ(production_.wire_settings(1).stream_limit, 500U);
    EXPECT_EQ(with({{"authorization", ""}}), "200 ");
    EXPECT_EQ(with({{"authorization", "bearer nonsense"}}), "200 ") << "ignored";
    EXPECT_EQ(with({{"authorization", ""}, {"apns-topic", ""}}), "200 ") << "the certificate's topic";
    EXPECT_EQ(with({{"apns-topic", "com.example.other"}}), "400 TopicDisallowed");
    production_.on_client_certificate(2, {"com.example.app", "Apple Development IOS Push Services: com.example.app"});
    connection_ = 2;
    EXPECT_EQ(answer(push()), "403 BadCertificateEnvironment");
    sandbox_.on_client_certificate(3, {"com.example.app", "Apple Development IOS Push Services: com.example.app"});
    connection_ = 3;
    EXPECT_EQ(text(sandbox_.handle(push("5a00"))), "200 ");
}

TEST_F(ApnsBackendTest, A16_A20_A29_FaultsAnswerInApnsShape) {
    const auto with_fault = [&](const char* rule) {
        world_.faults.clear();
        EXPECT_FALSE(world_.faults.add(ordered_json::parse(rule)));
        return production_.handle(push());
    };
    EXPECT_EQ(with_fault(R"({"action":"status","status":503,"match":{"route":"apns"}})").reply.body,
              R"({"reason":"ServiceUnavailable"})");
    EXPECT_EQ(
        with_fault(R"({"action":"status","status":418,"body":{"reason":"X"},"match":{"route":"apns"}})").reply.body,
        R"({"reason":"X"})");
    EXPECT_EQ(with_fault(R"({"action":"status","status":500,"empty":true,"match":{"route":"apns"}})").reply.body, "");
    EXPECT_EQ(text(with_fault(R"({"action":"status","status":503,"match":{"route":"apns","project":"sandbox"}})")),
              "200 ");
    EXPECT_EQ(with_fault(R"({"action":"rst","code":7,"match":{"route":"apns"}})").action, WireAction::ResetStream);
    world_.faults.clear();
    world_.settings.apns_upper_case_id = true;
    EXPECT_EQ(header(production_.handle(push()), "apns-id"), "EABEAE54-14A8-11E5-B60B-1697F925EC7B");
}

TEST_F(ApnsBackendTest, B1_ChannelsAreMadeReadListedAndDeleted) {
    const std::string path = "/1/apps/com.example.app/channels", all = "/1/apps/com.example.app/all-channels";
    const Plan made =
        channels_.handle(channel("POST", path, {}, R"({"message-storage-policy":1,"push-type":"LiveActivity"})"));
    ASSERT_EQ(text(made), "201 ");
    const std::string id = header(made, "apns-channel-id");
    ASSERT_FALSE(id.empty());
    EXPECT_EQ(header(made, "apns-request-id").size(), 36U);
    EXPECT_EQ(channels_.handle(channel("GET", path, {{"apns-channel-id", id}})).reply.body,
              R"({"message-storage-policy":1,"push-type":"LiveActivity"})");
    EXPECT_EQ(channels_.handle(channel("GET", all)).reply.body, R"({"channels":[")" + id + "\"]}");
    connection_ = 2;
    EXPECT_EQ(sandbox_channels_.handle(channel("GET", all)).reply.body, R"({"channels":[]})");
    connection_ = 1;
    EXPECT_EQ(managed(channel("DELETE", path, {{"apns-channel-id", id}})), "204 ");
    EXPECT_EQ(managed(channel("GET", path, {{"apns-channel-id", id}})), "400 BadChannelId");
    EXPECT_EQ(managed(channel("GET", path)), "400 MissingChannelId");
    EXPECT_EQ(managed(channel("PUT", path)), "405 MethodNotAllowed");
    EXPECT_EQ(managed(channel("POST", path, {}, R"({"message-storage-policy":1,"push-type":"Alert"})")),
              "400 InvalidPushType");
    world_.settings.apns_channels_max = 0;
    EXPECT_EQ(managed(channel("POST", path, {}, R"({"message-storage-policy":1,"push-type":"LiveActivity"})")),
              "400 CannotCreateChannelConfig");
    // Neither port does the other's work.
    EXPECT_EQ(answer(channel("GET", all)), "404 BadPath");
    EXPECT_EQ(text(channels_.handle(push())), "404 BadPath");
    EXPECT_EQ(world_.journal.list(0, 1).at(0).route, "apns_channels");
}

TEST_F(ApnsBackendTest, B2_B3_BroadcastsGoToChannels) {
    const Plan made = channels_.handle(channel("POST", "/1/apps/com.example.app/channels", {},
                                               R"({"message-storage-policy":0,"push-type":"LiveActivity"})"));
    const std::string id = header(made, "apns-channel-id");
    const auto broadcast = [&](const std::string& channel_id, const std::string& expires) {
        return answer(channel("POST", "/4/broadcasts/apps/com.example.app",
                              {{"apns-channel-id", channel_id},
                               {"apns-push-type", "liveactivity"},
                               {"apns-expiration", expires},
                               {"apns-priority", "10"}},
                              kBody));
    };
    world_.apns.channels.at(id).followers = {"phone-1", "phone-2"};
    EXPECT_EQ(broadcast(id, "0"), "200 ");
    EXPECT_EQ(broadcast(id, "1700000000"), "400 BadExpirationDate");
    EXPECT_EQ(broadcast("unknown", "0"), "400 ChannelNotRegistered");
    const Phones::Phone* listeners = world_.phones.find("channel:" + id);
    ASSERT_NE(listeners, nullptr);
    EXPECT_EQ(listeners->received, 1U);
    ASSERT_NE(world_.phones.find("phone-2"), nullptr);
    EXPECT_EQ(*world_.phones.find("phone-2")->last.back().body, kBody);
}

}  // namespace
}  // namespace belfry::simulator
