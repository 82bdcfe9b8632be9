// SPDX-License-Identifier: Apache-2.0
// A push as it lies in the queue: everything a page needs besides device keys and tokens. Immutable once stored.
//
// Format: one version byte, then the fields in the order of the struct, little endian. Version 1 ends before `send_at`,
// and is still what a push without one is written as; version 3 is 2 with `users_when_due`. A newer version is refused,
// never guessed. Threads: [any].
#pragma once

#include <belfry/provider.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "delivery/delivery.h"

namespace belfry::delivery {

enum class Audience : uint8_t {
    All = 1,     // slice over the app's devices
    Topics = 2,  // slice over the devices of one or several topics
    Keys = 3,    // lists of device keys
    Tokens = 4,  // lists of picks into token blobs
    Topic = 5,   // a provider's own topic: a list with one pick
    Condition = 6,
    Channel = 7
};

// belfry_content_kind.
constexpr int32_t content_kind(Audience audience) noexcept {
    switch (audience) {
        case Audience::Topic:
            return BELFRY_CONTENT_TOPIC;
        case Audience::Condition:
            return BELFRY_CONTENT_CONDITION;
        case Audience::Channel:
            return BELFRY_CONTENT_CHANNEL;
        default:
            return BELFRY_CONTENT_TOKENS;
    }
}

struct PushBody {
    Audience audience = Audience::All;
    DryRun dry_run = DryRun::No;
    bool lane_by_shape = false;  // may move to `low` once many devices have matched
    // What a device row must match besides being in the slice or list; empty = does not restrict. Topics of a Topics
    // audience are not repeated here.
    std::vector<std::string> users, topics, providers, platforms;
    std::string provider;                                       // of Tokens, Topic, Condition and Channel
    std::vector<std::pair<std::string, std::string>> payloads;  // provider instance -> its JSON
    int64_t send_at_unix_ms = 0;  // what a time to live counts from; 0 = from its creation
    // Its lists came with places in `users` (place_of_user) instead of keys: whose devices these are is looked up when
    // the push is due. Only with a send_at.
    bool users_when_due = false;

    const std::string* payload_of(std::string_view instance) const {
        for (const auto& [name, payload] : payloads) {
            if (name == instance) return &payload;
        }
        return nullptr;
    }
};

// How a list names users[at] where device keys, which are never negative, stand else.
constexpr int64_t place_of_user(size_t at) noexcept {
    return -1 - static_cast<int64_t>(at);
}
constexpr size_t user_at(int64_t place) noexcept {
    return static_cast<size_t>(-1 - place);
}

std::string encode_body(const PushBody& body);
// Corrupt: not a body, or one of a newer version.
Result<PushBody> decode_body(std::string_view bytes);

}  // namespace belfry::delivery
