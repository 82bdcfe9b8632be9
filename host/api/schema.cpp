// SPDX-License-Identifier: Apache-2.0
// The tables themselves. Names, nesting and types are those of the published API
// (centrifugal.centrifugo.api.CentrifugoApi); fields marked `superset` are ours.
#include "api/schema.h"

#include <algorithm>

namespace belfry::api {
namespace {

constexpr Bounds kWord = {0, kWordBytesMax, 0, 0};
constexpr Bounds kRequiredWord = {1, kWordBytesMax, 0, 0};
constexpr Bounds kWords = {0, 100, 1, kWordBytesMax};
constexpr Bounds kNames = {0, kTokensMax, 1, kNameBytesMax};
constexpr Bounds kTopics = {0, kTopicsMax, 1, kNameBytesMax};
constexpr Bounds kTokens = {1, kTokensMax, 1, kTokenBytesMax};
constexpr Bounds kTime = {0, kUnixSecondsMax, 0, 0};
constexpr Bounds kLimit = {0, kListLimitMax, 0, 0};
constexpr Bounds kCursor = {0, 255, 0, 0};

// ---- devices ----

constexpr Field kDeviceRegister[] = {
    {.name = "id", .type = Type::Text, .help = "Id of the device to replace.", .bounds = kWord},
    {.name = "provider",
     .type = Type::Text,
     .help = "Wire name of the provider.",
     .bounds = kRequiredWord,
     .required = true},
    {.name = "token",
     .type = Type::Text,
     .help = "Token of the provider; for webpush the PushSubscription as a JSON text.",
     .bounds = {1, kTokenBytesMax, 0, 0},
     .required = true},
    {.name = "platform", .type = Type::Text, .help = "For example android, ios or web.", .bounds = kWord},
    {.name = "user", .type = Type::Text, .help = "Who owns the device.", .bounds = {0, kNameBytesMax, 0, 0}},
    {.name = "meta",
     .type = Type::TextMap,
     .help = "Free texts, 16 KiB in all.",
     .bounds = {0, kMetaKeysMax, 1, kMetaBytesMax}},
    {.name = "topics",
     .type = Type::TextList,
     .help = "Topics of the device itself; those of its user are added.",
     .bounds = kTopics},
    {.name = "timezone", .type = Type::Text, .help = "IANA name, for example Europe/Berlin.", .bounds = kWord},
    {.name = "locale", .type = Type::Text, .help = "BCP 47 tag, for example pt-BR.", .bounds = kWord},
};
constexpr ObjectType kDeviceRegisterRequest = {"DeviceRegisterRequest", kDeviceRegister};

constexpr Field kIdResult[] = {{.name = "id", .type = Type::Text, .help = "Id of the device.", .required = true}};
constexpr ObjectType kDeviceRegisterResult = {"DeviceRegisterResult", kIdResult};
constexpr ObjectType kEmptyResult = {"EmptyResult", {}};

constexpr Field kDeviceRemove[] = {
    {.name = "ids", .type = Type::TextList, .help = "Ids of devices.", .bounds = {0, kTokensMax, 1, kWordBytesMax}},
    {.name = "users", .type = Type::TextList, .help = "All devices of these users.", .bounds = kNames},
};
constexpr ObjectType kDeviceRemoveRequest = {"DeviceRemoveRequest", kDeviceRemove, Others::Refuse};

constexpr Field kDeviceFilter[] = {
    {.name = "ids", .type = Type::TextList, .help = "Device ids.", .bounds = {0, kTokensMax, 1, kWordBytesMax}},
    {.name = "users", .type = Type::TextList, .help = "Users.", .bounds = kNames},
    {.name = "topics", .type = Type::TextList, .help = "Topics.", .bounds = kTopics},
    {.name = "providers", .type = Type::TextList, .help = "Wire names of providers.", .bounds = kWords},
    {.name = "platforms", .type = Type::TextList, .help = "Platforms.", .bounds = kWords},
};
constexpr ObjectType kDeviceFilterType = {"DeviceFilter", kDeviceFilter, Others::Refuse};

constexpr Field kDeviceList[] = {
    {.name = "filter",
     .type = Type::Object,
     .help = "Lists are OR inside, AND between; without any all devices match.",
     .object = &kDeviceFilterType},
    {.name = "include_total_count", .type = Type::Boolean, .help = "Also count all matches."},
    {.name = "include_meta", .type = Type::Boolean, .help = "Also return meta."},
    {.name = "include_topics", .type = Type::Boolean, .help = "Also return topics."},
    {.name = "include_webpush_keys", .type = Type::Boolean, .help = "Also return the keys of webpush devices."},
    {.name = "cursor", .type = Type::Text, .help = "next_cursor of the page before.", .bounds = kCursor},
    {.name = "limit", .type = Type::Integer, .help = "Devices per page, by default 100.", .bounds = kLimit},
};
constexpr ObjectType kDeviceListRequest = {"DeviceListRequest", kDeviceList};

constexpr Field kDevice[] = {
    {.name = "id", .type = Type::Text, .help = "Id.", .required = true},
    {.name = "platform", .type = Type::Text, .help = "Platform."},
    {.name = "provider", .type = Type::Text, .help = "Wire name of the provider."},
    {.name = "token", .type = Type::Text, .help = "Token; of webpush the endpoint."},
    {.name = "user", .type = Type::Text, .help = "Owner."},
    {.name = "created_at", .type = Type::Integer, .help = "Unix seconds."},
    {.name = "updated_at", .type = Type::Integer, .help = "Unix seconds."},
    {.name = "meta", .type = Type::TextMap, .help = "Only with include_meta."},
    {.name = "topics", .type = Type::TextList, .help = "Only with include_topics."},
    {.name = "timezone", .type = Type::Text, .help = "IANA name."},
    {.name = "locale", .type = Type::Text, .help = "BCP 47 tag."},
    {.name = "webpush_keys",
     .type = Type::Text,
     .help = "JSON text with p256dh and auth; only with include_webpush_keys."},
};
constexpr ObjectType kDeviceType = {"Device", kDevice};
constexpr Field kDeviceListAnswer[] = {
    {.name = "items",
     .type = Type::ObjectList,
     .help = "Devices in key order.",
     .required = true,
     .object = &kDeviceType},
    {.name = "next_cursor", .type = Type::Text, .help = "Absent on the last page."},
    {.name = "total_count", .type = Type::Integer, .help = "Only with include_total_count."},
};
constexpr ObjectType kDeviceListResult = {"DeviceListResult", kDeviceListAnswer};

constexpr Field kUserTopicUpdate[] = {
    {.name = "user",
     .type = Type::Text,
     .help = "The user; \"\" binds to every device at its next registration.",
     .bounds = {0, kNameBytesMax, 0, 0},
     .required = true},
    {.name = "op",
     .type = Type::Text,
     .help = "What to do with the topics.",
     .bounds = kWord,
     .required = true,
     .choices = "add remove set"},
    {.name = "topics", .type = Type::TextList, .help = "Topics.", .bounds = kTopics},
};
constexpr ObjectType kUserTopicUpdateRequest = {"UserTopicUpdateRequest", kUserTopicUpdate};

// ---- pushes ----

constexpr Field kRecipientFilter[] = {
    kDeviceFilter[0],
    kDeviceFilter[1],
    kDeviceFilter[2],
    kDeviceFilter[3],
    kDeviceFilter[4],
    {.name = "all",
     .type = Type::Boolean,
     .help = "Every device is meant; without it an empty filter is refused.",
     .superset = true},
    {.name = "not", .type = Type::JsonObject, .help = "Exclusions.", .not_built = true, .superset = true},
    {.name = "meta", .type = Type::JsonObject, .help = "By meta.", .not_built = true, .superset = true},
    {.name = "locales", .type = Type::TextList, .help = "By locale.", .not_built = true, .superset = true},
    {.name = "expr", .type = Type::JsonObject, .help = "Expression.", .not_built = true, .superset = true},
};
constexpr ObjectType kRecipientFilterType = {"RecipientFilter", kRecipientFilter, Others::Refuse};

constexpr Field kRawTokens[] = {
    {.name = "provider",
     .type = Type::Text,
     .help = "Wire name of the provider.",
     .bounds = kRequiredWord,
     .required = true},
    {.name = "tokens", .type = Type::TextList, .help = "Tokens.", .bounds = kTokens, .required = true},
};
constexpr ObjectType kRawTokensType = {"RawTokens", kRawTokens, Others::Refuse};

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
     .help = "An APNs broadcast channel.",
     .not_built = true,
     .superset = true},
};
constexpr ObjectType kRecipientType = {"Recipient", kRecipient, Others::Refuse};

