// SPDX-License-Identifier: Apache-2.0
#include "state/faults.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "state/fault_reader.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

bool concerns_connects(FaultAction action) {
    return action == FaultAction::RefuseConnects || action == FaultAction::AcceptReset ||
           action == FaultAction::TlsStall;
}

bool is_candidate(const FaultRule& rule, const RequestFacts& facts) {
    if (concerns_connects(rule.action)) return false;
    if (rule.route && *rule.route != facts.route) return false;
    if (rule.connection != 0 && rule.connection != facts.connection) return false;
    if (!rule.project.empty() && rule.project != facts.project) return false;
    return facts.target.starts_with(rule.token_prefix);
}

}  // namespace

std::string_view route_name(Route route) {
    switch (route) {
        case Route::Send:
            return "send";
        case Route::Token:
            return "token";
        case Route::Topics:
            return "topics";
        case Route::WebPush:
            return "webpush";
        case Route::Apns:
            return "apns";
        case Route::ApnsChannels:
            return "apns_channels";
        case Route::Hms:
            return "hms";
        case Route::HmsToken:
            return "hms_token";
        case Route::HmsTopics:
            return "hms_topics";
        case Route::Other:
            return "other";
    }
    return {};
}

std::optional<std::string> Faults::add(const Json& json) {
    const Json list = json.is_array() ? json : Json::array({json});
    if (rules_.size() + list.size() > kRulesMax) {
        return "at most " + std::to_string(kRulesMax) + " fault rules; DELETE /faults removes them";
    }
    std::vector<FaultRule> added;
    for (const Json& each : list) {
        FaultRule rule;
        if (auto problem = read_fault_rule(each, rule)) return problem;
        added.push_back(std::move(rule));
    }
    for (FaultRule& rule : added) {
        rule.id = next_id_++;
        rules_.push_back(std::move(rule));
    }
    return std::nullopt;
}

bool Faults::remove(std::uint64_t id) {
    return std::erase_if(rules_, [id](const FaultRule& rule) { return rule.id == id; }) > 0;
}

Json Faults::json() const {
    Json list = Json::array();
    for (const FaultRule& rule : rules_) list.push_back(fault_rule_json(rule));
    return list;
}

bool Faults::hit(FaultRule& rule) {
    if (rule.times > 0 && rule.hits >= rule.times) return false;
    ++rule.candidates;
    bool hits = true;
    if (rule.percent > 0) hits = std::uniform_real_distribution<double>(0, 100)(random_) < rule.percent;
    if (rule.every > 0) hits = rule.candidates % rule.every == 0;
    if (rule.next > 0) hits = rule.candidates <= rule.next;
    if (hits) ++rule.hits;
    return hits;
}

FaultDecision Faults::decide(const RequestFacts& facts) {
    FaultDecision decision;
    for (FaultRule& rule : rules_) {
        if (!is_candidate(rule, facts) || !hit(rule)) continue;
        decision.before_headers_ms += rule.before_headers_ms;
        decision.before_body_ms += rule.before_body_ms;
        if (rule.action == FaultAction::Delay) continue;
        decision.rule = rule;
        break;
    }
    return decision;
}

AcceptFate Faults::decide_accept() {
    for (FaultRule& rule : rules_) {
        const bool stall = rule.action == FaultAction::TlsStall;
        if ((!stall && rule.action != FaultAction::AcceptReset) || !hit(rule)) continue;
        return stall ? AcceptFate::StallTls : AcceptFate::Reset;
    }
    return AcceptFate::Serve;
}

bool Faults::connects_refused() const {
    return std::any_of(rules_.begin(), rules_.end(),
                       [](const FaultRule& rule) { return rule.action == FaultAction::RefuseConnects; });
}

}  // namespace belfry::simulator
