// SPDX-License-Identifier: Apache-2.0
#include "api/tables.h"

namespace belfry::api::tables {

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
    {.name = "user", .type = Type::Text, .help = "Who owns the device.", .bounds = kName},
    {.name = "meta", .type = Type::TextMap, .help = "Free texts, 16 KiB in all.", .bounds = kMeta},
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
// What methods without a result answer.
constexpr ObjectType kEmptyResult = {"EmptyResult", {}};

constexpr Field kUserUpdate[] = {
    {.name = "user", .type = Type::Text, .help = "The new owner; \"\" = nobody.", .bounds = kName},
    {.name = "sync_topics",
     .type = Type::Boolean,
     .help = "Also give the device the topics bound to the new owner instead of those of the old one.",
     .superset = true},
};
constexpr ObjectType kUserUpdateType = {"DeviceUserUpdate", kUserUpdate};
constexpr Field kMetaUpdate[] = {
    {.name = "meta", .type = Type::TextMap, .help = "Replaces all of meta.", .bounds = kMeta}};
constexpr ObjectType kMetaUpdateType = {"DeviceMetaUpdate", kMetaUpdate};
constexpr Field kTopicsUpdate[] = {
    {.name = "op",
     .type = Type::Text,
     .help = "What to do with the topics.",
     .bounds = kWord,
     .required = true,
     .choices = "add remove set"},
    {.name = "topics", .type = Type::TextList, .help = "Topics of the device itself.", .bounds = kTopics},
};
constexpr ObjectType kTopicsUpdateType = {"DeviceTopicsUpdate", kTopicsUpdate};
constexpr Field kTimezoneUpdate[] = {
    {.name = "timezone", .type = Type::Text, .help = "IANA name; \"\" = none.", .bounds = kWord}};
constexpr ObjectType kTimezoneUpdateType = {"DeviceTimezoneUpdate", kTimezoneUpdate};
constexpr Field kLocaleUpdate[] = {
    {.name = "locale", .type = Type::Text, .help = "BCP 47 tag; \"\" = none.", .bounds = kWord}};
constexpr ObjectType kLocaleUpdateType = {"DeviceLocaleUpdate", kLocaleUpdate};

constexpr Field kDeviceUpdate[] = {
    {.name = "ids", .type = Type::TextList, .help = "Ids of devices.", .bounds = kIds},
    {.name = "users",
     .type = Type::TextList,
     .help = "All devices of these users; with ids, only those of them.",
     .bounds = kNames},
    {.name = "user_update", .type = Type::Object, .help = "Changes the owner.", .object = &kUserUpdateType},
    {.name = "meta_update", .type = Type::Object, .help = "Changes meta.", .object = &kMetaUpdateType},
    {.name = "topics_update",
     .type = Type::Object,
     .help = "Changes the device's own topics.",
     .object = &kTopicsUpdateType},
    {.name = "timezone_update", .type = Type::Object, .help = "Changes the timezone.", .object = &kTimezoneUpdateType},
    {.name = "locale_update", .type = Type::Object, .help = "Changes the locale.", .object = &kLocaleUpdateType},
};
constexpr ObjectType kDeviceUpdateRequest = {"DeviceUpdateRequest", kDeviceUpdate, Others::Refuse};

constexpr Field kDeviceRemove[] = {
    {.name = "ids", .type = Type::TextList, .help = "Ids of devices.", .bounds = kIds},
    {.name = "users", .type = Type::TextList, .help = "All devices of these users.", .bounds = kNames},
};
constexpr ObjectType kDeviceRemoveRequest = {"DeviceRemoveRequest", kDeviceRemove, Others::Refuse};

constexpr Field kDeviceFilter[] = {
    {.name = "ids", .type = Type::TextList, .help = "Device ids.", .bounds = kIds},
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
    {.name = "total_count",
     .type = Type::Integer,
     .help = "Only with include_total_count, and if counting takes under 2 s."},
};
constexpr ObjectType kDeviceListResult = {"DeviceListResult", kDeviceListAnswer};

// ---- topics ----

constexpr Field kCommonPaging[] = {
    {.name = "include_total_count", .type = Type::Boolean, .help = "Also count all matches."},
    {.name = "cursor", .type = Type::Text, .help = "next_cursor of the page before.", .bounds = kCursor},
    {.name = "limit", .type = Type::Integer, .help = "Items per page, by default 100.", .bounds = kLimit},
    {.name = "next_cursor", .type = Type::Text, .help = "Absent on the last page."},
    {.name = "total_count",
     .type = Type::Integer,
     .help = "Only with include_total_count, and if counting takes under 2 s."},
};

constexpr Field kDeviceTopicFilter[] = {
    {.name = "device_ids", .type = Type::TextList, .help = "Device ids.", .bounds = kIds},
    {.name = "device_providers", .type = Type::TextList, .help = "Wire names of providers.", .bounds = kWords},
    {.name = "device_platforms", .type = Type::TextList, .help = "Platforms.", .bounds = kWords},
    {.name = "device_users", .type = Type::TextList, .help = "Users.", .bounds = kNames},
    {.name = "topics", .type = Type::TextList, .help = "Topics.", .bounds = kTopics},
    {.name = "topic_prefix", .type = Type::Text, .help = "How topics begin.", .bounds = kName},
};
constexpr ObjectType kDeviceTopicFilterType = {"DeviceTopicFilter", kDeviceTopicFilter, Others::Refuse};
constexpr Field kDeviceTopicList[] = {
    {.name = "filter",
     .type = Type::Object,
     .help = "Lists are OR inside, AND between; without any all topics of all devices match.",
     .object = &kDeviceTopicFilterType},
    kCommonPaging[0],
    {.name = "include_device", .type = Type::Boolean, .help = "Return the device's fields, not its id only."},
    kCommonPaging[1],
    kCommonPaging[2],
};
constexpr ObjectType kDeviceTopicListRequest = {"DeviceTopicListRequest", kDeviceTopicList};
constexpr Field kDeviceTopic[] = {
    {.name = "id", .type = Type::Text, .help = "Of this pair of device and topic.", .required = true},
    {.name = "topic", .type = Type::Text, .help = "Topic.", .required = true},
    {.name = "device",
     .type = Type::Object,
     .help = "The device; its id only, unless include_device.",
     .required = true,
     .object = &kDeviceType},
};
constexpr ObjectType kDeviceTopicType = {"DeviceTopic", kDeviceTopic};
constexpr Field kDeviceTopicListAnswer[] = {
    {.name = "items",
     .type = Type::ObjectList,
     .help = "By device, then by topic.",
     .required = true,
     .object = &kDeviceTopicType},
    kCommonPaging[3],
    kCommonPaging[4],
};
constexpr ObjectType kDeviceTopicListResult = {"DeviceTopicListResult", kDeviceTopicListAnswer};

constexpr Field kDeviceTopicUpdate[] = {
    {.name = "device_id", .type = Type::Text, .help = "Id of the device.", .bounds = kRequiredWord, .required = true},
    {.name = "op",
     .type = Type::Text,
     .help = "What to do with the topics.",
     .bounds = kWord,
     .required = true,
     .choices = "add remove set"},
    {.name = "topics", .type = Type::TextList, .help = "Topics of the device itself.", .bounds = kTopics},
    {.name = "user",
     .type = Type::Text,
     .help = "A guard: error 113, and nothing changes, unless the device belongs to this user.",
     .bounds = kName},
};
constexpr ObjectType kDeviceTopicUpdateRequest = {"DeviceTopicUpdateRequest", kDeviceTopicUpdate};

constexpr Field kUserTopicFilter[] = {
    {.name = "users",
     .type = Type::TextList,
     .help = "Users; \"\" is the binding of every device.",
     .bounds = {0, kTokensMax, 0, kNameBytesMax}},
    kDeviceTopicFilter[4],
    kDeviceTopicFilter[5],
};
constexpr ObjectType kUserTopicFilterType = {"UserTopicFilter", kUserTopicFilter, Others::Refuse};
constexpr Field kUserTopicList[] = {
    {.name = "filter",
     .type = Type::Object,
     .help = "Lists are OR inside, AND between; without any all topics of all users match.",
     .object = &kUserTopicFilterType},
    kCommonPaging[0],
    kCommonPaging[1],
    kCommonPaging[2],
};
constexpr ObjectType kUserTopicListRequest = {"UserTopicListRequest", kUserTopicList};
constexpr Field kUserTopic[] = {
    {.name = "id", .type = Type::Text, .help = "Of this pair of user and topic.", .required = true},
    {.name = "user", .type = Type::Text, .help = "User; \"\" is the binding of every device.", .required = true},
    {.name = "topic", .type = Type::Text, .help = "Topic.", .required = true},
};
constexpr ObjectType kUserTopicType = {"UserTopic", kUserTopic};
constexpr Field kUserTopicListAnswer[] = {
    {.name = "items",
     .type = Type::ObjectList,
     .help = "By user, then by topic.",
     .required = true,
     .object = &kUserTopicType},
    kCommonPaging[3],
    kCommonPaging[4],
};
constexpr ObjectType kUserTopicListResult = {"UserTopicListResult", kUserTopicListAnswer};

constexpr Field kUserTopicUpdate[] = {
    {.name = "user",
     .type = Type::Text,
     .help = "The user; \"\" binds to every device at its next registration.",
     .bounds = kName,
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

// ---- streams ----

constexpr Field kImportError[] = {
    {.name = "line", .type = Type::Integer, .help = "Number of the line, from 1.", .required = true},
    {.name = "code", .type = Type::Integer, .help = "Error code, as device_register gives it.", .required = true},
    {.name = "message", .type = Type::Text, .help = "What is wrong.", .required = true},
};
constexpr ObjectType kImportErrorType = {"DeviceImportError", kImportError};
constexpr Field kImportAnswer[] = {
    {.name = "lines", .type = Type::Integer, .help = "Lines read, empty ones too.", .required = true},
    {.name = "registered", .type = Type::Integer, .help = "Devices registered.", .required = true},
    {.name = "user_topics", .type = Type::Integer, .help = "Changes of users' topics made."},
    {.name = "failed", .type = Type::Integer, .help = "Lines refused.", .required = true},
    {.name = "errors",
     .type = Type::ObjectList,
     .help = "The first 1000 refusals.",
     .required = true,
     .object = &kImportErrorType},
};
constexpr ObjectType kDeviceImportResult = {"DeviceImportResult", kImportAnswer};

constexpr Field kExport[] = {
    {.name = "filter",
     .type = Type::Object,
     .help = "Lists are OR inside, AND between; without any all devices match.",
     .object = &kDeviceFilterType},
    {.name = "include_user_topics",
     .type = Type::Boolean,
     .help = "Also write lines `{\"user_topic_update\": {...}}` with the topics bound to users: to all users and to "
             "everybody if all devices match, else to the users of the devices."},
};
constexpr ObjectType kDeviceExportRequest = {"DeviceExportRequest", kExport};
constexpr Field kLine[] = {
    {.name = "id", .type = Type::Text, .help = "Id.", .required = true},
    {.name = "provider", .type = Type::Text, .help = "Wire name of the provider.", .required = true},
    {.name = "token",
     .type = Type::Text,
     .help = "Token; for webpush the PushSubscription as a JSON text.",
     .required = true},
    {.name = "platform", .type = Type::Text, .help = "Platform."},
    {.name = "user", .type = Type::Text, .help = "Owner."},
    {.name = "meta", .type = Type::TextMap, .help = "Free texts."},
    {.name = "topics", .type = Type::TextList, .help = "Topics of the device itself, without those of its user."},
    {.name = "timezone", .type = Type::Text, .help = "IANA name."},
    {.name = "locale", .type = Type::Text, .help = "BCP 47 tag."},
};
constexpr ObjectType kDeviceLine = {"DeviceLine", kLine};

constexpr Field kRecipientFilter[] = {
    kDeviceFilter[0],
    {.name = "users",
     .type = Type::TextList,
     .help =
         "Users: all of their devices, 500,000 per request at most; beyond that 107 (send several requests, or to a "
         "topic). With ids, only those of them.",
     .bounds = kNames},
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

}  // namespace belfry::api::tables
