// SPDX-License-Identifier: Apache-2.0
#include "hms/backend.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "fcm/condition.h"
#include "fcm/errors.h"
#include "hms/credentials.h"
#include "hms/replies.h"
#include "hms/token_class.h"
#include "net/gzip.h"
#include "net/url.h"
#include "state/fault_effect.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr int kSuccess = 80000000, kParameter = 80100001, kForeignToken = 80200001, kNoRight = 80300002,
              kBadTopic = 82000007, kTooManyTokens = 82000008, kTooManyTopics = 82000009;
constexpr std::size_t kTokensMax = 1000;

std::int64_t unix_ms(const World& world) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(world.simulated_wall().time_since_epoch()).count();
}

std::string label_of(const HmsMessage& message) {
    if (!message.topic.empty()) return "topic:" + message.topic;
    if (!message.condition.empty()) return "condition:" + message.condition;
    if (message.tokens.size() == 1) return "token:" + message.tokens[0];
    return message.tokens.empty() ? "" : "tokens:" + std::to_string(message.tokens.size());
}

Reply fault_answer(const FaultRule& rule, std::chrono::system_clock::time_point wall) {
    Reply reply{rule.status, {}, {}};
    if (!rule.empty && !rule.body.empty()) {
        const std::string type = rule.content_type.empty() ? "application/json; charset=UTF-8" : rule.content_type;
        reply = {rule.status, {{"content-type", type}}, rule.body};
    } else if (!rule.empty) {
        reply = html_error(rule.status, "");  // what a client must not need to read
    }
    add_retry_after(rule, wall, reply);
    return reply;
}

std::string code_in(const std::string& body) {
    const Json json = Json::parse(body, nullptr, false);
    if (!json.is_object() || !json.contains("code")) return "";
    return json["code"].is_string() ? json["code"].get<std::string>() : json["code"].dump();
}

}  // namespace

HmsBackend::Call HmsBackend::read_call(const Request& request) {
    Call call;
    call.entry.hash_body(request.body);
    const auto segments = path_segments(request.path).value_or(std::vector<std::string>());
    if (request.method != "POST" || segments.size() != 3) return call;
    if (request.path == "/oauth2/v3/token") {
        call.route = Route::HmsToken;
        return call;
    }
    call.version = segments[0];
    call.owner = segments[1];
    call.verb = segments[2];
    const bool known = call.version == "v1" || call.version == "v2" || call.version == "v3";
    if (known && call.verb == "messages:send") {
        call.route = Route::Hms;
        call.message = call.harmony() ? read_harmony_message(request.body, request.header("push-type"))
                                      : read_hms_message(request.body);
    } else if (call.version == "v1" && call.verb.starts_with("topic:")) {
        call.route = Route::HmsTopics;
    }
    return call;
}

Plan HmsBackend::handle(Request&& request) {
    Call call = read_call(request);
    const std::lock_guard lock(world_.mutex);
    const std::int64_t arrival = world_.clock.uptime().count();
    call.entry.arrival_ms = arrival;
    world_.counters.add(Counters::Requests);
    if (call.route == Route::Hms) {
        world_.counters.add(Counters::Sends);
        world_.counters.add_arrival(arrival);
    }
    Plan plan;
    const std::string_view target = call.message.tokens.empty() ? call.message.topic : call.message.tokens.front();
    const FaultDecision fault = world_.faults.decide({call.route, call.version, target, request.connection});
    const bool processed = !fault.rule || leaves_processing(*fault.rule);
    if (processed) process(request, call, plan);
    if (fault.rule) {
        call.entry.fault = std::string(action_name(fault.rule->action));
        if (fault.rule->action == FaultAction::Status) plan.reply = fault_answer(*fault.rule, world_.simulated_wall());
        apply_to_wire(*fault.rule, plan);
    }
    plan.before_headers += std::chrono::milliseconds(fault.before_headers_ms);
    plan.before_body += std::chrono::milliseconds(fault.before_body_ms);
    finish(request, call, plan);
    return plan;
}

void HmsBackend::process(const Request& request, Call& call, Plan& plan) {
    switch (call.route) {
        case Route::HmsToken:
            plan.reply = answer_hms_oauth(world_, request);
            return;
        case Route::Hms:
            send(request, call, plan);
            return;
        case Route::HmsTopics:
            plan.reply = change_topics(request, call);
            return;
        default:
            plan.reply = html_error(404, "Not Found");
    }
}

std::string HmsBackend::next_id() {
    const std::string number = std::to_string(++requests_);
    return std::to_string(unix_ms(world_)) + std::string(11 - std::min<std::size_t>(number.size(), 10), '0') + number;
}

