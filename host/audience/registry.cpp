// SPDX-License-Identifier: Apache-2.0
#include "audience/registry.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "audience/hashes.h"
#include "audience/rows.h"
#include "base/named_thread.h"
#include "base/one_shot.h"

namespace belfry::audience {

// One device's registration, the caller's until `done` is called.
struct Registry::Waiting {
    Waiting(const Registration& from, const plugins::CheckedToken& token, uint8_t slot, RegisterDone tell)
        : app(from.app), topics(views(from.topics)), done(std::move(tell)) {
        row.prefix = key_prefix(slot, from.app, from.provider, token.token);
        row.key = from.key;
        const Hash16 identity = identity_hash(from.provider, token.identity);
        const Hash16 exact = token_hash(token.token);
        std::copy(identity.begin(), identity.end(), row.identity_hash);
        std::copy(exact.begin(), exact.end(), row.token_hash);
        row.provider = str(std::string_view(from.provider));
        row.token = str(std::string_view(token.token));
        row.data = str(std::string_view(token.data));
        row.user = str(std::string_view(from.user));
        row.platform = str(std::string_view(from.platform));
        row.timezone = str(std::string_view(from.timezone));
        row.locale = str(std::string_view(from.locale));
        row.meta = str(std::string_view(from.meta));
        row.topics = list_of(topics);
        row.variant = token.variant;
        if (token.variant_guessed) row.flags = BELFRY_REGISTRATION_VARIANT_GUESSED;
    }
    // Where in the key space the device is or will be.
    int64_t place() const noexcept {
        return row.key >= 0 ? row.key >> BELFRY_KEY_SEQUENCE_BITS : static_cast<int64_t>(row.prefix);
    }
    std::string_view app;
    std::vector<belfry_str> topics;
    belfry_registration row = sized<belfry_registration>();
    int races = 0;
    RegisterDone done;
};

// One that nobody waits for: it owns what it refers to, and goes when it is told.
struct Registry::Owned {
    Registration from;
    plugins::CheckedToken token;
    RegisterDone done;
    std::optional<Waiting> waiting;
};

namespace {

// A caller that waits for many, and where their answers go.
struct Joint {
    std::vector<Result<Registered>> answers;
    std::atomic<size_t> left{0};
    OneShot all_told;
};

}  // namespace

Registry::Registry(plugins::Storage& storage, TokenCheck& tokens, Log& log, Metrics& metrics)
    : storage_(storage),
      tokens_(tokens),
      log_(log, "audience"),
      registered_(metrics.counter("devices_registered_total", "Registrations stored")),
      groups_(metrics.counter("device_register_groups_total", "Storage commits that registered devices")),
      removed_(metrics.counter("devices_removed_total", "Devices removed", {{"cause", "api"}})) {
    const size_t threads = storage.offers(BELFRY_STORAGE_MULTI_NODE) ? kGroupsOverNetwork : 1;
    for (size_t i = 0; i < threads; ++i)
        batchers_.push_back(named_thread("registrations", [this] { commit_groups(); }));
}

Registry::~Registry() {
    stop();
}

void Registry::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    arrived_.notify_all();
    room_.notify_all();
    for (std::thread& batcher : batchers_) {
        if (batcher.joinable()) batcher.join();
    }
}

size_t Registry::waiting() const {
    const std::lock_guard lock(mutex_);
    return few_.size() + many_.size();
}

// Slots only cluster, a row's provider decides: once all numbers are given away, further names share the last one.
Result<uint8_t> Registry::slot_of(const std::string& wire_name) {
    NameNumbers* slots = nullptr;
    {
        const std::lock_guard lock(slots_mutex_);
        if (!slots_) {
            Result<std::unique_ptr<NameNumbers>> opened = NameNumbers::open(storage_, kSlotNumbers, kSlotsMax);
            if (!opened) return opened.error();
            slots_ = std::move(*opened);
        }
        slots = slots_.get();
    }
    const Result<uint32_t> slot = slots->number(wire_name);
    if (slot) return static_cast<uint8_t>(*slot);
    if (slot.error().code == ErrorCode::TooLarge) return static_cast<uint8_t>(kSlotsMax);
    return slot.error();
}

std::vector<Result<Registered>> Registry::register_devices(std::span<const Registration> all) {
    Joint joint;
    joint.answers.resize(all.size(), Registered{});
    std::vector<plugins::CheckedToken> tokens(all.size());
    std::deque<Waiting> waiting;
    for (size_t i = 0; i < all.size(); ++i) {
        Result<plugins::CheckedToken> token = checked(all[i]);
        const Result<uint8_t> slot = token ? slot_of(all[i].wire_name) : Result<uint8_t>(token.error());
        if (!slot) {
            joint.answers[i] = slot.error();
            continue;
        }
        tokens[i] = std::move(*token);
        Result<Registered>* const place = &joint.answers[i];
        waiting.emplace_back(all[i], tokens[i], *slot, [place, joint = &joint](Result<Registered>&& answer) {
            *place = std::move(answer);
            if (joint->left.fetch_sub(1, std::memory_order_acq_rel) == 1) joint->all_told.set();
        });
    }
    std::vector<Waiting*> members;
    members.reserve(waiting.size());
    for (Waiting& member : waiting) members.push_back(&member);
    joint.left = members.size();
    if (const Status queued = enqueue(members, kRegistrationRoomWait); !queued) {
        for (Waiting* member : members) finish(*member, queued.error());
    }
    if (!members.empty()) joint.all_told.wait();
    return std::move(joint.answers);
}

