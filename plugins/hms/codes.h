// SPDX-License-Identifier: Apache-2.0
// Huawei's result codes, HTTP statuses without one, and v3's words about single tokens, and what each means for the
// delivery: the first row that fits decides. A code counts more than its HTTP status, which Huawei does not bind to it.
//
// Safety: a wrong app or secret makes every token "illegal", so a token is believed dead only if the same answer served
// another one. An answer that served nobody makes its tokens suspect: the host deletes those only where the provider
// was accepted lately. Words that may be about the project (noRight) are believed beside a served token only. No code,
// status or word that is not in these tables touches a device. Source: Huawei, "Sending Messages", result codes (hms.md
// sections 7 to 10; each row names its own).
#pragma once

#include <belfry/provider.h>

#include <cstdint>
#include <string_view>

namespace hms {

inline constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT, kRenew = BELFRY_VERDICT_REAUTH | BELFRY_VERDICT_RESEND;
inline constexpr int32_t kItem = BELFRY_SCOPE_ITEM, kPush = BELFRY_SCOPE_PUSH, kInstance = BELFRY_SCOPE_INSTANCE;

// Beyond one outcome for all items of the request.
enum class Special : uint8_t {
    None,
    Partly,     // the tokens named in msg are bad, the others were served
    AllBad,     // v3: msg says why, by token
    Singly,     // several devices were too many: each gets a request of its own, once
    Expires,    // about the time to live: expired if that was ours
    SendAgain,  // nobody knows what became of it: once more, then no more
};

struct Rule {
    uint32_t from, to;  // result codes; HTTP statuses where Huawei gave no code
    const char* section;
    int32_t outcome, scope;
    uint32_t flags;
    int64_t wait_ms;  // unless Retry-After says another
    Special special;
    std::string_view advice;
};

// clang-format off
inline constexpr Rule kCodes[] = {
    {80000000, 80000000, "8, 9", BELFRY_ACCEPTED, kItem, 0, 0, Special::None, ""},
    {80100000, 80100000, "8, 9", BELFRY_DEVICE_GONE, kItem, 0, 0, Special::Partly,
     "the token is malformed, expired, uninstalled or of another app"},
    {80100001, 80100001, "8, 9", BELFRY_REFUSED, kPush, 0, 0, Special::None, "correct the message's parameters"},
    {80100002, 80100002, "8", BELFRY_REFUSED, kPush, 0, 0, Special::Singly,
     "such a message goes to one device at a time"},
    {80100003, 80100003, "8, 9", BELFRY_REFUSED, kPush, 0, 0, Special::None, "correct the message's structure"},
    {80100004, 80100004, "8, 9", BELFRY_REFUSED, kPush, 0, 0, Special::Expires,
     "the message's ttl is over: correct it"},
    {80100013, 80100013, "8", BELFRY_REFUSED, kPush, 0, 0, Special::None, "android.collapse_key must be -1 to 100"},
    {80100016, 80100016, "8", BELFRY_REFUSED, kPush, 0, 0, Special::None, "Huawei finds sensitive content in it"},
    {80100017, 80100017, "8", BELFRY_RETRY, kItem, 0, 60'000, Special::None, "too many topic messages at once"},
    {80100018, 80100018, "8", BELFRY_REFUSED, kPush, 0, 0, Special::None, "Huawei does not accept the message's body"},
    {80100022, 80100022, "9", BELFRY_REFUSED, kPush, 0, 0, Special::None, "Huawei has not verified its image"},
    {80200001, 80200001, "8, 9", BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, Special::None,
     "Huawei refuses our token; check credentials, ids and endpoint"},
    {80200003, 80200003, "8", BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, Special::None, "the access token has expired"},
    {80200005, 80200005, "9", BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, Special::None,
     "the signed token has expired; is this host's clock right?"},
    {80300002, 80300002, "8, 9", BELFRY_MISCONFIGURED, kInstance, 0, 0, Special::None,
     "no right to send: enable Push Kit for the app and its regions, check ids and generation"},
    {80300007, 80300007, "8, 9", BELFRY_DEVICE_GONE, kItem, kSuspect, 0, Special::AllBad,
     "Huawei knows none of the tokens; are app and project right?"},
    {80300008, 80300008, "8, 9", BELFRY_REFUSED, kPush, 0, 0, Special::None, "shorten the message: 4096 bytes"},
    {80300010, 80300010, "8, 9", BELFRY_REFUSED, kPush, 0, 0, Special::Singly,
     "Huawei does not take so many devices at once"},
    {80300011, 80300011, "8", BELFRY_REFUSED, kPush, 0, 0, Special::None,
     "the app may not send with high priority; leave android.notification.importance out"},
    {80300013, 80300013, "8", BELFRY_MISCONFIGURED, kInstance, 0, 0, Special::None,
     "correct the receipt's address or certificate in AppGallery Connect"},
    {80300029, 80300029, "9", BELFRY_REFUSED, kPush, 0, 0, Special::None, "today's test messages are used up"},
    {80300030, 80300030, "9", BELFRY_REFUSED, kPush, 0, 0, Special::Singly, "test messages go to 10 devices at once"},
    {80300036, 80300036, "9", BELFRY_MISCONFIGURED, kInstance, 0, 0, Special::None,
     "Huawei finds our token valid for too long; is this host's clock right?"},
    {80300037, 80300037, "9", BELFRY_MISCONFIGURED, kInstance, 0, 0, Special::None,
     "Huawei has put the app under penalty; see AppGallery Connect"},
    {80600003, 80600003, "8", BELFRY_RETRY, kItem, 0, 2'000, Special::None, "Huawei could not check our token"},
    {81000001, 81000001, "8, 9", BELFRY_RETRY, kItem, 0, 1'000, Special::None, "trouble inside HMS"},
    {80100000, 80199999, "8", BELFRY_REFUSED, kItem, 0, 0, Special::None,
     "a code that Belfry does not know; the device is kept"},
    {80200000, 80299999, "8", BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, Special::None,
     "Huawei refuses our credential; check it"},
    {80300000, 80399999, "8", BELFRY_REFUSED, kItem, 0, 0, Special::None,
     "a code that Belfry does not know; the device is kept"},
    {80600000, 80699999, "8", BELFRY_RETRY, kItem, 0, 2'000, Special::None, "trouble inside HMS"},
    {81000000, 81999999, "8", BELFRY_RETRY, kItem, 0, 1'000, Special::None, "trouble inside HMS"},
    {10000000, 99999999, "8", BELFRY_REFUSED, kItem, 0, 0, Special::None,
     "a code that Belfry does not know; the device is kept"},
    // Without a code.
    {200, 299, "17.2 A15", BELFRY_FAULT, kItem, 0, 0, Special::SendAgain,
     "an answer without a result; it may have arrived"},
    {300, 399, "7", BELFRY_MISCONFIGURED, kInstance, 0, 0, Special::None,
     "what answers at endpoint is not HMS; check it"},
    {400, 400, "7", BELFRY_REFUSED, kItem, 0, 0, Special::None,
     "refused for a reason HMS does not name; the device is kept"},
    {401, 401, "7", BELFRY_AUTH_REFUSED, kInstance, kRenew, 0, Special::None,
     "Huawei refuses our token; check credentials"},
    {403, 405, "7", BELFRY_MISCONFIGURED, kInstance, 0, 0, Special::None,
     "no such app, project or path; check ids, generation and endpoint"},
    {408, 408, "7", BELFRY_RETRY, kItem, 0, 1'000, Special::None, "HMS gave up waiting"},
    {413, 413, "7", BELFRY_REFUSED, kPush, 0, 0, Special::None, "shorten the message: 4096 bytes"},
    {429, 429, "7", BELFRY_THROTTLED, kInstance, 0, 10'000, Special::None,
     "too many devices a second; lower rate.per_minute"},
    {400, 499, "7", BELFRY_REFUSED, kItem, 0, 0, Special::None, "an answer HMS does not document; the device is kept"},
    {503, 503, "7, 12", BELFRY_THROTTLED, kInstance, 0, 10'000, Special::None,
     "too many devices a second, or HMS is overloaded; lower rate.per_minute if it stays"},
    {500, 599, "7", BELFRY_RETRY, kItem, 0, 1'000, Special::None, "trouble inside HMS"},
    {0, UINT32_MAX, "7", BELFRY_FAULT, kItem, 0, 0, Special::None, "not an HTTP status"},
};

// The body broke off before its code: it may have arrived, as if no answer had come at all.
inline constexpr Rule kCut = {200, 499, "7", BELFRY_RETRY, kItem, 0, 0, Special::None,
                              "the answer broke off before its result; it may have arrived"};

// v3: why single tokens were not served (hms.md section 10).
struct TokenRule {
    std::string_view word;
    int32_t outcome;
    uint32_t flags;  // kSuspect: it may be about the project, so believed only beside a token that was served
    int64_t wait_ms;
    int32_t scope_if_all;  // of an answer that says it of every token; kInstance is our configuration
    std::string_view advice;
};
inline constexpr TokenRule kTokenRules[] = {
    {"tokenFormatError", BELFRY_DEVICE_GONE, 0, 0, kItem, "not a token of HarmonyOS"},
    {"tokenPlatformNotSupport", BELFRY_DEVICE_GONE, 0, 0, kItem, "the app must fetch a new token"},
    {"noRight", BELFRY_DEVICE_GONE, kSuspect, 0, kItem,
     "of another project, or from before the device was upgraded; is project_id right?"},
    {"noPushTypeRight", BELFRY_REFUSED, 0, 0, kPush,
     "the app has no right for this push-type; apply for it in AppGallery Connect"},
    {"atomicUnableSendUnsubscribedMsg", BELFRY_REFUSED, 0, 0, kItem,
     "an atomic service gets only what its user subscribed to"},
    {"countryNotSupport", BELFRY_REFUSED, 0, 0, kItem, "not in the device's country"},
    {"disableSendHuaweiMsgBecauseOfPenalty", BELFRY_REFUSED, 0, 0, kInstance, "Huawei has put the app under penalty"},
    {"differentImgVerifyPolicy", BELFRY_REFUSED, 0, 0, kItem, "the image is not verified for this device"},
    {"appinfoError", BELFRY_RETRY, 0, 60'000, kItem,
     "Huawei does not know the app yet; is it created in AppGallery Connect?"},
    {"notSupportPlayVoice", BELFRY_REFUSED, 0, 0, kItem, "the device plays no voice messages"},
    {"noRightToSendThisLiveNotificationEvent", BELFRY_REFUSED, 0, 0, kPush,
     "the app has no right for this live view's event"},
    {"", BELFRY_REFUSED, 0, 0, kItem, "a word that Belfry does not know; the device is kept"},
};
// clang-format on

}  // namespace hms
