// SPDX-License-Identifier: Apache-2.0
#include "fcm/errors.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace belfry::simulator {

namespace {

constexpr std::string_view kCredentialHelp =
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project.";

std::string_view title_of(int status) {
    switch (status) {
        case 404:
            return "Not Found";
        case 411:
            return "Length Required";
        case 413:
            return "Request Entity Too Large";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Server Error";
    }
}

}  // namespace

std::string json_string(std::string_view text) {
    return nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Reply json_reply(int status, std::string body) {
    Reply reply;
    reply.status = status;
    reply.headers = {{"content-type", "application/json; charset=UTF-8"}};
    reply.body = std::move(body);
    return reply;
}

GoogleError::GoogleError(int code, std::string_view status, std::string message) : code_(code) {
    head_ = R"({"error":{"code":)" + std::to_string(code) + R"(,"message":)" + json_string(message) + R"(,"status":)" +
            json_string(status);
}

GoogleError& GoogleError::fcm(std::string_view error_code) {
    if (!details_.empty()) details_ += ',';
    details_ += R"({"@type":"type.googleapis.com/google.firebase.fcm.v1.FcmError","errorCode":)" +
                json_string(error_code) + '}';
    return *this;
}

GoogleError& GoogleError::bad_request(const std::vector<FieldViolation>& violations) {
    if (!details_.empty()) details_ += ',';
    details_ += R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)";
    for (const FieldViolation& violation : violations) {
        if (details_.back() != '[') details_ += ',';
        details_ += '{';
        if (!violation.field.empty()) details_ += R"("field":)" + json_string(violation.field) + ',';
        details_ += R"("description":)" + json_string(violation.description) + '}';
    }
    details_ += "]}";
    return *this;
}

GoogleError& GoogleError::error_info(std::string_view reason) {
    if (!details_.empty()) details_ += ',';
    details_ += R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":)" + json_string(reason) +
                R"(,"domain":"googleapis.com","metadata":{"method":"google.firebase.fcm.v1.FcmService.SendMessage",)"
                R"("service":"fcm.googleapis.com"}})";
    return *this;
}

GoogleError& GoogleError::quota_failure(std::string_view subject, std::string_view description) {
    if (!details_.empty()) details_ += ',';
    details_ += R"({"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":)" +
                json_string(subject) + R"(,"description":)" + json_string(description) + "}]}";
    return *this;
}

Reply GoogleError::reply() const {
    std::string body = head_;
    if (!details_.empty()) body += R"(,"details":[)" + details_ + ']';
    return json_reply(code_, body + "}}");
}

Reply unregistered() {
    return GoogleError(404, "NOT_FOUND", "Requested entity was not found.").fcm("UNREGISTERED").reply();
}

Reply malformed_token() {
    return GoogleError(400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token")
        .fcm("INVALID_ARGUMENT")
        .reply();
}

Reply malformed_token_by_field(std::string_view field) {
    return GoogleError(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
        .fcm("INVALID_ARGUMENT")
        .bad_request({{std::string(field), "Invalid registration token"}})
        .reply();
}

Reply sender_mismatch() {
    return GoogleError(403, "PERMISSION_DENIED", "SenderId mismatch").fcm("SENDER_ID_MISMATCH").reply();
}

Reply permission_denied() {
    return GoogleError(403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied on resource")
        .reply();
}

Reply third_party_auth(bool misleading_text) {
    std::string text = "Auth error from APNS or Web Push Service";
    if (misleading_text) {
        text = "Request is missing required authentication credential. " + std::string(kCredentialHelp);
    }
    return GoogleError(401, "UNAUTHENTICATED", text).fcm("THIRD_PARTY_AUTH_ERROR").reply();
}

Reply access_token_expired() {
    return GoogleError(401, "UNAUTHENTICATED",
                       "Request had invalid authentication credentials. " + std::string(kCredentialHelp))
        .error_info("ACCESS_TOKEN_EXPIRED")
        .reply();
}

Reply access_token_unknown() {
    return GoogleError(401, "UNAUTHENTICATED",
                       "Request had invalid authentication credentials. " + std::string(kCredentialHelp))
        .reply();
}

Reply access_token_missing() {
    return GoogleError(401, "UNAUTHENTICATED",
                       "Request is missing required authentication credential. " + std::string(kCredentialHelp))
        .error_info("CREDENTIALS_MISSING")
        .reply();
}

Reply quota_exceeded(std::string_view subject, std::string_view description) {
    return GoogleError(429, "RESOURCE_EXHAUSTED", std::string(description))
        .fcm("QUOTA_EXCEEDED")
        .quota_failure(subject, description)
        .reply();
}

Reply internal_error() {
    return GoogleError(500, "INTERNAL", "Internal error encountered.").fcm("INTERNAL").reply();
}

Reply unavailable() {
    return GoogleError(503, "UNAVAILABLE", "The service is currently unavailable.").fcm("UNAVAILABLE").reply();
}

Reply html_not_found(std::string_view path) {
    Reply reply = html_error(404, "Not Found");
    std::string safe;
    for (const char c : path) {
        if (c != '<' && c != '>' && c != '&') safe += c;
    }
    reply.body += "  <p>The requested URL <code>" + safe + "</code> was not found on this server.</p>\n";
    return reply;
}

Reply not_found() {
    return GoogleError(404, "NOT_FOUND", "Requested entity was not found.").reply();
}

Reply unimplemented() {
    return GoogleError(501, "UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled.").reply();
}

Reply html_error(int status, std::string_view title) {
    Reply reply;
    reply.status = status;
    reply.headers = {{"content-type", "text/html; charset=UTF-8"}};
    const std::string text(title.empty() ? title_of(status) : title);
    reply.body = "<!DOCTYPE html>\n<html lang=en>\n  <title>Error " + std::to_string(status) + " (" + text +
                 ")!!1</title>\n  <p><b>" + std::to_string(status) + ".</b> That's an error.</p>\n";
    return reply;
}

}  // namespace belfry::simulator