void HmsBackend::send(const Request& request, Call& call, Plan& plan) {
    const Settings& settings = world_.settings;
    HmsState& hms = world_.hms;
    ++hms.sends;
    hms.devices += call.message.tokens.size();
    hms.largest = std::max<std::uint64_t>(hms.largest, call.message.tokens.size());
    const std::set<std::string_view> distinct(call.message.tokens.begin(), call.message.tokens.end());
    hms.repeated += call.message.tokens.size() - distinct.size();
    const auto answer = [&](int code, std::string_view msg) { plan.reply = hms_reply(settings, code, msg, next_id()); };
    if (const int refused = check_hms_bearer(world_, request, call.harmony()); refused != 0)
        return answer(refused, "Authentication Error.");
    const bool by_app = call.version == "v1";
    if (call.owner != (by_app ? hms.app.app_id : hms.app.project_id)) {
        return by_app ? answer(kForeignToken, "The token is of another app")
                      : answer(kNoRight, "No permission to send message to these tmIDs.");
    }
    if (!settings.hms_push_right) return answer(kNoRight, "Illegal app: Push Kit is not enabled");
    if (!request.header("content-type").starts_with("application/json"))
        return answer(kParameter, "content-type must be application/json");
    if (call.message.code != 0) return answer(call.message.code, call.message.why);
    const auto n = static_cast<std::int64_t>(std::max<std::size_t>(1, call.message.tokens.size()));
    if (!hms.take_devices(n, settings.hms_devices_per_second, world_.clock.uptime())) {
        plan.reply = {503, {}, {}};
        return;
    }
    if (call.message.validate_only) {
        world_.counters.add(Counters::ValidateOnly);
        return answer(kSuccess, "Success");
    }
    plan.reply = call.message.tokens.empty() ? send_to_topics(request, call) : send_to_tokens(request, call, plan);
}

Reply HmsBackend::send_to_tokens(const Request& request, Call& call, Plan& plan) {
    const auto body = std::make_shared<const std::string>(call.message.kept);
    std::map<std::string, std::vector<std::string>> bad;
    std::size_t served = 0;
    std::uint32_t slow_ms = 0;
    for (const std::string& token : call.message.tokens) {
        HmsDevice device = classify_hms_token(token, call.harmony());
        if (world_.settings.hms_foreign_app) device.word = "noRight";
        slow_ms = std::max(slow_ms, device.slow_ms);
        if (!device.word.empty()) {
            bad[std::string(device.word)].push_back(token);
            continue;
        }
        ++served;
        if (call.message.marketing &&
            !world_.hms.take_marketing(token, world_.settings.hms_marketing_per_day, world_.simulated_wall())) {
            ++world_.hms.withheld;  // Huawei says so in a receipt only (hms.md sections 12 and 15.9)
        } else {
            deliver(token, request, body);
        }
    }
    plan.before_headers += std::chrono::milliseconds(slow_ms);
    call.entry.accepted = served > 0;
    if (bad.empty()) return hms_reply(world_.settings, kSuccess, "Success", next_id());
    return hms_bad_tokens(world_.settings, call.harmony(), served, bad, next_id());
}

Reply HmsBackend::send_to_topics(const Request& request, Call& call) {
    const auto body = std::make_shared<const std::string>(call.message.kept);
    const HmsMessage& message = call.message;
    // Huawei's grammar has no negation (hms.md section 4).
    const bool negated = message.condition.find('!') != std::string::npos;
    const auto well_formed = evaluate_condition(message.condition, [](std::string_view) { return false; });
    if (!message.condition.empty() && (negated || !well_formed))
        return hms_reply(world_.settings, kParameter, "condition is malformed", next_id());
    for (const auto& [token, topics] : world_.hms.topics.all()) {
        const auto subscribed = [&own = topics](std::string_view topic) { return own.contains(std::string(topic)); };
        const bool meant = message.condition.empty()
                               ? topics.contains(message.topic)
                               : evaluate_condition(message.condition, subscribed).value_or(false);
        if (meant) deliver(token, request, body);
    }
    call.entry.accepted = true;
    return hms_reply(world_.settings, kSuccess, "Success", next_id());
}

void HmsBackend::deliver(const std::string& token, const Request& request,
                         const std::shared_ptr<const std::string>& body) {
    world_.counters.add(Counters::Accepted);
    ++world_.ledger.row(token).accepted;
    const std::string_view type = request.header("push-type");
    const std::string headers = type.empty() ? "" : R"({"push-type":)" + json_string(type) + "}";
    world_.phones.deliver(token, {std::to_string(requests_ + 1), unix_ms(world_), body, headers});
}