constexpr Field kMessagePayload[] = {
    {.name = "message",
     .type = Type::JsonObject,
     .help = "The provider's own message, passed on untouched.",
     .required = true},
};
constexpr ObjectType kFcm = {"FcmPushNotification", kMessagePayload, Others::Ignore, true};
constexpr ObjectType kHms = {"HmsPushNotification", kMessagePayload, Others::Ignore, true};
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
     .help = "TTL, Urgency, Topic.",
     .bounds = {0, kMetaKeysMax, 0, kTokenBytesMax}},
    {.name = "payload", .type = Type::Json, .help = "Any JSON; the browser gets it encrypted.", .required = true},
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
    {.name = "send_at", .type = Type::Integer, .help = "Unix seconds; in the past means now.", .bounds = kTime},
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

// ---- batch ----

constexpr Field kBatch[] = {
    {.name = "commands",
     .type = Type::JsonList,
     .help = "Objects with one member each: method name and its parameters.",
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

constexpr Method published(std::string_view name, MethodId id, std::string_view help, const ObjectType& request,
                           const ObjectType& answer) {
    return {name, id, help, &request, &answer, false};
}
constexpr Method ours(std::string_view name, MethodId id, std::string_view help, const ObjectType& request,
                      const ObjectType& answer) {
    return {name, id, help, &request, &answer, true};
}
constexpr Method later(std::string_view name, bool superset = false) {
    return {name,    MethodId::NotBuilt, "Known, not available in this version: answers error 108.", nullptr, nullptr,
            superset};
}

constexpr Method kMethods[] = {
    published("device_register", MethodId::DeviceRegister, "Registers a device: replaces its whole state.",
              kDeviceRegisterRequest, kDeviceRegisterResult),
    later("device_update"),
    published("device_remove", MethodId::DeviceRemove, "Removes devices by id or user.", kDeviceRemoveRequest,
              kEmptyResult),
    published("device_list", MethodId::DeviceList, "Lists devices in pages.", kDeviceListRequest, kDeviceListResult),
    later("device_topic_list"),
    later("device_topic_update"),
    later("user_topic_list"),
    published("user_topic_update", MethodId::UserTopicUpdate,
              "Changes the topics bound to a user, on the user's devices too.", kUserTopicUpdateRequest, kEmptyResult),
    published("send_push_notification", MethodId::SendPushNotification, "Queues a push durably and answers its uid.",
              kSendRequest, kSendResult),
    later("update_push_status"),
    published("cancel_push", MethodId::CancelPush, "Stops what is not yet handed to a provider.", kCancelRequest,
              kEmptyResult),
    published("batch", MethodId::Batch, "Several commands in one request.", kBatchRequest, kBatchResult),
    ours("push_status", MethodId::PushStatus, "How far a push is.", kStatusRequest, kStatusResult),
    ours("push_list", MethodId::PushList, "Lists pushes in pages.", kPushListRequest, kPushListResult),
    later("push_pause", true),
    later("push_resume", true),
    later("recipient_count", true),
    later("device_import", true),
    later("device_export", true),
    later("explain", true),
    later("apns_channel_create", true),
    later("apns_channel_get", true),
    later("apns_channel_delete", true),
    later("apns_channel_list", true),
};

}  // namespace

const Field* ObjectType::find(std::string_view wanted) const noexcept {
    const auto it = std::find_if(fields.begin(), fields.end(), [&](const Field& f) { return f.name == wanted; });
    return it == fields.end() ? nullptr : &*it;
}

std::span<const Method> methods() noexcept {
    return kMethods;
}

const Method* find_method(std::string_view name) noexcept {
    const auto it =
        std::find_if(std::begin(kMethods), std::end(kMethods), [&](const Method& m) { return m.name == name; });
    return it == std::end(kMethods) ? nullptr : it;
}

const ObjectType* published_payload(std::string_view wire_name) noexcept {
    if (wire_name == "fcm") return &kFcm;
    if (wire_name == "hms") return &kHms;
    if (wire_name == "apns") return &kApns;
    if (wire_name == "webpush") return &kWebPush;
    return nullptr;
}

}  // namespace belfry::api
