// SPDX-License-Identifier: Apache-2.0
// What push services answer when it is not 2xx, and what each answer means for the delivery: the first row that holds
// decides. Services are told apart by the shape of their answers, not by their names.
//
// Safety: a subscription is given up only on 410, on 404, and where the service says that it belongs to another key;
// the latter two as suspects, since a proxy or a wrong key of ours looks the same. Where the body decides, one that
// broke off decides nothing: the delivery is tried again.
// Source: RFC 8030 and 8292; autopush's error.rs; Apple, "Sending web push notifications"; Microsoft, WNS headers.
#pragma once

#include <belfry/provider.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace webpush {

struct Evidence {
    int32_t status = 0;
    int64_t number = 0;       // Mozilla's errno; 0: none
    std::string reason;       // Apple's
    std::string text;         // Mozilla's message, or the body's beginning
    bool windows = false;     // WNS
    bool other_json = false;  // an API's error, but none of a push service
    bool whole = true;        // else the body says nothing
    bool proved = false;      // the origin accepted the very token for another subscription
    std::optional<int64_t> retry_after_ms;
};

struct Rule {
    int32_t from, to;                // HTTP status
    bool (*holds)(const Evidence&);  // null: always
    int32_t outcome, scope;
    uint32_t flags;
    int64_t wait_ms;  // unless the answer says another; 0: the host's back-off
    std::string_view word, advice;
};

inline bool says(const Evidence& e, std::string_view part) {
    return e.text.find(part) != std::string::npos;
}
inline bool of_another_key(const Evidence& e) {
    if (e.windows) return e.status == 403 || (e.status == 401 && e.proved);
    return e.reason == "VapidPkHashMismatch" || (e.number == 109 && says(e, "VAPID public key mismatch")) ||
           (e.status == 403 && says(e, "do not correspond"));
}
inline bool is_no_push_service(const Evidence& e) {
    return e.other_json;
}
inline bool is_windows(const Evidence& e) {
    return e.windows;
}
inline bool is_apples(const Evidence& e) {
    return !e.reason.empty();
}
inline bool names_a_time(const Evidence& e) {
    return e.retry_after_ms.has_value();
}

// Of WNS the headers speak.
inline bool is_cut(const Evidence& e) {
    return !e.whole && !e.windows;
}

inline constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT;
inline constexpr int32_t kItem = BELFRY_SCOPE_ITEM, kOrigin = BELFRY_SCOPE_ORIGIN;

// clang-format off
inline constexpr Rule kRules[] = {
    {410, 410, nullptr, BELFRY_DEVICE_GONE, kItem, 0, 0,
     "GONE", "the browser has unsubscribed, or the subscription expired"},
    {404, 404, nullptr, BELFRY_DEVICE_GONE, kItem, kSuspect, 0,
     "NOT_FOUND", "the push service does not know the subscription"},
    {400, 403, is_cut, BELFRY_RETRY, kItem, 0, 0,
     "CUT", "the answer broke off before it said why"},
    {429, 429, is_cut, BELFRY_RETRY, kItem, 0, 60'000,
     "TOO_MANY", "the answer broke off before it said for whom"},
    {400, 403, of_another_key, BELFRY_DEVICE_GONE, kItem, kSuspect, 0,
     "KEY_MISMATCH", "the subscription was made for another application server key"},
    {401, 403, is_no_push_service, BELFRY_REFUSED, kItem, 0, 0,
     "NO_SUBSCRIPTION", "its address is another service of that host"},
    {401, 401, nullptr, BELFRY_AUTH_REFUSED, kOrigin, 0, 0,
     "UNAUTHORIZED", "the push service refuses our VAPID token; check subject and this machine's clock"},
    {403, 403, nullptr, BELFRY_AUTH_REFUSED, kOrigin, 0, 0,
     "FORBIDDEN", "the push service refuses our VAPID token; check subject and this machine's clock"},
    {405, 405, is_windows, BELFRY_MISCONFIGURED, kOrigin, 0, 0,
     "NOT_A_PUSH_SERVICE", "what answers there takes no messages; check proxies"},
    {405, 405, nullptr, BELFRY_RETRY, kItem, 0, 0,
     "NOT_A_PUSH_SERVICE", "what answers there takes no messages: another service's address, or a proxy"},
    {407, 407, nullptr, BELFRY_MISCONFIGURED, kOrigin, 0, 0,
     "PROXY_AUTHENTICATION", "a proxy is in the way"},
    {413, 413, nullptr, BELFRY_REFUSED, kItem, 0, 0,
     "TOO_LARGE", "shorten the payload: the push service takes less"},
    {429, 429, is_apples, BELFRY_RETRY, kItem, 0, 60'000,
     "TOO_MANY", "too many messages for this browser"},
    {429, 429, nullptr, BELFRY_THROTTLED, kOrigin, 0, 60'000,
     "TOO_MANY", "the push service wants less"},
    {406, 406, nullptr, BELFRY_THROTTLED, kOrigin, 0, 60'000,
     "THROTTLED", "the push service wants less"},
    {503, 503, names_a_time, BELFRY_THROTTLED, kOrigin, 0, 0,
     "UNAVAILABLE", "the push service is overloaded and says until when"},
    {408, 408, nullptr, BELFRY_RETRY, kItem, 0, 0, "TIMEOUT", "the push service gave up waiting"},
    {425, 425, nullptr, BELFRY_RETRY, kItem, 0, 0, "TOO_EARLY", "the push service wants the request again"},
    {500, 599, nullptr, BELFRY_RETRY, kItem, 0, 0, "UNAVAILABLE", "trouble inside the push service"},
    {300, 399, nullptr, BELFRY_REFUSED, kItem, 0, 0,
     "REDIRECT", "the push service points elsewhere; that is never followed"},
    {400, 499, nullptr, BELFRY_REFUSED, kItem, 0, 0,
     "BAD_REQUEST", "refused; the subscription is kept"},
    {INT32_MIN, INT32_MAX, nullptr, BELFRY_FAULT, kItem, 0, 0, "NONSENSE", "not an HTTP status"},
};
// clang-format on

}  // namespace webpush