// POST /v1/{app}/topic:subscribe, unsubscribe and list (hms.md section 11).
Reply HmsBackend::change_topics(const Request& request, const Call& call) {
    const auto plain = [&](int code, std::string_view msg) { return hms_reply(world_.settings, code, msg, next_id()); };
    if (const int refused = check_hms_bearer(world_, request, false); refused != 0)
        return plain(refused, "Authentication Error.");
    const Json json = Json::parse(request.body, nullptr, false);
    if (!json.is_object()) return plain(kParameter, "the body is no JSON object");
    Topics& topics = world_.hms.topics;
    Json answer = {{"code", std::to_string(kSuccess)}, {"msg", "Success"}, {"requestId", next_id()}};
    if (call.verb == "topic:list") {
        Json list = Json::array();
        const auto found = topics.all().find(json.value("token", ""));
        if (found != topics.all().end()) {
            for (const std::string& name : found->second) list.push_back({{"name", name}, {"addDate", "2026-01-31"}});
        }
        answer["topics"] = list;
        return json_reply(200, answer.dump());
    }
    const std::string topic = json.value("topic", "");
    const Json tokens = json.value("tokenArray", Json::array());
    if (!is_topic_name(topic)) return plain(kBadTopic, "the topic's name is invalid");
    if (!tokens.is_array() || tokens.empty() || tokens.size() > kTokensMax)
        return plain(kTooManyTokens, "tokenArray must hold 1 to 1000 tokens");
    const bool add = call.verb == "topic:subscribe";
    if (!add && call.verb != "topic:unsubscribe") return html_error(404, "Not Found");
    Json errors = Json::array();
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const std::string token = tokens[i].is_string() ? tokens[i].get<std::string>() : "";
        if (token.empty() || !classify_hms_token(token, false).word.empty()) {
            errors.push_back({{"index", i}, {"reason", "INVALID_TOKEN"}});
        } else if (!add) {
            topics.remove(token, topic);
        } else if (topics.add(token, topic) == Topics::Added::TooMany) {
            return plain(kTooManyTopics, "there are too many topics");
        }
    }
    answer["successCount"] = tokens.size() - errors.size();
    answer["failureCount"] = errors.size();
    answer["errors"] = errors;
    return json_reply(200, answer.dump());
}

void HmsBackend::finish(const Request& request, Call& call, Plan& plan) {
    plan.before_headers += std::chrono::milliseconds(world_.settings.latency_ms);
    const bool answered = is_answered(plan);
    const int status = answered ? plan.reply.status : 0;
    if (!answered) world_.counters.add(Counters::Unanswered);
    world_.counters.add_status(status);
    if (call.route == Route::Hms) world_.counters.add_send_status(status);
    call.entry.connection = request.connection;
    call.entry.stream = request.stream;
    call.entry.route = route_name(call.route);
    call.entry.project = call.version;
    call.entry.target = label_of(call.message);
    call.entry.status = status;
    call.entry.validate_only = call.message.validate_only;
    call.entry.reason = code_in(plan.reply.body);
    world_.journal.add(std::move(call.entry));
    plan.reply.headers.push_back({"date", http_date(world_.simulated_wall())});
    const bool wants_gzip = request.header("accept-encoding").find("gzip") != std::string_view::npos;
    if (world_.settings.gzip && wants_gzip && !plan.reply.body.empty()) {
        plan.reply.body = gzip(plan.reply.body);
        plan.reply.headers.push_back({"content-encoding", "gzip"});
    }
}

WireSettings HmsBackend::wire_settings(std::uint64_t) {
    const std::lock_guard lock(world_.mutex);
    WireSettings wire;
    wire.stream_limit = static_cast<std::uint32_t>(world_.settings.stream_limit);
    wire.max_age = std::chrono::milliseconds(world_.settings.connection_max_age_ms);
    wire.max_idle = std::chrono::milliseconds(world_.settings.connection_max_idle_ms);
    return wire;
}

AcceptFate HmsBackend::on_accept() {
    const std::lock_guard lock(world_.mutex);
    return world_.accept_fate();
}

void HmsBackend::on_connection_event(std::uint64_t, ConnectionEvent event) {
    const std::lock_guard lock(world_.mutex);
    world_.counters.add(event);
}

void HmsBackend::on_streams_open(std::uint64_t connection, std::uint32_t open) {
    const std::lock_guard lock(world_.mutex);
    world_.counters.note_streams(connection, open);
}

}  // namespace belfry::simulator
