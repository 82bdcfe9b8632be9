// SPDX-License-Identifier: Apache-2.0
// What APNs remembers: its keys and topics, what each connection has proved, how often devices were pushed to, and
// broadcast channels.
//
// Threads: [one at a time], under World::mutex.  Owner: World.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "apns/provider_token.h"
#include "net/session.h"

namespace belfry::simulator {

struct ApnsConnection {
    ApnsEnvironment environment = ApnsEnvironment::Production;
    std::optional<ClientCertificate> certificate;
    std::string jwt;  // the last one that was verified
    ProviderToken token;
    std::uint32_t jwts = 0;                 // different ones
    std::optional<std::int64_t> renewed_s;  // when jwt replaced another one
    bool proven = false;                    // a request was let in: more streams than one
    bool punished = false;                  // strict streams: back to one
    bool wedged = false;
};

struct ApnsChannel {
    std::string bundle;
    ApnsEnvironment environment = ApnsEnvironment::Production;
    bool stored = false;  // message-storage-policy 1
    std::uint64_t sent = 0;
    std::vector<std::string> followers;  // phones
};

struct ApnsState {
    static constexpr std::size_t kRatedDevicesMax = 100'000;  // then counting begins anew

    std::vector<ApnsKey> keys;        // constant after start
    std::vector<std::string> topics;  // of the team; constant after start
    std::unordered_map<std::uint64_t, ApnsConnection> connections;
    std::map<std::string, ApnsChannel> channels;  // by id

    // False if the device had its share of this second.
    bool take_device(const std::string& token, std::int64_t most, std::int64_t second) {
        if (most == 0) return true;
        if (rates_.size() >= kRatedDevicesMax) rates_.clear();
        Rate& rate = rates_[token];
        if (rate.second != second) rate = {second, 0};
        return ++rate.n <= most;
    }

private:
    struct Rate {
        std::int64_t second = 0, n = 0;
    };
    std::unordered_map<std::string, Rate> rates_;
};

}  // namespace belfry::simulator
