// SPDX-License-Identifier: Apache-2.0
#include "phone_view.h"

#include <array>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

const Json* get(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

Json iso_time(std::int64_t wall_ms) {
    const std::time_t seconds = wall_ms / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    const std::string millis = std::to_string(1000 + wall_ms % 1000).substr(1);
    return std::string(text.data()) + '.' + millis + 'Z';
}

}  // namespace

// aps.alert is what the phone shows; a text is the body of the notification.
Json apple_view(Json view, const Delivered& message) {
    const Json body = Json::parse(*message.body, nullptr, false);
    view["headers"] = Json::parse(message.headers, nullptr, false);
    const Json* aps = body.is_object() ? get(body, "aps") : nullptr;
    const Json* alert = aps != nullptr && aps->is_object() ? get(*aps, "alert") : nullptr;
    if (alert != nullptr) view["notification"] = alert->is_string() ? Json{{"body", *alert}} : *alert;
    view["payload"] = body;
    return view;
}

// HarmonyOS: what stands in the payload.
Json harmony_view(Json view, const Delivered& message) {
    const Json body = Json::parse(*message.body, nullptr, false);
    view["headers"] = Json::parse(message.headers, nullptr, false);
    const Json* payload = body.is_object() ? get(body, "payload") : nullptr;
    if (payload == nullptr) return view;
    view["notification"] = get(*payload, "notification") != nullptr ? *get(*payload, "notification") : Json();
    view["payload"] = *payload;
    if (const Json* options = get(body, "pushOptions")) view["pushOptions"] = *options;
    return view;
}

// android.data replaces data, android.notification is laid over notification (fcm.md section 2.2).
Json phone_view(const Delivered& message) {
    Json view = {{"message_id", message.message_id}, {"time", iso_time(message.wall_ms)}};
    if (message.headers.starts_with(R"({"push-type")")) return harmony_view(std::move(view), message);
    if (!message.headers.empty()) return apple_view(std::move(view), message);
    const Json body = Json::parse(*message.body, nullptr, false);
    const Json* sent = body.is_object() ? get(body, "message") : nullptr;
    if (sent == nullptr) return view;
    const Json* android = get(*sent, "android");
    if (const Json* topic = get(*sent, "topic")) view["from"] = "/topics/" + topic->get<std::string>();
    Json notification = get(*sent, "notification") != nullptr ? *get(*sent, "notification") : Json();
    const Json* data = get(*sent, "data");
    if (android != nullptr) {
        if (const Json* own = get(*android, "notification")) notification.update(*own);
        if (const Json* own = get(*android, "data")) data = own;
        for (const char* name : {"priority", "collapse_key", "ttl"}) {
            if (const Json* value = get(*android, name)) view[name] = *value;
        }
    }
    view["notification"] = notification;
    view["data"] = data != nullptr ? *data : Json::object();
    for (const char* name : {"apns", "webpush"}) {
        if (const Json* value = get(*sent, name)) view[name] = *value;
    }
    return view;
}

}  // namespace belfry::simulator
