// SPDX-License-Identifier: Apache-2.0
// One working example per method. A test sends them in the table's order and compares the answers' shapes; ids are
// replaced by those of the device and the channel which earlier examples make.
#include <algorithm>

#include "api/schema.h"

namespace belfry::api {
namespace {

struct Example {
    std::string_view method, request, answer;
};
constexpr Example kExamples[] = {
    {"device_register",
     R"({"provider": "fcm", "token": "TOKEN-FROM-THE-APP", "platform": "android", "user": "42",
 "topics": ["news"], "timezone": "Europe/Berlin", "locale": "de-DE", "meta": {"plan": "free"}})",
     R"({"id": "mywbchn7qkacs36v"})"},
    {"device_update",
     R"({"users": ["42"], "topics_update": {"op": "add", "topics": ["sport"]}, "locale_update": {"locale": "de-AT"}})",
     "{}"},
    {"device_list",
     R"({"filter": {"users": ["42"]}, "include_topics": true, "include_meta": true, "include_total_count": true})",
     R"({"items": [{"id": "mywbchn7qkacs36v", "provider": "fcm", "token": "TOKEN-FROM-THE-APP", "platform": "android",
   "user": "42", "meta": {"plan": "free"}, "topics": ["news", "sport"], "timezone": "Europe/Berlin",
   "locale": "de-AT", "created_at": 1767225600, "updated_at": 1767225660}],
 "total_count": 1})"},
    {"device_topic_update", R"({"device_id": "mywbchn7qkacs36v", "op": "remove", "topics": ["sport"], "user": "42"})",
     "{}"},
    {"device_topic_list", R"({"filter": {"device_ids": ["mywbchn7qkacs36v"], "topic_prefix": "n"}})",
     R"({"items": [{"id": "0f6c1f0a5a0e4f6b8d3a7c2e9b1d4f60", "topic": "news",
   "device": {"id": "mywbchn7qkacs36v"}}]})"},
    {"user_topic_update", R"({"user": "42", "op": "set", "topics": ["invoices"]})", "{}"},
    {"user_topic_list", R"({"filter": {"users": ["42"]}})",
     R"({"items": [{"id": "7d1e5b3c9a8f40d2b6c4e0f1a2938475", "user": "42", "topic": "invoices"}]})"},
    {"device_import", R"({"provider": "fcm", "token": "TOKEN-2", "topics": ["news"]}
{"provider": "fcm", "token": "not a token"})",
     R"({"lines": 2, "registered": 1, "failed": 1,
 "errors": [{"line": 2, "code": 107, "message": "token: ..."}]})"},
    {"device_export", R"({"filter": {"users": ["42"]}})",
     R"({"id": "mywbchn7qkacs36v", "provider": "fcm", "token": "TOKEN-FROM-THE-APP", "platform": "android", )"
     R"("user": "42", "meta": {"plan": "free"}, "topics": ["news"], "timezone": "Europe/Berlin", "locale": "de-AT"})"},
    {"recipient_count", R"({"recipient": {"filter": {"topics": ["news"]}}})",
     R"({"devices": 2, "complete": true,
 "parts": [{"provider": "fcm", "platform": "", "devices": 1},
  {"provider": "fcm", "platform": "android", "devices": 1}]})"},
    {"send_push_notification",
     R"({"recipient": {"filter": {"topics": ["news"]}},
 "notification": {"fcm": {"message": {"notification": {"title": "Hello", "body": "How are you?"}}}},
 "uid": "news-2026-01-01", "send_at": 4102444800})",
     R"({"uid": "news-2026-01-01"})"},
    {"push_pause", R"({"uid": "news-2026-01-01"})", "{}"},
    {"push_resume", R"({"uid": "news-2026-01-01"})", "{}"},
    {"push_list", R"({"state": "delayed"})",
     R"({"items": [{"uid": "news-2026-01-01", "state": "delayed", "lane": "normal", "planned": 0,
   "planned_final": false, "outcomes": [], "samples": [], "created_at": 1767225600, "send_at": 4102444800}]})"},
    {"push_status", R"({"uid": "news-2026-01-01"})",
     R"({"uid": "news-2026-01-01", "state": "delayed", "lane": "normal", "planned": 0, "planned_final": false,
 "outcomes": [], "samples": [], "created_at": 1767225600, "send_at": 4102444800})"},
    {"cancel_push", R"({"uid": "news-2026-01-01"})", "{}"},
    {"batch",
     R"({"commands": [{"device_list": {"filter": {"users": ["nobody"]}}},
   {"cancel_push": {"uid": "unknown"}}]})",
     R"({"replies": [{"device_list": {"items": []}},
   {"error": {"code": 104, "message": "uid: no push of this app has it"}}]})"},
    {"apns_channel_create", R"({"message_storage_policy": 1})", R"({"id": "dHN0LXNyY2gtY2hubA=="})"},
    {"apns_channel_list", "{}", R"({"items": [{"id": "dHN0LXNyY2gtY2hubA=="}]})"},
    {"apns_channel_get", R"({"id": "dHN0LXNyY2gtY2hubA=="})",
     R"({"id": "dHN0LXNyY2gtY2hubA==", "message_storage_policy": 1, "push_type": "LiveActivity"})"},
    {"apns_channel_delete", R"({"id": "dHN0LXNyY2gtY2hubA=="})", "{}"},
    {"device_remove", R"({"users": ["41"]})", "{}"},
};

const Example& example_of(std::string_view method) {
    static constexpr Example kNone = {};
    const auto it = std::find_if(std::begin(kExamples), std::end(kExamples),
                                 [&](const Example& example) { return example.method == method; });
    return it == std::end(kExamples) ? kNone : *it;
}

}  // namespace

std::string_view Method::example() const noexcept {
    return example_of(name).request;
}

std::string_view Method::example_answer() const noexcept {
    return example_of(name).answer;
}

}  // namespace belfry::api
