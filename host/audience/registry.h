// SPDX-License-Identifier: Apache-2.0
// Devices over a storage plugin. Registrations are committed in groups: a batcher thread takes whatever has arrived
// while the last group was being stored, so that groups grow with load and nobody ever waits for a timer. A storage
// beyond a network has two of them: while one waits for an answer, the other's group is worked on.
//
//     register_devices: check token, hash, slot -> few_ or many_ -> batcher: storage.register_devices(group) -> tell
//     the callers
//
// Threads: methods are [any]; only batchers register. Owner: main. Ends: stop() refuses newcomers,
// stores what waits, then joins; main stops the API first.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "audience/devices.h"
#include "audience/name_numbers.h"
#include "base/log.h"
#include "base/metrics.h"
#include "plugins/provider.h"
#include "plugins/storage.h"

namespace belfry::audience {

inline constexpr size_t kRegistrationsWaitingMax = 8192;  // of callers with few devices, and of those with many
// Callers with so few devices do not wait behind the others' batches: a phone registers while an import runs.
inline constexpr size_t kFewDevices = 64;
// How often they go first while the others wait.
inline constexpr size_t kPassedOverMax = 8;
// How long a caller waits for room before it is told Busy; batches of several clients then take turns.
inline constexpr std::chrono::seconds kRegistrationRoomWait{5};
// Groups are sorted: in long ones more devices share the storage's pages.
inline constexpr size_t kRegistrationGroupMax = 4000;
inline constexpr size_t kGroupsOverNetwork = 2;
// How often a registration is tried again that lost a race inside the storage.
inline constexpr int kRegistrationRaces = 3;

// The providers' own judgement of tokens, by instance. [any]
class TokenCheck {
public:
    virtual ~TokenCheck() = default;
    // InvalidArgument: the provider would refuse this token. Unavailable: the instance is not running.
    virtual Result<plugins::CheckedToken> check(const std::string& instance, std::string_view platform,
                                                std::string_view token) = 0;
};

class Registry final : public Devices {
public:
    Registry(plugins::Storage& storage, TokenCheck& tokens, Log& log, Metrics& metrics);
    ~Registry() override;
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    std::vector<Result<Registered>> register_devices(std::span<const Registration>) override;
    void register_then(Registration&& one, RegisterDone done) override;
    Result<DevicePage> list(std::string_view app, const Selection&, const Paging&) override;
    Result<uint64_t> remove(std::string_view app, const std::vector<int64_t>& keys,
                            const std::vector<std::string>& users) override;
    Result<Changed> update(std::string_view app, const std::vector<int64_t>& keys,
                           const std::vector<std::string>& users, const Change&) override;
    Result<TopicPage> list_device_topics(std::string_view app, const Selection&, const Paging&) override;
    Result<TopicPage> list_user_topics(std::string_view app, const Selection&, const Paging&) override;
    Status update_user_topics(std::string_view app, std::span<const UserTopics> changes) override;
    void stop();
    // Registrations that no group has taken yet.
    size_t waiting() const;

private:
    struct Waiting;
    struct Owned;
    Result<plugins::CheckedToken> checked(const Registration& one);
    Result<uint8_t> slot_of(const std::string& wire_name);
    // Waits at most `patience` for room.
    Status enqueue(std::span<Waiting* const> members, std::chrono::seconds patience);
    void commit_groups();
    std::vector<Waiting*> next_group();
    void commit(std::vector<Waiting*>& group);
    void commit_app(std::string_view app, std::vector<Waiting*>& members);
    void finish(Waiting& waiting, Result<Registered> answer);

    plugins::Storage& storage_;
    TokenCheck& tokens_;
    Logger log_;
    Metric& registered_;
    Metric& groups_;
    Metric& removed_;

    std::mutex slots_mutex_;
    std::unique_ptr<NameNumbers> slots_;  // of wire names; read at the first registration

    mutable std::mutex mutex_;
    std::condition_variable arrived_, room_;
    std::vector<Waiting*> few_, many_;  // owned by their callers until finish()
    size_t passed_over_ = 0;            // groups in a row that were taken before the many
    bool stopping_ = false;
    std::vector<std::thread> batchers_;
};

}  // namespace belfry::audience
