// SPDX-License-Identifier: Apache-2.0
// The object types of the API's table, by subject: device_tables.cpp, push_tables.cpp, channel_tables.cpp.
// schema.cpp makes methods of them.
//
// Names, nesting and types are those of the published API (centrifugal.centrifugo.api.CentrifugoApi); fields marked
// `superset` are ours. Threads: [immutable].
#pragma once

#include "api/schema.h"

namespace belfry::api::tables {

inline constexpr Bounds kWord = {0, kWordBytesMax, 0, 0};
inline constexpr Bounds kRequiredWord = {1, kWordBytesMax, 0, 0};
inline constexpr Bounds kWords = {0, 100, 1, kWordBytesMax};
inline constexpr Bounds kName = {0, kNameBytesMax, 0, 0};
inline constexpr Bounds kNames = {0, kTokensMax, 1, kNameBytesMax};
inline constexpr Bounds kIds = {0, kTokensMax, 1, kWordBytesMax};
inline constexpr Bounds kTopics = {0, kTopicsMax, 1, kNameBytesMax};
inline constexpr Bounds kTokens = {1, kTokensMax, 1, kTokenBytesMax};
inline constexpr Bounds kMeta = {0, kMetaKeysMax, 1, kMetaBytesMax};
inline constexpr Bounds kTime = {0, kUnixSecondsMax, 0, 0};
inline constexpr Bounds kLimit = {0, kListLimitMax, 0, 0};
inline constexpr Bounds kCursor = {0, 255, 0, 0};
inline constexpr Bounds kChannelId = {1, 1024, 0, 0};

extern const ObjectType kEmptyResult;

// ---- devices ----
extern const ObjectType kDeviceRegisterRequest, kDeviceRegisterResult;
extern const ObjectType kDeviceUpdateRequest;
extern const ObjectType kDeviceRemoveRequest;
extern const ObjectType kDeviceListRequest, kDeviceListResult;
extern const ObjectType kDeviceTopicListRequest, kDeviceTopicListResult;
extern const ObjectType kDeviceTopicUpdateRequest;
extern const ObjectType kUserTopicListRequest, kUserTopicListResult;
extern const ObjectType kUserTopicUpdateRequest;
extern const ObjectType kDeviceImportResult, kDeviceExportRequest, kDeviceLine;
extern const ObjectType kRecipientFilterType;

// ---- pushes ----
extern const ObjectType kSendRequest, kSendResult;
extern const ObjectType kCancelRequest, kStatusRequest, kStatusResult, kPushListRequest, kPushListResult;
extern const ObjectType kSteerRequest, kRecipientCountRequest, kRecipientCountResult;
extern const ObjectType kFcm, kHms, kApns, kWebPush;

// ---- broadcast channels ----
extern const ObjectType kChannelCreateRequest, kChannelCreateResult, kChannelRequest, kChannelResult;
extern const ObjectType kChannelListRequest, kChannelListResult;

// ---- batch ----
extern const ObjectType kBatchRequest, kBatchResult;

}  // namespace belfry::api::tables
