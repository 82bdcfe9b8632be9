// SPDX-License-Identifier: Apache-2.0
#include "api/tables.h"

namespace belfry::api::tables {

constexpr Field kRawTokens[] = {
    {.name = "provider",
     .type = Type::Text,
     .help = "Wire name of the provider.",
     .bounds = kRequiredWord,
     .required = true},
    {.name = "tokens", .type = Type::TextList, .help = "Tokens.", .bounds = kTokens, .required = true},
};
constexpr ObjectType kRawTokensType = {"RawTokens", kRawTokens, Others::Refuse};

constexpr Field kNamedChannel[] = {
    {.name = "provider",
     .type = Type::Text,
     .help = "Wire name of the provider.",
     .bounds = kRequiredWord,
     .required = true},
    {.name = "id", .type = Type::Text, .help = "Of the channel.", .bounds = kChannelId, .required = true},
};
constexpr ObjectType kNamedChannelType = {"NamedChannel", kNamedChannel, Others::Refuse};

constexpr Bounds kTarget = {0, kTokenBytesMax, 0, 0};
constexpr Field kRecipient[] = {
    {.name = "filter", .type = Type::Object, .help = "Registered devices.", .object = &kRecipientFilterType},
    {.name = "fcm_tokens", .type = Type::TextList, .help = "Raw FCM tokens.", .bounds = kTokens},
    {.name = "fcm_topic", .type = Type::Text, .help = "A topic that FCM keeps.", .bounds = kTarget},
    {.name = "fcm_condition", .type = Type::Text, .help = "A condition over FCM's topics.", .bounds = kTarget},
    {.name = "hms_tokens", .type = Type::TextList, .help = "Raw HMS tokens.", .bounds = kTokens},
    {.name = "hms_topic", .type = Type::Text, .help = "A topic that HMS keeps.", .bounds = kTarget},
    {.name = "hms_condition", .type = Type::Text, .help = "A condition over HMS's topics.", .bounds = kTarget},
    {.name = "apns_tokens", .type = Type::TextList, .help = "Raw APNs tokens.", .bounds = kTokens},
    {.name = "webpush_tokens",
     .type = Type::TextList,
     .help = "Raw PushSubscriptions as JSON texts.",
     .bounds = kTokens},
    {.name = "tokens",
     .type = Type::Object,
     .help = "Raw tokens of any provider.",
     .superset = true,
     .object = &kRawTokensType},
    {.name = "apns_channel",
     .type = Type::Text,
     .help = "An APNs broadcast channel: one request for everybody who follows it.",
     .bounds = kTarget,
     .superset = true},
    {.name = "channel",
     .type = Type::Object,
     .help = "A broadcast channel of any provider.",
     .superset = true,
     .object = &kNamedChannelType},
};
constexpr ObjectType kRecipientType = {"Recipient", kRecipient, Others::Refuse};

constexpr Field kMessagePayload[] = {
    {.name = "message",
     .type = Type::JsonObject,
     .help = "The provider's own message, passed on untouched.",
     .required = true},
};
constexpr ObjectType kFcm = {"FcmPushNotification", kMessagePayload, Others::Ignore, true};
constexpr Field kHmsPayload[] = {
    {.name = "headers",
     .type = Type::TextMap,
     .help = "push-type, of messages to HarmonyOS.",
     .bounds = {0, kMetaKeysMax, 0, kTokenBytesMax},
     .superset = true},
    kMessagePayload[0],
    {.name = "v3",
     .type = Type::JsonObject,
     .help = "message and headers that a provider of generation v3 takes instead of those beside it.",
     .superset = true},
};
constexpr ObjectType kHms = {"HmsPushNotification", kHmsPayload, Others::Ignore, true};
constexpr Field kApnsPayload[] = {
    {.name = "headers",
     .type = Type::TextMap,
     .help = "apns-* headers.",
     .bounds = {0, kMetaKeysMax, 0, kTokenBytesMax}},
    {.name = "payload", .type = Type::JsonObject, .help = "The APNs payload, passed on untouched.", .required = true},
};
constexpr ObjectType kApns = {"ApnsPushNotification", kApnsPayload, Others::Ignore, true};
constexpr Field kWebPushPayload[] = {
    {.name = "headers",
     .type = Type::TextMap,
     .help = "TTL, Urgency, Topic; each here or as the member below.",
     .bounds = {0, kMetaKeysMax, 0, kTokenBytesMax}},
    {.name = "payload", .type = Type::Json, .help = "Any JSON; the browser gets it encrypted.", .required = true},
    {.name = "ttl",
     .type = Type::Integer,
     .help = "Seconds for which the push service keeps it, 0 for now or never; four weeks if not given."},
    {.name = "urgency", .type = Type::Text, .help = "very-low, low, normal or high."},
    {.name = "topic",
     .type = Type::Text,
     .help = "A later message of the topic takes the place of one not yet fetched."},
};
constexpr ObjectType kWebPush = {"WebPushNotification", kWebPushPayload, Others::Ignore, true};

constexpr Field kNotification[] = {
    {.name = "expire_at",
     .type = Type::Integer,
     .help = "Unix seconds after which nothing is attempted.",
     .bounds = kTime},
};
constexpr ObjectType kNotificationType = {"PushNotification", kNotification, Others::Providers};

constexpr Field kLimitStrategy[] = {
    {.name = "rate_limit", .type = Type::JsonObject, .help = "Rate limits per device.", .not_built = true},
    {.name = "time_limit",
     .type = Type::JsonObject,
     .help = "Time windows in the device's timezone.",
     .not_built = true},
};
constexpr ObjectType kLimitStrategyType = {"LimitStrategy", kLimitStrategy, Others::Refuse};

constexpr Field kSend[] = {
    {.name = "recipient",
     .type = Type::Object,
     .help = "Whom the push addresses: exactly one member.",
     .required = true,
     .object = &kRecipientType},
    {.name = "notification",
     .type = Type::Object,
     .help = "Payloads by wire name of the provider.",
     .required = true,
     .object = &kNotificationType},
    {.name = "uid", .type = Type::Text, .help = "Unique per app; makes the request repeatable.", .bounds = kWord},
    {.name = "send_at",
     .type = Type::Integer,
     .help = "Unix seconds; in the past means now. Topics and users are looked up then, not before: the push reaches "
             "the devices they have when it is due. If users got more than one request may reach, push_status counts "
             "one refused and a sample says why.",
     .bounds = kTime},
    {.name = "optimize_for_reliability", .type = Type::Boolean, .help = "Accepted; delivery is always durable here."},
    {.name = "limit_strategy",
     .type = Type::Object,
     .help = "Rate limits and time windows.",
     .object = &kLimitStrategyType},
    {.name = "analytics_uid",
     .type = Type::Text,
     .help = "Name of the push in analytics.",
     .bounds = kWord,
     .not_built = true},
    {.name = "localizations", .type = Type::JsonObject, .help = "Texts by language.", .not_built = true},
    {.name = "use_templating", .type = Type::Boolean, .help = "The payloads are templates.", .not_built = true},
    {.name = "use_meta", .type = Type::Boolean, .help = "Templates may use the device's meta.", .not_built = true},
    {.name = "lane",
     .type = Type::Text,
     .help = "Priority; by default chosen by the number of recipients.",
     .bounds = kWord,
     .superset = true,
     .choices = "high normal low"},
    {.name = "dry_run",
     .type = Type::Json,
     .help = "true: everything but the provider call; \"provider\": the provider's own check.",
     .superset = true},
};
constexpr ObjectType kSendRequest = {"SendPushNotificationRequest", kSend};
constexpr Field kUid[] = {
    {.name = "uid", .type = Type::Text, .help = "Of the push.", .bounds = kRequiredWord, .required = true}};
constexpr ObjectType kSendResult = {"SendPushNotificationResult", kUid};
constexpr ObjectType kCancelRequest = {"CancelPushRequest", kUid};
constexpr ObjectType kStatusRequest = {"PushStatusRequest", kUid};

constexpr Field kOutcome[] = {
    {.name = "provider", .type = Type::Text, .help = "Wire name of the provider.", .required = true},
    {.name = "outcome",
     .type = Type::Text,
     .help = "accepted, gone, refused, expired, cancelled ...",
     .required = true},
    {.name = "n", .type = Type::Integer, .help = "Deliveries.", .required = true},
};
constexpr ObjectType kOutcomeType = {"PushOutcome", kOutcome};
constexpr Field kStatus[] = {
    {.name = "uid", .type = Type::Text, .help = "Of the push.", .required = true},
    {.name = "state",
     .type = Type::Text,
     .help = "delayed, running, paused, done, cancelled or expired.",
     .required = true},
    {.name = "lane", .type = Type::Text, .help = "high, normal or low.", .required = true},
    {.name = "planned", .type = Type::Integer, .help = "Deliveries found so far.", .required = true},
    {.name = "planned_final", .type = Type::Boolean, .help = "Whether planned can still grow.", .required = true},
    {.name = "outcomes",
     .type = Type::ObjectList,
     .help = "Final outcomes.",
     .required = true,
     .object = &kOutcomeType},
    {.name = "samples", .type = Type::JsonList, .help = "The first errors.", .required = true},
    {.name = "created_at", .type = Type::Integer, .help = "Unix seconds."},
    {.name = "send_at", .type = Type::Integer, .help = "Unix seconds."},
    {.name = "expire_at", .type = Type::Integer, .help = "Unix seconds."},
    {.name = "finished_at", .type = Type::Integer, .help = "Unix seconds."},
    {.name = "eta_ms", .type = Type::Integer, .help = "Estimate until the end, while running."},
};
constexpr ObjectType kStatusResult = {"PushStatusResult", kStatus};

constexpr Field kPushList[] = {
    {.name = "state",
     .type = Type::Text,
     .help = "Only pushes in this state.",
     .bounds = kWord,
     .choices = "delayed running paused done cancelled expired"},
    {.name = "cursor", .type = Type::Text, .help = "next_cursor of the page before.", .bounds = kCursor},
    {.name = "limit", .type = Type::Integer, .help = "Pushes per page, by default 100.", .bounds = kLimit},
};
constexpr ObjectType kPushListRequest = {"PushListRequest", kPushList};
constexpr Field kPushListAnswer[] = {
    {.name = "items", .type = Type::ObjectList, .help = "Newest first.", .required = true, .object = &kStatusResult},
    {.name = "next_cursor", .type = Type::Text, .help = "Absent on the last page."},
};
constexpr ObjectType kPushListResult = {"PushListResult", kPushListAnswer};

constexpr ObjectType kSteerRequest = {"PushSteerRequest", kUid};

constexpr Field kRecipientCount[] = {
    {.name = "recipient",
     .type = Type::Object,
     .help = "As send_push_notification takes it; topics and conditions that a provider keeps cannot be counted.",
     .required = true,
     .object = &kRecipientType},
};
constexpr ObjectType kRecipientCountRequest = {"RecipientCountRequest", kRecipientCount};
constexpr Field kCountPart[] = {
    {.name = "provider", .type = Type::Text, .help = "Wire name of the provider.", .required = true},
    {.name = "platform", .type = Type::Text, .help = "Platform; \"\" where none is known.", .required = true},
    {.name = "devices", .type = Type::Integer, .help = "Devices, or raw tokens.", .required = true},
};
constexpr ObjectType kCountPartType = {"RecipientCountPart", kCountPart};
constexpr Field kCountAnswer[] = {
    {.name = "devices", .type = Type::Integer, .help = "All devices, or raw tokens.", .required = true},
    {.name = "parts",
     .type = Type::ObjectList,
     .help = "By provider and platform, at most 256.",
     .required = true,
     .object = &kCountPartType},
    {.name = "complete",
     .type = Type::Boolean,
     .help = "false: not counted to the end within 10 s; there are at least so many.",
     .required = true},
    {.name = "refused", .type = Type::Integer, .help = "Raw tokens that the provider would not take."},
};
constexpr ObjectType kRecipientCountResult = {"RecipientCountResult", kCountAnswer};

constexpr Field kBatch[] = {
    {.name = "commands",
     .type = Type::JsonList,
     .help = "Objects with one member each: method name and its parameters. Streams, batches and apns_channel_* are "
             "called by themselves.",
     .bounds = {0, kBatchCommandsMax, 0, 0}},
    {.name = "parallel", .type = Type::Boolean, .help = "Commands may run at the same time; replies keep the order."},
};
constexpr ObjectType kBatchRequest = {"BatchRequest", kBatch};
constexpr Field kBatchAnswer[] = {
    {.name = "replies",
     .type = Type::JsonList,
     .help = "Per command an object with the method's result, or with `error`.",
     .required = true},
};
constexpr ObjectType kBatchResult = {"BatchResult", kBatchAnswer};

}  // namespace belfry::api::tables
