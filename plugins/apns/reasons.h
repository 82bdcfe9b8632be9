// SPDX-License-Identifier: Apache-2.0
// APNs' answers that are not 200, and what each means for the delivery: the first row that fits decides.
//
// Safety: a device is given up only on APNs' own word about its token, never on a bare status or an unknown reason, and
// BadDeviceToken and DeviceTokenNotForTopic are suspect: a wrong environment or topic in the configuration gives them
// for every device. An answer whose body broke off is no word at all: the delivery is tried again. Source: Apple,
// "Handling notification responses from APNs", read 2026.
#pragma once

#include <belfry/provider.h>

#include <string_view>

namespace apns {

struct Rule {
    int32_t from, to;         // HTTP status
    std::string_view reason;  // empty: any
    int32_t outcome, scope;
    uint32_t flags;
    int64_t wait_ms;  // kServerError: as configured
    std::string_view advice;
};

inline constexpr uint32_t kSuspect = BELFRY_VERDICT_SUSPECT;
inline constexpr uint32_t kReconnect = BELFRY_VERDICT_RETIRE_CONNECTION;
inline constexpr uint32_t kAgain = BELFRY_VERDICT_RESEND | kReconnect;
inline constexpr uint32_t kRenew = BELFRY_VERDICT_REAUTH | kAgain;
inline constexpr int32_t kItem = BELFRY_SCOPE_ITEM, kPush = BELFRY_SCOPE_PUSH, kInstance = BELFRY_SCOPE_INSTANCE;
inline constexpr int64_t kServerError = -1;

// clang-format off
inline constexpr Rule kRules[] = {
    {400, 400, "BadDeviceToken", BELFRY_DEVICE_GONE, kItem, kSuspect, 0,
     "not a token of this environment; are environment and topic right?"},
    {400, 400, "DeviceTokenNotForTopic", BELFRY_DEVICE_GONE, kItem, kSuspect, 0,
     "the token belongs to another app; is topic right?"},
    {410, 410, "Unregistered", BELFRY_DEVICE_GONE, kItem, 0, 0, "the app was removed from the device"},
    {410, 410, "ExpiredToken", BELFRY_DEVICE_GONE, kItem, 0, 0, "the token was replaced by a newer one"},
    {400, 400, "IdleTimeout", BELFRY_RETRY, kItem, kAgain, 1'000, "the connection was idle for too long"},
    {400, 400, "BadCollapseId", BELFRY_REFUSED, kPush, 0, 0, "apns-collapse-id has at most 64 bytes"},
    {400, 400, "BadExpirationDate", BELFRY_REFUSED, kPush, 0, 0,
     "apns-expiration must be Unix seconds, and 0 for a channel that stores nothing"},
    {400, 400, "BadMessageId", BELFRY_REFUSED, kPush, 0, 0, "apns-id must be a UUID in lower case"},
    {400, 400, "BadPriority", BELFRY_REFUSED, kPush, 0, 0, "apns-priority must be 10, 5 or 1, for background not 10"},
    {400, 400, "InvalidPushType", BELFRY_REFUSED, kPush, 0, 0, "correct apns-push-type"},
    {400, 400, "MissingPushType", BELFRY_REFUSED, kPush, 0, 0, "give apns-push-type"},
    {400, 400, "PayloadEmpty", BELFRY_REFUSED, kPush, 0, 0, "give a payload"},
    {400, 400, "BadTopic", BELFRY_REFUSED, kPush, 0, 0, "apns-topic does not fit apns-push-type"},
    {400, 400, "MissingTopic", BELFRY_REFUSED, kPush, 0, 0, "give apns-topic, or set topic"},
    {400, 400, "TopicDisallowed", BELFRY_REFUSED, kPush, 0, 0, "key or certificate may not push for this topic"},
    {400, 400, "DuplicateHeaders", BELFRY_REFUSED, kPush, 0, 0, "a header was sent twice"},
    {400, 400, "MissingDeviceToken", BELFRY_REFUSED, kItem, 0, 0, "the token is empty"},
    {400, 400, "ChannelNotRegistered", BELFRY_REFUSED, kPush, 0, 0, "there is no such channel: create it"},
    {400, 400, "FeatureNotEnabled", BELFRY_REFUSED, kPush, 0, 0,
     "enable broadcast for the app in Apple Developer, Identifiers"},
    {400, 400, "BadChannelId", BELFRY_REFUSED, kPush, 0, 0, "the channel's id is malformed"},
    {400, 400, "MissingChannelId", BELFRY_REFUSED, kPush, 0, 0, "give the channel's id"},
    {400, 400, "BadRequestPayload", BELFRY_REFUSED, kPush, 0, 0, "correct the payload"},
    {403, 403, "ExpiredProviderToken", BELFRY_AUTH_REFUSED, kInstance, kRenew, 0,
     "the provider token is too old; is this host's clock right?"},
    {403, 403, "InvalidProviderToken", BELFRY_AUTH_REFUSED, kInstance, kRenew, 0,
     "check key, key_id, team_id and this host's clock"},
    {403, 403, "MissingProviderToken", BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "APNs saw no provider token; does a proxy remove it?"},
    {403, 403, "UnrelatedKeyIdInToken", BELFRY_RETRY, kItem, kAgain, 10'000,
     "the connection belongs to another key; a new one is opened"},
    {403, 403, "BadEnvironmentKeyIdInToken", BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "the key is for the other environment; correct key or environment"},
    {403, 403, "BadEnvironmentKeyInToken", BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "the key is for the other environment; correct key or environment"},
    {403, 403, "BadCertificate", BELFRY_AUTH_REFUSED, kInstance, 0, 0, "make a new push certificate"},
    {403, 403, "BadCertificateEnvironment", BELFRY_AUTH_REFUSED, kInstance, 0, 0,
     "the certificate is for the other environment; correct certificate or environment"},
    {403, 403, "TopicMismatch", BELFRY_REFUSED, kPush, 0, 0, "the certificate is for another topic"},
    {403, 403, "", BELFRY_AUTH_REFUSED, kInstance, 0, 0, "check key or certificate in Apple Developer"},
    {404, 404, "", BELFRY_MISCONFIGURED, kInstance, 0, 0, "what answers there is not APNs: check"},
    {405, 405, "", BELFRY_MISCONFIGURED, kInstance, 0, 0, "what answers there is not APNs: check"},
    {413, 413, "", BELFRY_REFUSED, kPush, 0, 0, "shorten the payload: 4096 bytes, voip and broadcasts 5120"},
    {429, 429, "TooManyProviderTokenUpdates", BELFRY_RETRY, kItem, kAgain, 60'000,
     "provider tokens changed too often on this connection; a new one is opened"},
    {429, 429, "", BELFRY_RETRY, kItem, 0, 30'000, "too many pushes to this device or channel"},
    {408, 408, "", BELFRY_RETRY, kItem, 0, kServerError, "APNs gave up waiting"},
    {503, 503, "Shutdown", BELFRY_RETRY, kItem, kReconnect, 5'000, "this server of APNs goes away"},
    {500, 599, "", BELFRY_RETRY, kItem, 0, kServerError, "trouble inside APNs"},
    {201, 399, "", BELFRY_MISCONFIGURED, kInstance, 0, 0, "what answers there is not APNs: check"},
    {400, 499, "", BELFRY_REFUSED, kItem, 0, 0, "a reason that Belfry does not know; the device is kept"},
};
// clang-format on

}  // namespace apns
