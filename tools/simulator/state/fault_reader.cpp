// SPDX-License-Identifier: Apache-2.0
#include "state/fault_reader.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::pair<std::string_view, FaultAction>, 11> kActions{{
    {"status", FaultAction::Status},
    {"truncate", FaultAction::Truncate},
    {"delay", FaultAction::Delay},
    {"rst", FaultAction::Rst},
    {"goaway", FaultAction::Goaway},
    {"tcp_reset", FaultAction::TcpReset},
    {"black_hole", FaultAction::BlackHole},
    {"half_open", FaultAction::HalfOpen},
    {"refuse_connects", FaultAction::RefuseConnects},
    {"accept_reset", FaultAction::AcceptReset},
    {"tls_stall", FaultAction::TlsStall},
}};

// RFC 9113 section 7; the number of a code is its place.
constexpr std::array<std::string_view, 14> kErrorCodes{"NO_ERROR",
                                                       "PROTOCOL_ERROR",
                                                       "INTERNAL_ERROR",
                                                       "FLOW_CONTROL_ERROR",
                                                       "SETTINGS_TIMEOUT",
                                                       "STREAM_CLOSED",
                                                       "FRAME_SIZE_ERROR",
                                                       "REFUSED_STREAM",
                                                       "CANCEL",
                                                       "COMPRESSION_ERROR",
                                                       "CONNECT_ERROR",
                                                       "ENHANCE_YOUR_CALM",
                                                       "INADEQUATE_SECURITY",
                                                       "HTTP_1_1_REQUIRED"};

constexpr std::int64_t kMany = 1'000'000'000;

// Thrown and caught in this file only: the keys' readers are too many for a result each.
struct Wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <typename Names>
std::string listed(const Names& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

std::int64_t integer(const Json& value, std::string_view key, std::int64_t least, std::int64_t most) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
        throw Wrong(std::string(key) + " must be an integer from " + std::to_string(least) + " to " +
                    std::to_string(most));
    }
    return value.get<std::int64_t>();
}

std::string text(const Json& value, std::string_view key) {
    if (!value.is_string()) throw Wrong(std::string(key) + " must be a string");
    return value.get<std::string>();
}

bool flag(const Json& value, std::string_view key) {
    if (!value.is_boolean()) throw Wrong(std::string(key) + " must be true or false");
    return value.get<bool>();
}

FaultAction action(const Json& value) {
    const std::string name = text(value, "action");
    const auto* found =
        std::find_if(kActions.begin(), kActions.end(), [&](const auto& each) { return each.first == name; });
    if (found == kActions.end()) {
        std::vector<std::string_view> names;
        for (const auto& each : kActions) names.push_back(each.first);
        throw Wrong("unknown action \"" + name + "\"; there are " + listed(names));
    }
    return found->second;
}

std::uint32_t error_code(const Json& value) {
    if (value.is_number_integer()) return static_cast<std::uint32_t>(integer(value, "code", 0, 0xffffffff));
    const std::string name = text(value, "code");
    const auto* found = std::find(kErrorCodes.begin(), kErrorCodes.end(), name);
    if (found == kErrorCodes.end()) throw Wrong("code must be a number or one of " + listed(kErrorCodes));
    return static_cast<std::uint32_t>(found - kErrorCodes.begin());
}

void read_last_stream(const Json& value, FaultRule& rule) {
    if (value.is_number_integer()) {
        rule.last_stream = LastStream::Absolute;
        rule.last_stream_id = static_cast<std::int32_t>(integer(value, "last_stream_id", 0, 0x7fffffff));
        return;
    }
    const std::string name = text(value, "last_stream_id");
    if (name == "this") {
        rule.last_stream = LastStream::This;
    } else if (name == "before") {
        rule.last_stream = LastStream::Before;
    } else if (name == "max") {
        rule.last_stream = LastStream::Max;
    } else {
        throw Wrong("last_stream_id must be a stream id or \"this\", \"before\", \"max\"");
    }
}

std::optional<Route> route(const Json& value) {
    const std::string name = text(value, "match.route");
    if (name == "any") return std::nullopt;
    for (const Route each : {Route::Send, Route::Token, Route::Topics, Route::Apns, Route::ApnsChannels, Route::WebPush,
                             Route::Hms, Route::HmsToken, Route::HmsTopics, Route::Other}) {
        if (name == route_name(each)) return each;
    }
    throw Wrong(
        "match.route must be one of send, token, topics, apns, apns_channels, webpush, hms, hms_token, hms_topics, "
        "other, any");
}

