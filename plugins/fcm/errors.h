// SPDX-License-Identifier: Apache-2.0
// FCM's answers that are not 2xx, and what each means for the delivery: the first row that holds decides.
//
// Safety: a device is given up only on FCM's own word about it (FcmError UNREGISTERED, SENDER_ID_MISMATCH,
// or INVALID_ARGUMENT about the token), never on a bare HTTP status or an unknown text. What FCM says about a request
// that differs per device stops that device's delivery only; what it says about the payload's fields stops the push.
// An answer whose body broke off says neither: where the body decides, the delivery is tried again and nothing else is
// touched.
// Source: Firebase, "FCM ErrorCode" and "Scale FCM", read 2026.
#pragma once

#include <cstdint>

#include "evidence.h"

namespace fcm {

struct Rule {
    int32_t from, to;                // HTTP status
    std::string_view fcm_error;      // empty: any
    bool (*holds)(const Evidence&);  // null: always
    int32_t outcome, scope;
    uint32_t flags;
    int64_t wait_ms;  // unless Retry-After says another
    std::string_view word, advice;
};

inline bool about_too_big(const Evidence& e) {
    return mentions(e.message, "too big") || mentions(e.message, "too large");
}
inline bool about_token(const Evidence& e) {
    return (mentions(e.message, "registration token") || e.only_target) && !about_too_big(e);
}
inline bool about_payload(const Evidence& e) {
    return (!e.field.empty() && !e.only_target) || mentions(e.message, "invalid json payload");
}
inline bool about_package(const Evidence& e) {
    return mentions(e.field, "package") || mentions(e.message, "package name");
}
inline bool about_device_rate(const Evidence& e) {
    const std::string& text = e.quota.empty() ? e.message : e.quota;
    return mentions(text, "device") && !mentions(text, "project");
}
inline bool is_disabled(const Evidence& e) {
    return e.reason == "SERVICE_DISABLED" || mentions(e.message, "has not been used");
}
inline bool is_first_try(const Evidence& e) {
    return !e.resent;
}
inline bool names_a_time(const Evidence& e) {
    return e.retry_after_ms.has_value();
}
inline bool is_html(const Evidence& e) {
    return e.code.empty();
}
inline bool is_cut(const Evidence& e) {
    return !e.whole;
}
inline bool is_cut_where_it_matters(const Evidence& e) {
    return !e.whole && e.status != 408 && e.status != 413;
}

inline constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT, kRenew = BELFRY_VERDICT_REAUTH | BELFRY_VERDICT_RESEND;
inline constexpr int32_t kItem = BELFRY_SCOPE_ITEM, kPush = BELFRY_SCOPE_PUSH, kPlatform = BELFRY_SCOPE_PLATFORM,
                         kInstance = BELFRY_SCOPE_INSTANCE;

// clang-format off
inline constexpr Rule kRules[] = {
    {429, 429, "", is_cut, BELFRY_THROTTLED, kItem, 0, 60'000,
     "QUOTA_EXCEEDED", "the answer broke off before it said whose quota"},
    {400, 499, "", is_cut_where_it_matters, BELFRY_RETRY, kItem, 0, 0,
     "CUT", "the answer broke off before it said why"},
    {400, 499, "UNREGISTERED", nullptr, BELFRY_DEVICE_GONE, kItem, 0, 0,
     "UNREGISTERED", "the app was uninstalled or its token replaced"},
    {400, 400, "INVALID_ARGUMENT", about_token, BELFRY_DEVICE_GONE, kItem, kSuspect, 0,
     "INVALID_TOKEN", "not a registration token of FCM"},
    {403, 403, "SENDER_ID_MISMATCH", nullptr, BELFRY_DEVICE_GONE, kItem, kSuspect, 0,
     "SENDER_ID_MISMATCH", "the token belongs to another Firebase project; is project_id right?"},
    {400, 400, "", about_too_big, BELFRY_REFUSED, kPlatform, 0, 0,
     "TOO_BIG", "shorten the payload: FCM takes 4096 bytes"},
    {413, 413, "", nullptr, BELFRY_REFUSED, kPlatform, 0, 0,
     "TOO_BIG", "shorten the payload: FCM takes 4096 bytes"},
    {400, 400, "", about_package, BELFRY_REFUSED, kItem, 0, 0,
     "INVALID_ARGUMENT", "restricted_package_name is not this device's app"},
    {400, 400, "", about_payload, BELFRY_REFUSED, kPush, 0, 0,
     "INVALID_ARGUMENT", "correct the payload"},
    {400, 400, "", nullptr, BELFRY_REFUSED, kItem, 0, 0,
     "INVALID_ARGUMENT", "refused for a reason FCM does not name; the device is kept"},
    {401, 401, "THIRD_PARTY_AUTH_ERROR", nullptr, BELFRY_AUTH_REFUSED, kPlatform, 0, 0,
     "THIRD_PARTY_AUTH_ERROR", "upload a valid APNs key or web push certificate in Firebase, Cloud Messaging"},
    {401, 401, "APNS_AUTH_ERROR", nullptr, BELFRY_AUTH_REFUSED, kPlatform, 0, 0,
     "APNS_AUTH_ERROR", "upload a valid APNs key in Firebase, Cloud Messaging"},
    {401, 401, "", is_first_try, BELFRY_AUTH_REFUSED, kInstance, kRenew, 0,
     "UNAUTHENTICATED", "the access token is no longer accepted"},
    {401, 401, "", nullptr, BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "UNAUTHENTICATED", "a fresh access token is refused as well; check credentials and scope"},
    {403, 403, "", is_disabled, BELFRY_MISCONFIGURED, kInstance, 0, 0,
     "SERVICE_DISABLED", "enable the Firebase Cloud Messaging API for the project"},
    {403, 403, "", is_html, BELFRY_MISCONFIGURED, kInstance, 0, 0,
     "NOT_FCM", "what answers at `endpoint` is not FCM; check endpoint and proxies"},
    {403, 403, "", nullptr, BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "PERMISSION_DENIED", "grant the service account the role Firebase Cloud Messaging API Admin; check project_id"},
    {404, 404, "", nullptr, BELFRY_MISCONFIGURED, kInstance, 0, 0,
     "NOT_FOUND", "no such project or path; check project_id and endpoint"},
    {429, 429, "", about_device_rate, BELFRY_THROTTLED, kItem, 0, 60'000,
     "QUOTA_EXCEEDED", "too many pushes for this device"},
    {429, 429, "", nullptr, BELFRY_THROTTLED, kInstance, 0, 60'000,
     "QUOTA_EXCEEDED", "the project's quota is used up; lower rate.per_minute or ask Google for more"},
    {503, 503, "", names_a_time, BELFRY_THROTTLED, kInstance, 0, 0,
     "UNAVAILABLE", "FCM is overloaded and says until when"},
    {408, 408, "", nullptr, BELFRY_RETRY, kItem, 0, 10'000, "TIMEOUT", "FCM gave up waiting"},
    {500, 599, "", nullptr, BELFRY_RETRY, kItem, 0, 10'000, "UNAVAILABLE", "trouble inside FCM"},
    {200, 399, "", nullptr, BELFRY_MISCONFIGURED, kInstance, 0, 0,
     "NOT_FCM", "what answers at `endpoint` is not FCM; check endpoint and proxies"},
    {400, 499, "", nullptr, BELFRY_REFUSED, kItem, 0, 0,
     "REFUSED", "an answer FCM does not document; the device is kept"},
    {INT32_MIN, INT32_MAX, "", nullptr, BELFRY_FAULT, kItem, 0, 0, "NONSENSE", "not an HTTP status"},
};
// clang-format on

}  // namespace fcm
