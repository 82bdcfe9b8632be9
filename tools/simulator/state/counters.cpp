// SPDX-License-Identifier: Apache-2.0
#include "state/counters.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kBucketMs = 100;

constexpr std::array<std::string_view, Counters::EventCount> kNames{
    "connections_opened",
    "connections_closed",
    "handshakes",
    "handshakes_failed",
    "stream_limit_violations",
    "streams_refused",
    "streams_reset_by_client",
    "connections_reset_at_accept",
    "connections_stalled_at_accept",
    "requests",
    "sends",
    "accepted",
    "validate_only",
    "unanswered",
    "token_fetches",
    "tokens_issued",
    "topic_requests",
    "pings",
};

Json status_json(const std::map<int, std::uint64_t>& counts) {
    Json json = Json::object();
    for (const auto& [status, count] : counts) json[std::to_string(status)] = count;
    return json;
}

}  // namespace

void Counters::add(ConnectionEvent event) {
    switch (event) {
        case ConnectionEvent::Opened:
            return add(ConnectionsOpened);
        case ConnectionEvent::HandshakeDone:
            return add(Handshakes);
        case ConnectionEvent::HandshakeFailed:
            return add(HandshakesFailed);
        case ConnectionEvent::Closed:
            return add(ConnectionsClosed);
        case ConnectionEvent::StreamLimitViolated:
            return add(StreamLimitViolations);
        case ConnectionEvent::StreamRefused:
            return add(StreamsRefused);
        case ConnectionEvent::StreamReset:
            return add(StreamsResetByClient);
        case ConnectionEvent::Ping:
            return add(Pings);
    }
}

void Counters::add_arrival(std::int64_t uptime_ms) {
    const std::int64_t bucket = uptime_ms / kBucketMs;
    if (arrivals_.empty()) first_bucket_ = bucket;
    if (bucket < first_bucket_) return;
    if (static_cast<std::size_t>(bucket - first_bucket_) >= arrivals_.size() + kArrivalBucketsMax) {
        arrivals_.clear();
        first_bucket_ = bucket;
    }
    while (arrivals_.size() <= static_cast<std::size_t>(bucket - first_bucket_)) {
        arrivals_.push_back(0);
        if (arrivals_.size() > kArrivalBucketsMax) {
            arrivals_.pop_front();
            ++first_bucket_;
        }
    }
    ++arrivals_[static_cast<std::size_t>(bucket - first_bucket_)];
}

void Counters::note_streams(std::uint64_t connection, std::uint32_t open) {
    streams_high_water_ = std::max(streams_high_water_, open);
    if (high_water_.size() >= kConnectionsMax && !high_water_.contains(connection)) {
        high_water_.erase(high_water_.begin());
    }
    std::uint32_t& known = high_water_[connection];
    known = std::max(known, open);
}

void Counters::clear() {
    const std::uint64_t open = open_at_reset_ + events_[ConnectionsOpened] - events_[ConnectionsClosed];
    *this = Counters{};
    open_at_reset_ = open;
}

Json Counters::json() const {
    Json json = Json::object();
    for (std::size_t event = 0; event < kNames.size(); ++event) json[std::string(kNames[event])] = events_[event];
    json["connections_open"] = open_at_reset_ + events_[ConnectionsOpened] - events_[ConnectionsClosed];
    json["streams_high_water"] = streams_high_water_;
    Json per_connection = Json::object();
    for (const auto& [connection, open] : high_water_) per_connection[std::to_string(connection)] = open;
    json["streams_high_water_by_connection"] = std::move(per_connection);
    json["by_status"] = status_json(by_status_);
    json["sends_by_status"] = status_json(sends_by_status_);
    json["arrivals"] = {{"bucket_ms", kBucketMs}, {"first_ms", first_bucket_ * kBucketMs}, {"counts", arrivals_}};
    return json;
}

}  // namespace belfry::simulator
