// SPDX-License-Identifier: Apache-2.0
// The users of a push that was sent ahead of time become the devices they have now that it is due. The page sends
// nothing: what it finds leaves in its checkpoint as lists, each behind its provider's gate and claimable at once.
#include <belfry/abi.hpp>

#include "audience/user_devices.h"
#include "delivery/page.h"

namespace belfry::delivery {

namespace {

// Less than a stop waits. A list is short (kUsersPerList), so that slow stores get through it, too.
constexpr int64_t kUsersDeadlineNs = 8 * kNsPerSecond;

// The users selected the devices already.
audience::RowFilter filter_of(const PushBody& body) noexcept {
    static const std::vector<std::string> kNone;
    return {kNone, body.topics, body.providers, body.platforms};
}

}  // namespace

Page::Read Page::read_users() {
    end_ = true;
    Section& section = sections_[0];
    if (section.stopped == BELFRY_FINAL_INTERNAL) end_without_sending();
    if (section.stopped != 0) return Read::Done;  // the devices it would still have found were never planned
    const uint32_t fields = BELFRY_FIELD_PROVIDER | filter_of(section.push->body).fields();
    const int64_t deadline = world_.clock.mono_ns() + kUsersDeadlineNs;
    const Status read =
        audience::devices_of_users(world_.storage, world_.clock.local(), *section.app, users_of_item(), fields,
                                   deadline, [&](const belfry_device& row) { take_user_device(row); });
    if (read) return Read::Done;
    if (read.error().code != ErrorCode::InvalidArgument) {
        world_.host.storage_trouble(read.error());
        return Read::Failed;
    }
    // They got so many devices since the push was accepted. Those that were read get it; the others show in its status.
    const uint16_t group = group_for(0, {});
    ledger().count(group, BELFRY_FINAL_REFUSED);
    add_sample(group, BELFRY_FINAL_REFUSED, -1, 0, read.error().message);
    ++section.planned;
    return Read::Done;
}

std::vector<std::string> Page::users_of_item() const {
    const std::vector<std::string>& all = sections_[0].push->body.users;
    std::vector<std::string> users;
    for (const int64_t place : item_.keys) {
        if (place < 0 && user_at(place) < all.size()) users.push_back(all[user_at(place)]);
    }
    return users;
}

void Page::take_user_device(const belfry_device& row) {
    Section& section = sections_[0];
    if (!filter_of(section.push->body).matches(row)) return;
    const uint16_t number = group_for(0, view(row.provider));
    Group& group = groups_[number];
    ++section.planned;
    if (group.way == Way::Final) {
        settle_row(group, number, row.key);
    } else {
        owe(number, 0, section.attempt, 0, row.key);
    }
}

}  // namespace belfry::delivery
