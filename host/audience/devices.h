// SPDX-License-Identifier: Apache-2.0
// Devices and user topics as the API sees them. Behind it: token checks, hashes, name slots, the storage.
//
// Threads: every method is [any] and may block for one storage commit.
// Not here: the wire format, device ids (api/), who is meant by a push (delivery/).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace belfry::audience {

// A whole device state; what is empty is reset.
struct Registration {
    std::string app;
    int64_t key = -1;       // the device to replace; -1: by identity, else a new one
    std::string wire_name;  // what the app calls the provider: numbers the slot of a new key
    std::string provider;   // instance name
    std::string token, platform, user, timezone, locale;
    std::string meta;                 // JSON object text; empty = none
    std::vector<std::string> topics;  // origin device, without duplicates
};
struct Registered {
    int64_t key = -1;
    bool created = false;
};

// Lists are OR inside, AND between; empty = does not restrict.
struct Selection {
    std::vector<int64_t> keys;
    std::vector<std::string> users, topics, providers, platforms;  // providers: instance names
    std::string topic_prefix;                                      // of the topic lists
};
struct Paging {
    std::string cursor;
    uint32_t limit = 100;
    bool want_total = false, want_meta = false, want_topics = false;
    bool want_devices = false;  // of list_device_topics: the device's fields beside its key
};
struct DeviceRow {
    int64_t key = -1;
    std::string provider, token, data, user, platform, timezone, locale, meta;
    std::vector<std::string> topics;
    int64_t created_unix_ms = 0, updated_unix_ms = 0;
};
struct DevicePage {
    std::vector<DeviceRow> rows;
    std::string next_cursor;  // empty: no more
    int64_t total = -1;       // -1: was not wanted
};

// One (device, topic) or (user, topic) pair.
struct TopicRow {
    int64_t key = -1;  // of list_device_topics
    std::string user;  // of list_user_topics
    std::string topic;
    uint32_t origins = 0;  // BELFRY_ORIGIN_*
    DeviceRow device;      // with want_devices
};
struct TopicPage {
    std::vector<TopicRow> rows;
    std::string next_cursor;  // empty: no more
    int64_t total = -1;       // -1: was not wanted
};

enum class TopicOp : uint8_t { Add = 1, Remove = 2, Set = 3 };

// A change of the topics bound to a user; the user "" binds to everybody at their next registration.
struct UserTopics {
    std::string user;
    TopicOp op = TopicOp::Set;
    std::vector<std::string> topics;
};

// What to change on devices; what is not given stays.
struct Change {
    std::optional<std::string> user, meta, timezone, locale;
    bool sync_topics = false;  // with user: also switch the subscriptions of origin user
    std::optional<TopicOp> topic_op;
    std::vector<std::string> topics;        // origin device
    std::optional<std::string> guard_user;  // change nothing on devices of other users
};
struct Changed {
    enum class Verdict : uint8_t {
        Done,
        Missing,       // there is no such device
        Guarded,       // its user is not guard_user
        TooManyTopics  // it would have more topics than a device may have
    };
    std::vector<Verdict> keys;  // per key, in their order
    uint64_t devices = 0;       // that were changed, those of the users included
    // Why a device of the users stayed as it was, while their others were changed; else Done.
    Verdict of_users = Verdict::Done;
};

class Devices {
public:
    virtual ~Devices() = default;
    // One answer per registration, durable when it returns. They are stored in any order: no two of one call may have
    // the same key or token. InvalidArgument (where = "token"): the provider refuses the token. Conflict: lost a race
    // that a retry may win. Busy: too many wait.
    virtual std::vector<Result<Registered>> register_devices(std::span<const Registration>) = 0;
    Result<Registered> register_device(const Registration& one) {
        return std::move(register_devices({&one, 1}).front());
    }
    // The same for one, without waiting: `done` is called once, by the caller's thread for what is refused at once,
    // else by one that must not be kept. Busy comes at once, too.
    using RegisterDone = std::function<void(Result<Registered>&&)>;
    virtual void register_then(Registration&& one, RegisterDone done) = 0;
    virtual Result<DevicePage> list(std::string_view app, const Selection&, const Paging&) = 0;
    // Removes the devices with these keys and those of these users; absent ones are no error. The number that was
    // removed.
    virtual Result<uint64_t> remove(std::string_view app, const std::vector<int64_t>& keys,
                                    const std::vector<std::string>& users) = 0;
    // Devices with one of the keys and, if users are given too, of one of the users; without keys those of the users.
    // Each device is changed whole or not at all.
    virtual Result<Changed> update(std::string_view app, const std::vector<int64_t>& keys,
                                   const std::vector<std::string>& users, const Change&) = 0;
    // Ordered by (key, topic).
    virtual Result<TopicPage> list_device_topics(std::string_view app, const Selection&, const Paging&) = 0;
    // Ordered by (user, topic); of the selection only users, topics and topic_prefix count.
    virtual Result<TopicPage> list_user_topics(std::string_view app, const Selection&, const Paging&) = 0;
    // In their order, all in one commit where the storage can.
    virtual Status update_user_topics(std::string_view app, std::span<const UserTopics> changes) = 0;
};

}  // namespace belfry::audience
