// SPDX-License-Identifier: Apache-2.0
// The fault script: rules that decide which request or connection is treated badly, and how.
//
// Rules are asked in order; the first that fires wins, but delays add up and let later rules have their say.
// Threads: [one at a time].  Owner: World.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "net/session.h"

namespace belfry::simulator {

enum class Route : std::uint8_t { Send, Token, Topics, Apns, ApnsChannels, WebPush, Hms, HmsToken, HmsTopics, Other };
std::string_view route_name(Route route);

enum class FaultAction : std::uint8_t {
    Status,
    Truncate,
    Delay,
    Rst,
    Goaway,
    TcpReset,
    BlackHole,
    HalfOpen,
    RefuseConnects,
    AcceptReset,
    TlsStall,
};

struct FaultRule {
    std::uint64_t id = 0;
    FaultAction action = FaultAction::Status;
    // Which requests are candidates.
    std::optional<Route> route = Route::Send;  // none: any
    std::string token_prefix;
    std::string project;           // of APNs: "production" or "sandbox"; of HMS: "v1", "v2" or "v3"
    std::uint64_t connection = 0;  // 0: any
    // Which candidates it hits: all, unless one of these is set.
    double percent = 0;
    std::uint64_t every = 0;
    std::uint64_t next = 0;
    std::uint64_t times = 0;  // at most so many hits; 0: no bound
    // What it does.
    int status = 503;
    std::int64_t retry_after_s = -1;  // below 0: no header
    bool retry_after_date = false;
    bool empty = false;
    std::string body;
    std::string content_type;
    std::int64_t before_headers_ms = 0;
    std::int64_t before_body_ms = 0;
    std::uint32_t code = 0;
    std::string debug;
    LastStream last_stream = LastStream::This;
    std::int32_t last_stream_id = 0;
    bool close = false;
    bool on_wire = false;    // truncate: the stream breaks off; else the half is an answer of its own
    bool processed = false;  // the message is accepted although the client does not learn it
    // What it did.
    std::uint64_t candidates = 0;
    std::uint64_t hits = 0;
};

struct RequestFacts {
    Route route = Route::Other;
    std::string_view project;
    std::string_view target;  // the token, topic or condition itself
    std::uint64_t connection = 0;
};

struct FaultDecision {
    std::optional<FaultRule> rule;  // none: the request is served as usual
    std::int64_t before_headers_ms = 0;
    std::int64_t before_body_ms = 0;
};

class Faults {
public:
    static constexpr std::size_t kRulesMax = 1000;

    explicit Faults(std::uint64_t seed) : random_(seed) {}

    // Adds the rules of `json` (one object or a list), or none; the text says what is wrong.
    std::optional<std::string> add(const nlohmann::ordered_json& json);
    void clear() { rules_.clear(); }
    bool remove(std::uint64_t id);
    [[nodiscard]] nlohmann::ordered_json json() const;

    FaultDecision decide(const RequestFacts& facts);
    AcceptFate decide_accept();
    [[nodiscard]] bool connects_refused() const;
    [[nodiscard]] bool empty() const { return rules_.empty(); }

private:
    bool hit(FaultRule& rule);

    std::vector<FaultRule> rules_;
    std::uint64_t next_id_ = 1;
    std::mt19937_64 random_;
};

std::string_view action_name(FaultAction action);

}  // namespace belfry::simulator
