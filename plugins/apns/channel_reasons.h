// SPDX-License-Identifier: Apache-2.0
// APNs' refusals of channel calls, and what each means for the caller: the first row that fits decides.
// Source: Apple, "Handling error responses from APNs" (channels), read 2026.
#pragma once

#include <belfry/plugin.h>

#include <string_view>

namespace apns {

enum class About : uint8_t { Nothing, Topic, Id, PushType };

struct ChannelRule {
    int32_t from, to;         // HTTP status
    std::string_view reason;  // empty: any
    belfry_code code;         // about the topic: CONFIG if it is the configured one
    About about;
    uint32_t wait_ms;
    std::string_view advice;
};

inline constexpr std::string_view kNotApns =
    "what answers at channel_endpoint is not APNs' channel management; check host and port";

// clang-format off
inline constexpr ChannelRule kChannelRules[] = {
    {400, 400, "ChannelNotRegistered", BELFRY_NOT_FOUND, About::Id, 0,
     "there is no such channel of this app in this environment"},
    {400, 400, "BadChannelId", BELFRY_NOT_FOUND, About::Id, 0,
     "no channel of this app in this environment has this id"},
    {400, 400, "MissingChannelId", BELFRY_BAD_REQUEST, About::Id, 0, "give the channel's id"},
    {400, 400, "CannotCreateChannelConfig", BELFRY_CONFLICT, About::Topic, 0,
     "the app has as many channels as Apple allows, 10,000 per environment; delete some"},
    {400, 400, "FeatureNotEnabled", BELFRY_BAD_REQUEST, About::Topic, 0,
     "enable broadcasts for the app: Apple Developer, Identifiers, Push Notifications"},
    {400, 400, "TopicDisallowed", BELFRY_BAD_REQUEST, About::Topic, 0,
     "key or certificate may not manage channels of this app"},
    {400, 400, "InvalidPushType", BELFRY_BAD_REQUEST, About::PushType, 0, "channels carry LiveActivity only"},
    {400, 400, "MissingPushType", BELFRY_BAD_REQUEST, About::PushType, 0, "channels carry LiveActivity only"},
    {400, 400, "BadRequestPayload", BELFRY_BAD_REQUEST, About::Nothing, 0,
     "APNs takes neither this storage policy nor this push type"},
    {400, 400, "", BELFRY_CONFIG, About::Nothing, 0,
     "APNs does not understand Belfry's call; look for a newer version"},
    {403, 403, "ExpiredProviderToken", BELFRY_AUTH, About::Nothing, 0,
     "the provider token is too old; is this host's clock right?"},
    {403, 403, "InvalidProviderToken", BELFRY_AUTH, About::Nothing, 0,
     "check key, key_id, team_id and this host's clock"},
    {403, 403, "MissingProviderToken", BELFRY_AUTH, About::Nothing, 0,
     "APNs saw no provider token; does a proxy remove it?"},
    {403, 403, "UnrelatedKeyIdInToken", BELFRY_RETRY_LATER, About::Nothing, 60'000,
     "the connection belongs to another key; it ends when it is idle for a minute"},
    {403, 403, "BadEnvironmentKeyIdInToken", BELFRY_AUTH, About::Nothing, 0,
     "the key is for the other environment; correct key or environment"},
    {403, 403, "BadEnvironmentKeyInToken", BELFRY_AUTH, About::Nothing, 0,
     "the key is for the other environment; correct key or environment"},
    {403, 403, "BadCertificate", BELFRY_AUTH, About::Nothing, 0, "make a new push certificate"},
    {403, 403, "BadCertificateEnvironment", BELFRY_AUTH, About::Nothing, 0,
     "the certificate is for the other environment; correct certificate or environment"},
    {403, 403, "TopicMismatch", BELFRY_BAD_REQUEST, About::Topic, 0, "the certificate is for another app"},
    {403, 403, "", BELFRY_AUTH, About::Nothing, 0, "check key or certificate in Apple Developer"},
    {404, 405, "", BELFRY_CONFIG, About::Nothing, 0, kNotApns},
    {408, 408, "", BELFRY_RETRY_LATER, About::Nothing, 1'000, "APNs gave up waiting"},
    {413, 413, "", BELFRY_TOO_LARGE, About::Nothing, 0, "APNs finds the call too large"},
    {429, 429, "TooManyProviderTokenUpdates", BELFRY_BUSY, About::Nothing, 60'000,
     "provider tokens changed too often on this connection; it ends when it is idle for a minute"},
    {429, 429, "", BELFRY_BUSY, About::Nothing, 30'000, "too many channel calls; wait"},
    {400, 499, "", BELFRY_CONFIG, About::Nothing, 0, "a refusal that Belfry does not know; look for a newer version"},
    {500, 599, "", BELFRY_RETRY_LATER, About::Nothing, 5'000, "trouble inside APNs; the same again later"},
};
// clang-format on

}  // namespace apns
