// SPDX-License-Identifier: Apache-2.0
#include "api/tables.h"

namespace belfry::api::tables {

constexpr Field kProvider = {.name = "provider",
                             .type = Type::Text,
                             .help = "Wire name of the provider, by default apns. Its instance says which environment.",
                             .bounds = kWord};
constexpr Field kTopic = {.name = "topic",
                          .type = Type::Text,
                          .help = "The app's bundle id, by default the provider's `topic`.",
                          .bounds = kName};
constexpr Field kPolicy = {.name = "message_storage_policy",
                           .type = Type::Integer,
                           .help =
                               "0, the default: nothing is kept. 1: APNs keeps the newest push for devices that are "
                               "offline, if the push has an `expire_at`.",
                           .bounds = {0, 1, 0, 0}};
constexpr Field kPushType = {.name = "push_type",
                             .type = Type::Text,
                             .help = "What the channel carries; Apple has only LiveActivity.",
                             .bounds = kWord,
                             .choices = "LiveActivity"};

constexpr Field kCreate[] = {kProvider, kTopic, kPolicy, kPushType};
constexpr ObjectType kChannelCreateRequest = {"ApnsChannelCreateRequest", kCreate, Others::Refuse};
constexpr Field kCreated[] = {{.name = "id",
                               .type = Type::Text,
                               .help = "For `recipient.apns_channel`, `recipient.channel` and the app on the phones.",
                               .required = true}};
constexpr ObjectType kChannelCreateResult = {"ApnsChannelCreateResult", kCreated};

constexpr Field kOne[] = {
    kProvider,
    kTopic,
    {.name = "id", .type = Type::Text, .help = "Of the channel.", .bounds = kChannelId, .required = true}};
constexpr ObjectType kChannelRequest = {"ApnsChannelRequest", kOne, Others::Refuse};
constexpr Field kChannel[] = {
    {.name = "id", .type = Type::Text, .help = "Of the channel.", .required = true},
    {.name = "message_storage_policy",
     .type = Type::Integer,
     .help = "0: nothing is kept. 1: the newest push.",
     .required = true},
    {.name = "push_type", .type = Type::Text, .help = "LiveActivity.", .required = true},
};
constexpr ObjectType kChannelResult = {"ApnsChannelResult", kChannel};

constexpr Field kList[] = {kProvider, kTopic};
constexpr ObjectType kChannelListRequest = {"ApnsChannelListRequest", kList, Others::Refuse};
constexpr ObjectType kListed = {"ApnsListedChannel", kCreated};
constexpr Field kListAnswer[] = {{.name = "items",
                                  .type = Type::ObjectList,
                                  .help = "All of them, at most 10,000 at Apple; `apns_channel_get` reads one.",
                                  .required = true,
                                  .object = &kListed}};
constexpr ObjectType kChannelListResult = {"ApnsChannelListResult", kListAnswer};

}  // namespace belfry::api::tables