void Registry::register_then(Registration&& one, RegisterDone done) {
    auto owned = std::make_unique<Owned>(Owned{std::move(one), {}, std::move(done), {}});
    Result<plugins::CheckedToken> token = checked(owned->from);
    const Result<uint8_t> slot = token ? slot_of(owned->from.wire_name) : Result<uint8_t>(token.error());
    if (!slot) return owned->done(slot.error());
    owned->token = std::move(*token);
    Owned* const told = owned.release();
    Waiting& waiting = told->waiting.emplace(told->from, told->token, *slot, [told](Result<Registered>&& answer) {
        std::unique_ptr<Owned>(told)->done(std::move(answer));
    });
    Waiting* const member = &waiting;
    if (const Status queued = enqueue({&member, 1}, {}); !queued) finish(waiting, queued.error());
}

Result<plugins::CheckedToken> Registry::checked(const Registration& one) {
    Result<plugins::CheckedToken> token = tokens_.check(one.provider, one.platform, one.token);
    if (!token && token.error().code == ErrorCode::InvalidArgument) token.error().where = "token";
    return token;
}

// All or none, so that a caller is never told Busy for half of its devices.
Status Registry::enqueue(std::span<Waiting* const> members, std::chrono::seconds patience) {
    if (members.empty()) return {};
    std::vector<Waiting*>& line = members.size() <= kFewDevices ? few_ : many_;
    {
        std::unique_lock lock(mutex_);
        const bool room = room_.wait_for(lock, patience, [&] {
            return stopping_ || line.empty() || line.size() + members.size() <= kRegistrationsWaitingMax;
        });
        if (stopping_) {
            return error(ErrorCode::Unavailable, "the server is stopping; try another node");
        }
        if (!room) {
            Error why = error(ErrorCode::Busy, "too many registrations are waiting for the storage");
            why.retry_after_ms = 1000;
            return why;
        }
        line.insert(line.end(), members.begin(), members.end());
    }
    arrived_.notify_one();
    return {};
}

// Called under the lock. A short group of few keeps the many waiting for a commit; within a long one the few would wait
// for all of it.
std::vector<Registry::Waiting*> Registry::next_group() {
    const bool few = !few_.empty() && (many_.empty() || passed_over_ < kPassedOverMax);
    passed_over_ = few && !many_.empty() ? passed_over_ + 1 : 0;
    std::vector<Waiting*>& line = few ? few_ : many_;
    const auto end = line.begin() + static_cast<std::ptrdiff_t>(std::min(line.size(), kRegistrationGroupMax));
    std::vector<Waiting*> group(line.begin(), end);
    line.erase(line.begin(), end);
    return group;
}

void Registry::commit_groups() {
    while (true) {
        std::vector<Waiting*> group;
        {
            std::unique_lock lock(mutex_);
            arrived_.wait(lock, [this] { return stopping_ || !few_.empty() || !many_.empty(); });
            if (few_.empty() && many_.empty()) return;
            group = next_group();
        }
        room_.notify_all();
        commit(group);
    }
}

// One storage call per app; what lost a race goes again at once, the others do not wait for it.
void Registry::commit(std::vector<Waiting*>& group) {
    // In key order storages touch neighbouring pages; inside a group no order was promised.
    std::stable_sort(group.begin(), group.end(), [](const Waiting* a, const Waiting* b) {
        return a->app != b->app ? a->app < b->app : a->place() < b->place();
    });
    for (size_t at = 0; at < group.size();) {
        size_t end = at;
        while (end < group.size() && group[end]->app == group[at]->app) ++end;
        std::vector<Waiting*> members(group.begin() + static_cast<std::ptrdiff_t>(at),
                                      group.begin() + static_cast<std::ptrdiff_t>(end));
        const std::string app(group[at]->app);
        at = end;
        while (!members.empty()) commit_app(app, members);
    }
}

void Registry::commit_app(std::string_view app, std::vector<Waiting*>& members) {
    std::vector<belfry_registration> rows;
    rows.reserve(members.size());
    for (const Waiting* member : members) rows.push_back(member->row);
    std::vector<Waiting*> again;
    std::vector<std::pair<Waiting*, Result<Registered>>> answers;
    answers.reserve(members.size());
    const Status done = storage_.register_devices(app, rows, [&](const belfry_registered& row) {
        Waiting* const member = members[row.index];
        if (row.code == BELFRY_OK) {
            answers.emplace_back(member, Registered{row.key, (row.flags & BELFRY_REGISTERED_CREATED) != 0});
        } else if (BELFRY_CODE_CLASS(row.code) == BELFRY_CONFLICT && member->races < kRegistrationRaces) {
            ++member->races;
            again.push_back(member);
        } else {
            answers.emplace_back(member, refused(row.code));
        }
    });
    groups_.add();
    if (!done) {
        log_.warning("registering devices failed",
                     {{"app", app}, {"n", members.size()}, {"why", done.error().to_string()}});
        for (Waiting* member : members) finish(*member, done.error());
        members.clear();
        return;
    }
    // Nobody is woken before the call has returned: only then are the rows durable.
    for (auto& [member, answer] : answers) {
        if (answer) registered_.add();
        finish(*member, std::move(answer));
    }
    members = std::move(again);
}

void Registry::finish(Waiting& waiting, Result<Registered> answer) {
    const RegisterDone done = std::move(waiting.done);
    done(std::move(answer));  // from here on `waiting` may be gone
}

}  // namespace belfry::audience
