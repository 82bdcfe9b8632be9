// SPDX-License-Identifier: Apache-2.0
#include "webpush/replies.h"

#include <nlohmann/json.hpp>

namespace belfry::simulator::webpush {

namespace {

using Json = nlohmann::ordered_json;

Reply text_reply(int status, std::string body) {
    return {status, {{"content-type", "text/plain; charset=UTF-8"}}, std::move(body)};
}

Reply errno_reply(int status, int number, const char* error, const std::string& message) {
    const Json body = {{"code", status},
                       {"errno", number},
                       {"error", error},
                       {"message", message},
                       {"more_info", "http://autopush.readthedocs.io/en/latest/http.html#error-codes"}};
    return {status, {{"content-type", "application/json"}}, body.dump()};
}

Reply reason_reply(int status, const char* reason) {
    return {status, {{"content-type", "application/json; charset=UTF-8"}}, Json({{"reason", reason}}).dump()};
}

Reply wns_reply(int status, const std::string& description) {
    Reply reply{status, {{"x-wns-msg-id", "0"}, {"x-wns-debug-trace", "simulator"}}, {}};
    if (!description.empty()) reply.headers.push_back({"x-wns-error-description", description});
    return reply;
}

Reply fcm_refusal(Refusal refusal, VapidFault fault, const std::string& why) {
    switch (refusal) {
        case Refusal::UnknownSubscription:
            return text_reply(404,
                              "A valid push subscription endpoint should be specified in the URL as such: "
                              "https://fcm.googleapis.com/wp/<token>\n");
        case Refusal::Gone:
            return text_reply(410, "push subscription has unsubscribed or expired.\n");
        case Refusal::TooLarge:
            return text_reply(413, "payload exceeds 4096 bytes\n");
        case Refusal::NotAllowed:
            return text_reply(405, "method not allowed\n");
        case Refusal::Sender:
            if (fault == VapidFault::WrongKey) {
                return text_reply(403,
                                  "the VAPID credentials in the authorization header do not correspond to the "
                                  "credentials used to create the subscriptions.\n");
            }
            return text_reply(fault == VapidFault::Missing ? 401 : 403, why + "\n");
        default:
            return text_reply(400, why + "\n");
    }
}

Reply mozilla_refusal(Refusal refusal, VapidFault fault, const std::string& why) {
    switch (refusal) {
        case Refusal::UnknownSubscription:
            return errno_reply(404, 102, "Not Found", "Request did not validate: invalid token");
        case Refusal::Gone:
            return errno_reply(410, 106, "Gone", "No such subscription");
        case Refusal::TooLarge:
            return errno_reply(413, 104, "Payload Too Large", "This message is intended for a constrained device.");
        case Refusal::NoTtl:
            return errno_reply(400, 111, "Bad Request", "Missing TTL value");
        case Refusal::BadTtl:
            return errno_reply(400, 114, "Bad Request", "Invalid TTL value");
        case Refusal::BadTopic:
            return errno_reply(400, 113, "Bad Request", "Invalid topic");
        case Refusal::BadEncoding:
        case Refusal::BadBody:
            return errno_reply(400, 110, "Bad Request", why);
        case Refusal::Sender:
            return errno_reply(401, 109, "Unauthorized",
                               fault == VapidFault::WrongKey ? "VAPID public key mismatch" : why);
        default:
            return errno_reply(400, 101, "Bad Request", why);
    }
}

Reply apple_refusal(Refusal refusal, VapidFault fault) {
    switch (refusal) {
        case Refusal::UnknownSubscription:
        case Refusal::Gone:
            return reason_reply(410, "Unregistered");
        case Refusal::TooLarge:
            return reason_reply(413, "PayloadTooLarge");
        case Refusal::NoTtl:
        case Refusal::BadTtl:
            return reason_reply(400, "BadTtl");
        case Refusal::BadUrgency:
            return reason_reply(400, "BadUrgency");
        case Refusal::BadTopic:
            return reason_reply(400, "BadWebPushTopic");
        case Refusal::Sender:
            if (fault == VapidFault::WrongKey) return reason_reply(400, "VapidPkHashMismatch");
            return reason_reply(403, fault == VapidFault::Key ? "BadVapidPublicKey" : "BadJwtToken");
        default:
            return reason_reply(400, "BadWebPushRequest");
    }
}

Reply windows_refusal(Refusal refusal, const std::string& why) {
    switch (refusal) {
        case Refusal::UnknownSubscription:
            return wns_reply(404, "Channel not found");
        case Refusal::Gone:
            return wns_reply(410, "Channel expired");
        case Refusal::TooLarge:
            return wns_reply(413, why);
        case Refusal::NotAllowed:
            return wns_reply(405, why);
        case Refusal::NoLength:
            return wns_reply(411, why);
        case Refusal::Sender:
            return wns_reply(401, {});
        default:
            return wns_reply(400, why);
    }
}

}  // namespace

Reply refusal_reply(Flavour flavour, Refusal refusal, VapidFault fault, const std::string& why) {
    switch (flavour) {
        case Flavour::Fcm:
            return fcm_refusal(refusal, fault, why);
        case Flavour::Mozilla:
            return mozilla_refusal(refusal, fault, why);
        case Flavour::Apple:
            return apple_refusal(refusal, fault);
        case Flavour::Windows:
            return windows_refusal(refusal, why);
    }
    return {};
}

Reply status_reply(Flavour flavour, int status) {
    if (status / 100 == 3) return {status, {{"location", "http://127.0.0.1:1/moved"}}, {}};
    if (status / 100 == 2) return {status, {}, {}};
    if (status == 404 || status == 410) {
        const Refusal refusal = status == 404 ? Refusal::UnknownSubscription : Refusal::Gone;
        Reply reply = refusal_reply(flavour, refusal, VapidFault::None, {});
        reply.status = status;
        return reply;
    }
    if (flavour == Flavour::Mozilla && status == 503)
        return errno_reply(503, 201, "Service Unavailable", "Use exponential back-off");
    if (flavour == Flavour::Apple && status == 429) return reason_reply(429, "TooManyRequests");
    if (flavour == Flavour::Windows && (status == 406 || status == 429)) {
        Reply reply = wns_reply(status, {});
        reply.headers.push_back({"x-wns-status", "appthrottled"});
        return reply;
    }
    return text_reply(status, "<html><title>" + std::to_string(status) + "</title></html>");
}

Reply accepted_reply(Flavour flavour, const std::string& message_url, const std::string& message_id,
                     std::int64_t effective_ttl) {
    switch (flavour) {
        case Flavour::Fcm:
            return {201, {{"location", message_url}}, {}};
        case Flavour::Mozilla:
            return {201, {{"location", message_url}, {"ttl", std::to_string(effective_ttl)}}, {}};
        case Flavour::Apple:
            return {201, {{"apns-id", message_id}}, {}};
        case Flavour::Windows:
            return {201, {{"x-wns-status", "received"}, {"x-wns-msg-id", message_id}}, {}};
    }
    return {};
}

}  // namespace belfry::simulator::webpush
