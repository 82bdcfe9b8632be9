// SPDX-License-Identifier: Apache-2.0
// Every entry of the catalogue happens, with the code, status and message that it claims; and docs/errors.md is it.
#include "api/error_catalogue.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "api/api_fakes.h"
#include "api/device_import.h"
#include "base/device_id.h"

namespace belfry::api {
namespace {

using Verdict = audience::Changed::Verdict;

const std::string kId = encode_device_id("default", 9);
const std::string kTokens = R"({"recipient":{"fcm_tokens":["a"]},"notification":{"fcm":{"message":{}}}})";

// A request in transport error mode.
struct Wrong {
    std::string method, body;
    std::function<void(ApiBench&)> before = [](ApiBench&) {};
    std::string verb = "POST", key = "key-1";
};

Wrong broken(const char* method, const std::string& body, ErrorCode code, const std::string& message,
             const std::string& where = {}) {
    return {method, body, [=](ApiBench& b) { b.delivery.refusal = b.devices.refusal = error(code, message, where); }};
}
Wrong changed(const char* method, const std::string& body, Verdict verdict) {
    return {method, body, [=](ApiBench& b) { b.devices.verdict = verdict; }};
}

Wrong channels(ErrorCode code, const std::string& message, const std::string& where) {
    return {"apns_channel_create", "{}", [=](ApiBench& b) { b.channels.refusal = error(code, message, where); }};
}

std::map<std::string_view, Wrong> wrongs() {
    const std::string topic_update = R"({"device_id":")" + kId + R"(","op":"set","user":"u"})";
    std::string many = R"({"provider":"fcm","token":"t","meta":{)";
    for (int i = 0; i < 65; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
    return {
        {"no_json", {"push_list", "["}},
        {"no_key", {"push_list", "{}", [](ApiBench&) {}, "POST", "wrong"}},
        {"no_path", {"push_lists", "{}"}},
        {"no_post", {"push_list", "{}", [](ApiBench&) {}, "PUT"}},
        {"too_long", {"push_list", std::string(2'000'000, ' ')}},
        {"internal", broken("device_list", "{}", ErrorCode::Internal, "null pointer")},
        {"unavailable", broken("device_list", "{}", ErrorCode::Unavailable, "connection lost")},
        {"store_full", broken("device_list", "{}", ErrorCode::StoreFull, "disk full")},
        {"no_push", {"cancel_push", R"({"uid":"nope"})"}},
        {"no_device", changed("device_topic_update", topic_update, Verdict::Missing)},
        {"no_channel", {"apns_channel_get", R"({"id":"unknown"})"}},
        {"no_channels", {"apns_channel_list", R"({"provider":"fcm"})"}},
        {"bad_topic", channels(ErrorCode::InvalidArgument, "TopicDisallowed: not yours", "topic")},
        {"channel_calls", channels(ErrorCode::Busy, "too many channel calls wait for providers", "")},
        {"channels_full", channels(ErrorCode::Conflict, "CannotCreateChannelConfig: delete some", "topic")},
        {"required", {"push_status", "{}"}},
        {"type", {"push_status", R"({"uid":1})"}},
        {"choice", {"push_list", R"({"state":"x"})"}},
        {"text_bound", {"push_status", R"({"uid":""})"}},
        {"number_bound", {"push_list", R"({"limit":5000})"}},
        {"count_bound", {"device_register", many + "}}"}},
        {"empty_list", {"recipient_count", R"({"recipient":{"fcm_tokens":[]}})"}},
        {"nul", {"push_status", R"({"uid":"\u0000"})"}},
        {"unknown_key", {"device_list", R"({"filter":{"user":"a"}})"}},
        {"recipient_count", {"recipient_count", R"({"recipient":{}})"}},
        {"empty_filter", {"recipient_count", R"({"recipient":{"filter":{}}})"}},
        {"unknown_provider", {"device_register", R"({"provider":"x","token":"t"})"}},
        {"no_payload", {"send_push_notification", R"({"recipient":{"fcm_tokens":["a"]},"notification":{}})"}},
        {"bad_payload", broken("send_push_notification", kTokens, ErrorCode::InvalidArgument, "must be texts",
                               "notification.fcm-main.message.data")},
        {"bad_token", {"device_register", R"({"provider":"fcm","token":"refused"})"}},
        {"bad_id", {"device_register", R"({"id":"x","provider":"fcm","token":"t"})"}},
        {"bad_timezone", {"device_register", R"({"provider":"fcm","token":"t","timezone":"Mars/Base"})"}},
        {"bad_locale", {"device_register", R"({"provider":"fcm","token":"t","locale":"?"})"}},
        {"bad_cursor", broken("device_list", "{}", ErrorCode::InvalidArgument, "not a cursor of this list", "cursor")},
        {"nobody_named", {"device_remove", "{}"}},
        {"nothing_to_change", {"device_update", R"({"users":["u"]})"}},
        {"too_many_topics", changed("device_topic_update", topic_update, Verdict::TooManyTopics)},
        {"meta_bound",
         {"device_register", R"({"provider":"fcm","token":"t","meta":{"k":")" +
                                 std::string(static_cast<size_t>(kMetaBytesMax), 'v') + "\"}}"}},
        {"bad_command", {"batch", R"({"commands":[null]})"}},
        {"not_countable", {"recipient_count", R"({"recipient":{"fcm_topic":"t"}})"}},
        {"method_not_built", {"explain", "{}"}},
        {"field_not_built", {"send_push_notification", R"({"use_templating":true})"}},
        {"body_memory", {"push_list", std::string(800'000, ' ')}},
        {"backlog", broken("send_push_notification", kTokens, ErrorCode::Busy, "too much is queued already")},
        {"registrations", broken("device_register", R"({"provider":"fcm","token":"t"})", ErrorCode::Busy,
                                 "too many registrations are waiting for the storage")},
        {"streams", {"device_import", ""}},
        {"uid_used", broken("send_push_notification", kTokens, ErrorCode::Conflict, "used by another request", "uid")},
        {"guard", changed("device_topic_update", topic_update, Verdict::Guarded)},
        {"race", broken("device_register", R"({"provider":"fcm","token":"t"})", ErrorCode::Conflict,
                        "another registration of this token or device came first; try again")},
        {"push_final", {"push_pause", R"({"uid":"done"})"}},
    };
}

TEST(ErrorCatalogue, HasOnlyEntriesThatHappen) {
    const std::map<std::string_view, Wrong> all = wrongs();
    std::set<std::string_view> seen;
    for (const ErrorEntry& entry : error_catalogue()) {
        const auto found = all.find(entry.name);
        ASSERT_NE(found, all.end()) << entry.name << ": say in this test how it happens";
        EXPECT_TRUE(seen.insert(entry.name).second) << entry.name;
        const Wrong& wrong = found->second;
        HttpOptions options;
        options.max_body_bytes = 1'000'000;
        options.body_memory_bytes = 700'000;
        ApiBench bench(options);
        wrong.before(bench);
        FakeRequest request(wrong.verb, "/api/" + wrong.method, wrong.body);
        request.headers["X-API-Key"] = wrong.key;
        request.headers["X-Centrifugo-Error-Mode"] = "transport";
        request.step = 100'000;
        const HttpResponse response = bench.http.handle(request);
        if (entry.code == 0) {
            EXPECT_EQ(response.status, entry.http_status) << entry.name;
            EXPECT_EQ(response.body.substr(0, entry.message.size()), entry.message) << entry.name;
            EXPECT_EQ(response.body.empty(), entry.message.empty()) << entry.name;
            continue;
        }
        nlohmann::json error = nlohmann::json::parse(response.body);
        if (error.contains("replies")) {
            error = error["replies"][0]["error"];
        } else {
            EXPECT_EQ(response.status, entry.http_status) << entry.name;
        }
        EXPECT_EQ(error["code"], entry.code) << entry.name;
        EXPECT_NE(error["message"].get<std::string>().find(entry.message), std::string::npos) << entry.name << error;
    }
    EXPECT_EQ(seen.size(), all.size()) << "an error that this test makes is not in the catalogue";
}

TEST(ErrorCatalogue, NamesEveryCode) {
    std::set<int> codes;
    for (const ErrorEntry& entry : error_catalogue()) codes.insert(entry.code);
    EXPECT_EQ(codes, (std::set<int>{0, 100, 104, 107, 108, 111, 113}));
}

TEST(ErrorCatalogue, EqualsTheCommittedPage) {
    std::ifstream in(BELFRY_SOURCE_DIR "/docs/errors.md", std::ios::binary);
    const std::string page((std::istreambuf_iterator<char>(in)), {});
    EXPECT_TRUE(page == error_reference()) << "run: belfry api errors > docs/errors.md";
}

}  // namespace
}  // namespace belfry::api
