// SPDX-License-Identifier: Apache-2.0
#include "fcm/fault_reply.h"

#include <string>

#include "fcm/errors.h"
#include "state/fault_effect.h"

namespace belfry::simulator {

namespace {

Reply body_for(const FaultRule& rule, Route route) {
    if (rule.empty) return {rule.status, {}, {}};
    if (!rule.body.empty()) {
        const std::string type = rule.content_type.empty() ? "application/json; charset=UTF-8" : rule.content_type;
        return {rule.status, {{"content-type", type}}, rule.body};
    }
    const bool from_front_end = rule.status == 502 || rule.status == 504;
    if (route == Route::Token && !from_front_end) {
        // RFC 6749 section 5.2; internal_failure is what Google's own client retries (fcm.md section 3.3).
        return json_reply(rule.status, R"({"error":"internal_failure","error_description":"Internal failure."})");
    }
    switch (rule.status) {
        case 403:
            return permission_denied();
        case 404:
            return not_found();
        case 429:
            return quota_exceeded("project", "Message rate of the project exceeded.");
        case 500:
            return internal_error();
        case 501:
            return unimplemented();
        case 503:
            return unavailable();
        default:
            return html_error(rule.status, "");
    }
}

}  // namespace

Reply fault_reply(const FaultRule& rule, Route route, std::chrono::system_clock::time_point wall) {
    Reply reply = body_for(rule, route);
    add_retry_after(rule, wall, reply);
    return reply;
}

}  // namespace belfry::simulator
