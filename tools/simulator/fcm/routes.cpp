// SPDX-License-Identifier: Apache-2.0
#include "fcm/routes.h"

#include <string_view>
#include <vector>

#include "net/url.h"

namespace belfry::simulator {

namespace {

FcmMethod subscription_method(const std::string& http_method, bool names_topic) {
    if (http_method == "POST" && !names_topic) return FcmMethod::SubscriptionCreate;
    if (http_method == "GET") return names_topic ? FcmMethod::SubscriptionGet : FcmMethod::SubscriptionList;
    if (http_method == "DELETE" && names_topic) return FcmMethod::SubscriptionDelete;
    return FcmMethod::Unknown;
}

// /v1/projects/{project}/...
RouteMatch match_project_route(const Request& request, const std::vector<std::string>& segments) {
    RouteMatch match;
    match.project = segments[2];
    if (segments.size() == 4 && segments[3] == "messages:send" && request.method == "POST") {
        match.method = FcmMethod::Send;
        return match;
    }
    const bool named = segments.size() == 7;
    if ((segments.size() != 6 && !named) || segments[3] != "registrations" || segments[5] != "topicSubscriptions") {
        return match;
    }
    match.registration = segments[4];
    if (named) {
        match.topic = segments[6];
    } else {
        auto topic = form_value(request.query, "topic_name");
        if (!topic) topic = form_value(request.query, "topicName");
        match.topic = topic.value_or("");
    }
    match.method = subscription_method(request.method, named);
    return match;
}

}  // namespace

RouteMatch match_route(const Request& request) {
    const auto segments = path_segments(request.path);
    if (!segments) return {};
    const bool post = request.method == "POST";
    if (segments->size() >= 4 && (*segments)[0] == "v1" && (*segments)[1] == "projects") {
        return match_project_route(request, *segments);
    }
    RouteMatch match;
    if (post && request.path == "/token") match.method = FcmMethod::Token;
    if (post && request.path == "/iid/v1:batchAdd") match.method = FcmMethod::IidBatchAdd;
    if (post && request.path == "/iid/v1:batchRemove") match.method = FcmMethod::IidBatchRemove;
    return match;
}

}  // namespace belfry::simulator
