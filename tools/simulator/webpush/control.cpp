// SPDX-License-Identifier: Apache-2.0
// The part of the control port that makes subscriptions and shows what their browsers received.
#include <nlohmann/json.hpp>

#include "fcm/base64url.h"
#include "webpush/service.h"

namespace belfry::simulator::webpush {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kAtOnceMax = 10'000;

Reply answer(const Json& json, int status = 200) {
    return {status,
            {{"content-type", "application/json"}},
            json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'};
}
Reply problem(int status, const std::string& what) {
    return answer({{"error", what}}, status);
}

// As PushSubscription.toJSON gives it, with the name by which control calls know it.
Json subscription_json(const Subscription& subscription, const std::string& origin) {
    return {{"name", subscription.name},
            {"subscription",
             {{"endpoint", origin + subscription.target},
              {"expirationTime", nullptr},
              {"keys",
               {{"auth", base64url_encode(subscription.auth)}, {"p256dh", base64url_encode(subscription.point)}}}}}};
}

Json message_json(const Message& message) {
    return {{"message_id", message.id},
            {"payload", message.payload},
            {"payload_base64url", base64url_encode(message.payload)},
            {"ttl", message.ttl_s},
            {"urgency", message.urgency},
            {"topic", message.topic},
            {"arrived_ms", message.arrived_ms}};
}

Json seen_json(const Seen& seen) {
    return {{"subscription", seen.subscription},
            {"flavour", seen.flavour},
            {"status", seen.status},
            {"problem", seen.problem},
            {"ttl", seen.ttl},
            {"urgency", seen.urgency},
            {"topic", seen.topic},
            {"encoding", seen.encoding},
            {"authorization", seen.authorization},
            {"salt", seen.salt},
            {"sender_key", seen.sender_key},
            {"body_bytes", seen.body_bytes},
            {"connection", seen.connection},
            {"http2", seen.http2}};
}

}  // namespace

Reply PushServices::control(const Request& request, const std::vector<std::string>& segments) {
    const std::string call = request.method + ' ' + (segments.size() > 1 ? segments[1] : "");
    try {
        if (call == "POST subscriptions" && segments.size() == 2) return subscribe(request);
        if (call == "POST subscriptions" && segments.size() == 3) return change(request, segments[2]);
    } catch (const Json::exception& wrong) {
        return problem(400, wrong.what());
    }
    if (call == "GET phones") return phones(segments);
    if (call == "GET requests" && segments.size() == 2) return requests();
    return problem(404,
                   "no such call; there are POST /webpush/subscriptions, POST /webpush/subscriptions/{name}, "
                   "GET /webpush/phones, GET /webpush/phones/{name}, GET /webpush/requests");
}

Reply PushServices::subscribe(const Request& request) {
    const Json asked = Json::parse(request.body, nullptr, false);
    if (!asked.is_object()) return problem(400, "send {\"flavour\": \"mozilla\", \"name\": \"phone-1\"}");
    const auto flavour = flavour_of(asked.value("flavour", "mozilla"));
    if (!flavour) return problem(400, "flavour must be fcm, mozilla, apple or windows");
    const std::string name = asked.value("name", "phone");
    const std::int64_t count = asked.value("count", std::int64_t{1});
    if (count < 1 || count > kAtOnceMax) return problem(400, "count must be from 1 to 10000");
    Json made = Json::array();
    const std::lock_guard lock(world_.mutex);
    for (std::int64_t i = 0; i < count; ++i) {
        const std::string each = count == 1 ? name : name + '-' + std::to_string(i);
        Subscription* subscription = store_.add(*flavour, each, asked.value("application_server_key", ""));
        if (subscription == nullptr) return problem(409, "the name " + each + " is taken, or there are too many");
        subscription->online = asked.value("online", true);
        made.push_back(subscription_json(*subscription, origin(*flavour)));
    }
    return answer(count == 1 ? made[0] : Json({{"subscriptions", std::move(made)}}));
}

Reply PushServices::change(const Request& request, const std::string& name) {
    const Json asked = Json::parse(request.body, nullptr, false);
    if (!asked.is_object()) return problem(400, "send {\"state\": \"gone\"} or {\"online\": true}");
    const std::lock_guard lock(world_.mutex);
    Subscription* subscription = store_.by_name(name);
    if (subscription == nullptr) return problem(404, "no subscription named " + name);
    const std::string state = asked.value("state", "");
    if (state == "active") subscription->state = Subscription::State::Active;
    if (state == "gone") subscription->state = Subscription::State::Gone;
    if (state == "unknown") subscription->state = Subscription::State::Unknown;
    if (asked.contains("application_server_key"))
        subscription->application_key = asked.value("application_server_key", "");
    if (asked.contains("online")) {
        subscription->online = asked.value("online", true);
        if (subscription->online) store_.come_online(*subscription, wall_ms());
    }
    return answer(subscription_json(*subscription, origin(subscription->flavour)));
}

Reply PushServices::phones(const std::vector<std::string>& segments) {
    const std::lock_guard lock(world_.mutex);
    if (segments.size() == 2) {
        Json list = Json::array();
        for (const auto& each : store_.all())
            list.push_back(
                {{"name", each->name}, {"flavour", flavour_name(each->flavour)}, {"received", each->received}});
        return answer({{"total", list.size()}, {"phones", std::move(list)}});
    }
    const Subscription* subscription = store_.by_name(segments[2]);
    if (subscription == nullptr) return problem(404, "no subscription named " + segments[2]);
    Json messages = Json::array();
    for (const Message& message : subscription->shown) messages.push_back(message_json(message));
    return answer({{"name", subscription->name},
                   {"received", subscription->received},
                   {"waiting", subscription->waiting.size()},
                   {"messages", std::move(messages)}});
}

Reply PushServices::requests() {
    const std::lock_guard lock(world_.mutex);
    Json list = Json::array();
    for (const Seen& seen : store_.seen()) list.push_back(seen_json(seen));
    return answer({{"total", store_.seen_total()}, {"requests", std::move(list)}});
}

}  // namespace belfry::simulator::webpush
