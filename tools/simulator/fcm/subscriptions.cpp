// SPDX-License-Identifier: Apache-2.0
#include "fcm/subscriptions.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fcm/authorize.h"
#include "fcm/condition.h"
#include "fcm/errors.h"
#include "fcm/token_class.h"
#include "net/url.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kLegacyTokensMax = 1000;
constexpr std::string_view kTopicPrefix = "/topics/";

// The legacy interface says errors as a bare string, unlike v1.
Reply legacy_error(int status, std::string_view error) {
    return json_reply(status, R"({"error":)" + json_string(error) + '}');
}

std::string_view legacy_token_error(std::string_view token) {
    switch (classify_token(token).behaviour) {
        case TokenBehaviour::Accept:
            return {};
        case TokenBehaviour::Unregistered:
            return "NOT_FOUND";
        case TokenBehaviour::Malformed:
        case TokenBehaviour::MalformedByField:
            return "INVALID_ARGUMENT";
        case TokenBehaviour::SenderMismatch:
        case TokenBehaviour::ThirdPartyAuth:
        case TokenBehaviour::ThirdPartyAuthMisleading:
            return "PERMISSION_DENIED";
        case TokenBehaviour::DeviceQuota:
            return "RESOURCE_EXHAUSTED";
        case TokenBehaviour::Internal:
        case TokenBehaviour::Unavailable:
            return "INTERNAL";
    }
    return {};
}

struct LegacyRequest {
    std::string topic;
    std::vector<std::string> tokens;

    static std::optional<LegacyRequest> read(const std::string& body) {
        const Json json = Json::parse(body, nullptr, false);
        if (!json.is_object() || !json.contains("to") || !json["to"].is_string()) return std::nullopt;
        if (!json.contains("registration_tokens") || !json["registration_tokens"].is_array()) return std::nullopt;
        LegacyRequest request;
        const std::string to = json["to"].get<std::string>();
        if (!to.starts_with(kTopicPrefix)) return std::nullopt;
        request.topic = to.substr(kTopicPrefix.size());
        for (const Json& token : json["registration_tokens"]) {
            if (!token.is_string() || token.get_ref<const std::string&>().empty()) return std::nullopt;
            request.tokens.push_back(token.get<std::string>());
        }
        const bool fits =
            is_topic_name(request.topic) && !request.tokens.empty() && request.tokens.size() <= kLegacyTokensMax;
        return fits ? std::optional(std::move(request)) : std::nullopt;
    }
};

Json subscription_json(const RouteMatch& match, const std::string& topic) {
    return {
        {"name", "projects/" + match.project + "/registrations/" + match.registration + "/topicSubscriptions/" + topic},
        {"topic_name", topic},
        {"create_time", "2026-01-01T00:00:00Z"}};
}

Reply subscription_exists() {
    return GoogleError(409, "ALREADY_EXISTS", "Requested entity already exists").reply();
}

std::optional<Reply> refuse_registration(const std::string& registration) {
    switch (classify_token(registration).behaviour) {
        case TokenBehaviour::Unregistered:
            return unregistered();
        case TokenBehaviour::Malformed:
        case TokenBehaviour::MalformedByField:
            return malformed_token();
        case TokenBehaviour::SenderMismatch:
            return sender_mismatch();
        case TokenBehaviour::DeviceQuota:
            return quota_exceeded("device:" + registration, "Topic subscription rate exceeded.");
        default:
            return std::nullopt;
    }
}

Reply create_subscription(World& world, const Request& request, const RouteMatch& match) {
    const Json body = Json::parse(request.body, nullptr, false);
    if (!body.is_object() || !is_topic_name(match.topic)) {
        return GoogleError(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
            .bad_request({{"topic_name", "The topic name must match [a-zA-Z0-9-_.~%]{1,900}, the body must be {}"}})
            .reply();
    }
    if (auto refusal = refuse_registration(match.registration)) return *refusal;
    switch (world.topics.add(match.registration, match.topic)) {
        case Topics::Added::AlreadyThere:
            return subscription_exists();
        case Topics::Added::TooMany:
            return quota_exceeded("registration:" + match.registration, "Too many topics for this registration.");
        case Topics::Added::Yes:
            break;
    }
    return json_reply(200, subscription_json(match, match.topic).dump());
}

Reply list_subscriptions(const World& world, const RouteMatch& match) {
    Json list = Json::array();
    const auto found = world.topics.all().find(match.registration);
    if (found != world.topics.all().end()) {
        for (const std::string& topic : found->second) list.push_back(subscription_json(match, topic));
    }
    return json_reply(200, Json{{"topic_subscriptions", std::move(list)}}.dump());
}

bool is_subscribed(const World& world, const RouteMatch& match) {
    const auto found = world.topics.all().find(match.registration);
    return found != world.topics.all().end() && found->second.contains(match.topic);
}

}  // namespace

Reply change_topics_legacy(World& world, const Request& request, bool add) {
    const Caller caller = authorize(world, request);
    // Without this header the old service takes the bearer token for a server key.
    if (caller.refusal || request.header("access_token_auth") != "true") return legacy_error(401, "UNAUTHENTICATED");
    if (world.settings.missing_role) return legacy_error(403, "PERMISSION_DENIED");
    const auto wanted = LegacyRequest::read(request.body);
    if (!wanted) return legacy_error(400, "INVALID_ARGUMENT");
    if (!world.topic_quota.take(caller.project, world.settings.topic_changes_per_minute, world.clock.uptime())) {
        return legacy_error(429, "RESOURCE_EXHAUSTED");
    }
    Json results = Json::array();
    for (const std::string& token : wanted->tokens) {
        std::string_view error = legacy_token_error(token);
        if (error.empty() && add && world.topics.add(token, wanted->topic) == Topics::Added::TooMany) {
            error = "TOO_MANY_TOPICS";
        }
        if (error.empty() && !add) world.topics.remove(token, wanted->topic);
        results.push_back(error.empty() ? Json::object() : Json{{"error", error}});
    }
    return json_reply(200, Json{{"results", std::move(results)}}.dump());
}

Reply handle_subscription(World& world, const Request& request, const RouteMatch& match) {
    const Caller caller = authorize(world, request);
    if (caller.refusal) return *caller.refusal;
    if (auto refusal = check_project(world, caller, match.project)) return *refusal;
    if (!world.topic_quota.take(match.project, world.settings.topic_changes_per_minute, world.clock.uptime())) {
        return quota_exceeded("project:" + match.project, "Topic subscription rate of the project exceeded.");
    }
    switch (match.method) {
        case FcmMethod::SubscriptionCreate:
            return create_subscription(world, request, match);
        case FcmMethod::SubscriptionList:
            return list_subscriptions(world, match);
        case FcmMethod::SubscriptionGet:
            return is_subscribed(world, match) ? json_reply(200, subscription_json(match, match.topic).dump())
                                               : not_found();
        default:
            break;
    }
    const bool removed = world.topics.remove(match.registration, match.topic);
    const bool allow_missing =
        form_value(request.query, "allowMissing") == "true" || form_value(request.query, "allow_missing") == "true";
    return removed || allow_missing ? json_reply(200, "{}") : not_found();
}

}  // namespace belfry::simulator
