// SPDX-License-Identifier: Apache-2.0
// What the simulator counted since it started or was reset.
//
// Threads: [one at a time].  Owner: World.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "net/session.h"

namespace belfry::simulator {

class Counters {
public:
    enum Event : std::uint8_t {
        ConnectionsOpened,
        ConnectionsClosed,
        Handshakes,
        HandshakesFailed,
        StreamLimitViolations,
        StreamsRefused,
        StreamsResetByClient,
        ConnectionsResetAtAccept,
        ConnectionsStalledAtAccept,
        Requests,
        Sends,
        Accepted,
        ValidateOnly,
        Unanswered,
        TokenFetches,
        TokensIssued,
        TopicRequests,
        Pings,
        EventCount,
    };

    void add(Event event) { ++events_[event]; }
    void add(ConnectionEvent event);
    void add_status(int status) { ++by_status_[status]; }
    void add_send_status(int status) { ++sends_by_status_[status]; }
    void add_arrival(std::int64_t uptime_ms);
    void note_streams(std::uint64_t connection, std::uint32_t open);
    void clear();
    // Connections stay open over a reset: how many are open now is kept.
    [[nodiscard]] nlohmann::ordered_json json() const;

private:
    static constexpr std::size_t kArrivalBucketsMax = 36'000;  // one hour of 100 ms buckets
    static constexpr std::size_t kConnectionsMax = 10'000;

    std::array<std::uint64_t, EventCount> events_{};
    std::map<int, std::uint64_t> by_status_;
    std::map<int, std::uint64_t> sends_by_status_;
    std::int64_t first_bucket_ = 0;
    std::deque<std::uint32_t> arrivals_;
    std::map<std::uint64_t, std::uint32_t> high_water_;
    std::uint32_t streams_high_water_ = 0;
    std::uint64_t open_at_reset_ = 0;
};

}  // namespace belfry::simulator