void read_match(const Json& json, FaultRule& rule) {
    if (!json.is_object()) throw Wrong("match must be an object");
    int selectors = 0;
    for (const auto& [key, value] : json.items()) {
        if (key == "route") {
            rule.route = route(value);
        } else if (key == "token_prefix") {
            rule.token_prefix = text(value, "match.token_prefix");
        } else if (key == "project") {
            rule.project = text(value, "match.project");
        } else if (key == "connection") {
            rule.connection = static_cast<std::uint64_t>(integer(value, "match.connection", 1, kMany));
        } else if (key == "percent") {
            if (!value.is_number() || value.get<double>() <= 0 || value.get<double>() > 100) {
                throw Wrong("match.percent must be above 0 and at most 100");
            }
            rule.percent = value.get<double>();
            ++selectors;
        } else if (key == "every") {
            rule.every = static_cast<std::uint64_t>(integer(value, "match.every", 1, kMany));
            ++selectors;
        } else if (key == "next") {
            rule.next = static_cast<std::uint64_t>(integer(value, "match.next", 1, kMany));
            ++selectors;
        } else {
            throw Wrong("unknown key match." + key +
                        "; there are route, token_prefix, project, connection, percent, every, next");
        }
    }
    if (selectors > 1) throw Wrong("match takes only one of percent, every, next");
}

bool read_answer_key(const std::string& key, const Json& value, FaultRule& rule) {
    if (key == "status") {
        rule.status = static_cast<int>(integer(value, key, 200, 599));
    } else if (key == "retry_after_s") {
        rule.retry_after_s = integer(value, key, 0, kMany);
    } else if (key == "retry_after_form") {
        const std::string form = text(value, key);
        if (form != "seconds" && form != "date") throw Wrong("retry_after_form must be \"seconds\" or \"date\"");
        rule.retry_after_date = form == "date";
    } else if (key == "empty") {
        rule.empty = flag(value, key);
    } else if (key == "body") {
        rule.body = value.is_string() ? value.get<std::string>() : value.dump();
    } else if (key == "content_type") {
        rule.content_type = text(value, key);
    } else {
        return false;
    }
    return true;
}

void read_key(const std::string& key, const Json& value, FaultRule& rule) {
    if (read_answer_key(key, value, rule)) return;
    if (key == "action") {
        rule.action = action(value);
    } else if (key == "match") {
        read_match(value, rule);
    } else if (key == "times") {
        rule.times = static_cast<std::uint64_t>(integer(value, key, 1, kMany));
    } else if (key == "before_headers_ms") {
        rule.before_headers_ms = integer(value, key, 0, kMany);
    } else if (key == "before_body_ms") {
        rule.before_body_ms = integer(value, key, 0, kMany);
    } else if (key == "code") {
        rule.code = error_code(value);
    } else if (key == "debug") {
        rule.debug = text(value, key);
    } else if (key == "last_stream_id") {
        read_last_stream(value, rule);
    } else if (key == "close") {
        rule.close = flag(value, key);
    } else if (key == "on_wire") {
        rule.on_wire = flag(value, key);
    } else if (key == "processed") {
        rule.processed = flag(value, key);
    } else {
        throw Wrong("unknown key \"" + key +
                    "\"; there are action, match, times, status, retry_after_s, retry_after_form, empty, body, "
                    "content_type, before_headers_ms, before_body_ms, code, debug, last_stream_id, close, processed");
    }
}

}  // namespace

std::optional<std::string> read_fault_rule(const Json& json, FaultRule& rule) {
    if (!json.is_object()) return "a fault rule must be a JSON object";
    if (!json.contains("action")) return "a fault rule needs an \"action\"";
    try {
        for (const auto& [key, value] : json.items()) read_key(key, value, rule);
    } catch (const Wrong& wrong) {
        return wrong.what();
    }
    if (rule.action == FaultAction::Rst && rule.processed && rule.code == 7) {
        return "REFUSED_STREAM says that the request was not processed: use another code with \"processed\"";
    }
    return std::nullopt;
}

Json fault_rule_json(const FaultRule& rule) {
    Json match = Json::object();
    match["route"] = rule.route ? route_name(*rule.route) : "any";
    if (!rule.token_prefix.empty()) match["token_prefix"] = rule.token_prefix;
    if (!rule.project.empty()) match["project"] = rule.project;
    if (rule.connection != 0) match["connection"] = rule.connection;
    if (rule.percent > 0) match["percent"] = rule.percent;
    if (rule.every > 0) match["every"] = rule.every;
    if (rule.next > 0) match["next"] = rule.next;
    Json json = {{"id", rule.id}, {"action", action_name(rule.action)}, {"match", std::move(match)}};
    if (rule.action == FaultAction::Status) json["status"] = rule.status;
    if (rule.times > 0) json["times"] = rule.times;
    json["candidates"] = rule.candidates;
    json["hits"] = rule.hits;
    return json;
}

std::string_view action_name(FaultAction wanted) {
    for (const auto& [name, each] : kActions) {
        if (each == wanted) return name;
    }
    return {};
}

}  // namespace belfry::simulator
