// SPDX-License-Identifier: Apache-2.0
// The table of the API: what a request may contain and an answer does contain. It drives reading, refusals and
// /openapi.json.
//
// Threads: [immutable].
// Not here: what the values mean (push_methods.cpp, device_methods.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace belfry::api {

enum class Type : uint8_t {
    Text,
    Integer,
    Boolean,
    TextList,
    TextMap,     // object of texts
    Object,      // `object` says which
    ObjectList,  // list of `object`
    Json,        // any value, taken as it stands
    JsonObject,  // any object, taken as it stands
    JsonList     // any list, taken as it stands
};

// Bounds of the API; requests beyond them are refused by name.
inline constexpr int64_t kTokenBytesMax = 4096;
inline constexpr int64_t kNameBytesMax = 255;  // topics, users
inline constexpr int64_t kWordBytesMax = 64;   // providers, platforms, timezones, locales, uids
inline constexpr int64_t kTopicsMax = 1000;
inline constexpr int64_t kMetaKeysMax = 64;
inline constexpr int64_t kMetaBytesMax = 16 * 1024;
inline constexpr int64_t kTokensMax = 100'000;
inline constexpr int64_t kListLimitDefault = 100;
inline constexpr int64_t kListLimitMax = 1000;
inline constexpr int64_t kBatchCommandsMax = 10'000;
inline constexpr int64_t kUnixSecondsMax = 253'402'300'799;  // the last second of the year 9999

struct Bounds {
    int64_t min = 0, max = 0;            // bytes of a text, value of an integer, entries of a list or map; max 0 = none
    int64_t item_min = 0, item_max = 0;  // bytes of each text inside; item_max 0 = none
};

struct ObjectType;

struct Field {
    std::string_view name;
    Type type = Type::Text;
    std::string_view help;
    Bounds bounds = {};
    bool required = false;          // must be there and not null
    bool not_built = false;         // known, but any value other than its zero value is answered "not available"
    bool superset = false;          // ours, not of the published API
    std::string_view choices = {};  // of a text, separated by one space
    const ObjectType* object = nullptr;
};

// What happens to members that are not in the table.
enum class Others : uint8_t {
    Ignore,
    Refuse,    // where a typing error could widen who is reached
    Providers  // they are payloads, named by the wire names of the app's providers
};

struct ObjectType {
    std::string_view name;  // as in the OpenAPI components
    std::span<const Field> fields;
    Others others = Others::Ignore;
    bool exact_keys =
        false;  // keys are compared byte by byte; otherwise ASCII case does not matter, as in the published server

    const Field* find(std::string_view name) const noexcept;
};

enum class MethodId : uint8_t {
    Batch,
    DeviceRegister,
    DeviceUpdate,
    DeviceRemove,
    DeviceList,
    DeviceTopicList,
    DeviceTopicUpdate,
    UserTopicList,
    UserTopicUpdate,
    DeviceImport,
    DeviceExport,
    SendPushNotification,
    CancelPush,
    PushStatus,
    PushList,
    PushPause,
    PushResume,
    RecipientCount,
    ApnsChannelCreate,
    ApnsChannelGet,
    ApnsChannelDelete,
    ApnsChannelList,
    NotBuilt
};

// What of a method is NDJSON, one object per line, and never held as a whole.
enum class Streams : uint8_t { Nothing, Request, Answer };

struct Method {
    std::string_view name;
    MethodId id = MethodId::NotBuilt;
    std::string_view help;
    const ObjectType* request = nullptr;
    const ObjectType* answer = nullptr;
    bool superset = false;
    Streams streams = Streams::Nothing;  // then `request` or `answer` is one line
    bool asks_provider = false;          // while the client waits: no batch can hold it

    // Parameters that work and the result they give, for the documentation; tests send them. Empty: not available.
    std::string_view example() const noexcept;
    std::string_view example_answer() const noexcept;
};

std::span<const Method> methods() noexcept;
const Method* find_method(std::string_view name) noexcept;
// Of the published provider names the shape is known; null for others.
const ObjectType* published_payload(std::string_view wire_name) noexcept;

}  // namespace belfry::api
