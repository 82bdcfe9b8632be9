// SPDX-License-Identifier: Apache-2.0
// The methods of the API, by name.
#include "api/schema.h"

#include <algorithm>

#include "api/tables.h"

namespace belfry::api {
namespace {

using namespace tables;

constexpr Method published(std::string_view name, MethodId id, std::string_view help, const ObjectType& request,
                           const ObjectType& answer) {
    return {name, id, help, &request, &answer, false};
}
constexpr Method ours(std::string_view name, MethodId id, std::string_view help, const ObjectType& request,
                      const ObjectType& answer) {
    return {name, id, help, &request, &answer, true};
}
constexpr Method asking(std::string_view name, MethodId id, std::string_view help, const ObjectType& request,
                        const ObjectType& answer) {
    return {name, id, help, &request, &answer, true, Streams::Nothing, true};
}
constexpr Method later(std::string_view name, bool superset = false) {
    return {name,    MethodId::NotBuilt, "Known, not available in this version: answers error 108.", nullptr, nullptr,
            superset};
}

// In the order of the documentation, whose examples build on each other.
constexpr Method kMethods[] = {
    published("device_register", MethodId::DeviceRegister, "Registers a device: replaces its whole state.",
              kDeviceRegisterRequest, kDeviceRegisterResult),
    published("device_update", MethodId::DeviceUpdate,
              "Changes fields of devices chosen by id or user. Ids of devices that are gone are passed over; error 104 "
              "if none is "
              "left.",
              kDeviceUpdateRequest, kEmptyResult),
    published("device_remove", MethodId::DeviceRemove, "Removes devices by id or user.", kDeviceRemoveRequest,
              kEmptyResult),
    published("device_list", MethodId::DeviceList, "Lists devices in pages.", kDeviceListRequest, kDeviceListResult),
    published("device_topic_update", MethodId::DeviceTopicUpdate, "Changes the own topics of one device.",
              kDeviceTopicUpdateRequest, kEmptyResult),
    published("device_topic_list", MethodId::DeviceTopicList, "Lists which devices have which topics, in pages.",
              kDeviceTopicListRequest, kDeviceTopicListResult),
    published("user_topic_update", MethodId::UserTopicUpdate,
              "Changes the topics bound to a user, on the user's devices too.", kUserTopicUpdateRequest, kEmptyResult),
    published("user_topic_list", MethodId::UserTopicList, "Lists which topics are bound to which users, in pages.",
              kUserTopicListRequest, kUserTopicListResult),
    {"device_import", MethodId::DeviceImport,
     "Registers a device per line; a line `{\"user_topic_update\": {...}}` changes a user's topics, as that method "
     "does. A "
     "line that is refused is reported, the others are registered.",
     &kDeviceRegisterRequest, &kDeviceImportResult, true, Streams::Request},
    {"device_export", MethodId::DeviceExport, "Devices as lines that device_import takes.", &kDeviceExportRequest,
     &kDeviceLine, true, Streams::Answer},
    ours("recipient_count", MethodId::RecipientCount, "How many devices a push to this recipient would reach now.",
         kRecipientCountRequest, kRecipientCountResult),
    published("send_push_notification", MethodId::SendPushNotification, "Queues a push durably and answers its uid.",
              kSendRequest, kSendResult),
    ours("push_status", MethodId::PushStatus, "How far a push is.", kStatusRequest, kStatusResult),
    ours("push_list", MethodId::PushList, "Lists pushes in pages.", kPushListRequest, kPushListResult),
    ours("push_pause", MethodId::PushPause, "Holds back what is not yet handed to a provider, until push_resume.",
         kSteerRequest, kEmptyResult),
    ours("push_resume", MethodId::PushResume, "Goes on with a paused push.", kSteerRequest, kEmptyResult),
    published("cancel_push", MethodId::CancelPush, "Stops what is not yet handed to a provider.", kCancelRequest,
              kEmptyResult),
    later("update_push_status"),
    published("batch", MethodId::Batch, "Several commands in one request.", kBatchRequest, kBatchResult),
    asking("apns_channel_create", MethodId::ApnsChannelCreate,
           "Makes a broadcast channel at Apple, in the environment of the provider instance; Apple chooses its id.",
           kChannelCreateRequest, kChannelCreateResult),
    asking("apns_channel_list", MethodId::ApnsChannelList, "Lists all broadcast channels of an app at Apple.",
           kChannelListRequest, kChannelListResult),
    asking("apns_channel_get", MethodId::ApnsChannelGet, "Reads a broadcast channel; error 104 if there is none.",
           kChannelRequest, kChannelResult),
    asking("apns_channel_delete", MethodId::ApnsChannelDelete,
           "Deletes a broadcast channel; pushes to it are refused from then on. Error 104 if there is none.",
           kChannelRequest, kEmptyResult),
    later("explain", true),
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
    if (wire_name == "fcm") return &tables::kFcm;
    if (wire_name == "hms") return &tables::kHms;
    if (wire_name == "apns") return &tables::kApns;
    if (wire_name == "webpush") return &tables::kWebPush;
    return nullptr;
}

}  // namespace belfry::api
