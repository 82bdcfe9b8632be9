// SPDX-License-Identifier: Apache-2.0
#include "apns/backend.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "apns/admission.h"
#include "apns/channels.h"
#include "apns/push_rules.h"
#include "apns/reasons.h"
#include "apns/token_class.h"
#include "net/url.h"
#include "state/fault_effect.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kLongAgoMs = 1'700'000'000'123;
constexpr std::int32_t kWindow = 65'535;  // HTTP/2's own initial value: APNs was seen to keep it
constexpr std::uint32_t kHeaderListMax = 8'000;

std::int64_t unix_ms(const World& world) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(world.simulated_wall().time_since_epoch()).count();
}

std::string random_uuid() {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::array<unsigned char, 16> raw{};
    RAND_bytes(raw.data(), static_cast<int>(raw.size()));
    std::string text;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += kDigits[raw[i] >> 4];
        text += kDigits[raw[i] & 15U];
    }
    return text;
}

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c; });
    return text;
}

std::string apns_headers(const Request& request) {
    Json headers = Json::object();
    for (const Header& header : request.headers) {
        if (header.name.starts_with("apns-")) headers[header.name] = header.value;
    }
    return headers.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string reason_in(const std::string& body) {
    const Json json = Json::parse(body, nullptr, false);
    return json.is_object() ? json.value("reason", "") : "";
}

Reply fault_answer(const FaultRule& rule, std::chrono::system_clock::time_point wall) {
    Reply reply = apns_refusal(rule.status, usual_apns_reason(rule.status));
    if (!rule.body.empty()) reply.body = rule.body;
    if (!rule.content_type.empty()) reply.headers.front().value = rule.content_type;
    if (rule.empty) reply = {rule.status, {}, {}};
    add_retry_after(rule, wall, reply);
    return reply;
}

}  // namespace

const char* ApnsBackend::place() const {
    return environment_ == ApnsEnvironment::Production ? "production" : "sandbox";
}

Plan ApnsBackend::handle(Request&& request) {
    Call call;
    call.segments = path_segments(request.path).value_or(std::vector<std::string>());
    if (call.segments.size() == 3 && call.segments[0] == "3") call.token = normalised_apns_token(call.segments[2]);
    call.entry.hash_body(request.body);
    const std::lock_guard lock(world_.mutex);
    const std::int64_t arrival = world_.clock.uptime().count();
    call.entry.arrival_ms = arrival;
    world_.counters.add(Counters::Requests);
    if (duty_ == ApnsDuty::Pushes) {
        world_.counters.add(Counters::Sends);
        world_.counters.add_arrival(arrival);
    }

    Plan plan;
    ApnsConnection& connection = world_.apns.connections[request.connection];
    connection.environment = environment_;
    const FaultDecision fault = world_.faults.decide({route(), place(), call.token, request.connection});
    const bool processed = !fault.rule || leaves_processing(*fault.rule);
    if (processed) process(request, connection, call, plan);
    if (fault.rule) {
        call.entry.fault = std::string(action_name(fault.rule->action));
        if (fault.rule->action == FaultAction::Status) plan.reply = fault_answer(*fault.rule, world_.simulated_wall());
        apply_to_wire(*fault.rule, plan);
    }
    plan.before_headers += std::chrono::milliseconds(fault.before_headers_ms);
    plan.before_body += std::chrono::milliseconds(fault.before_body_ms);
    judge_connection(connection, plan);
    add_ids(request, call, plan);
    finish(request, call, plan);
    return plan;
}

// /3 devices, /4 broadcasts; /1 channels.
bool ApnsBackend::is_mine(const Call& call) const {
    if (call.segments.empty()) return false;
    return (call.segments[0] == "1") == (duty_ == ApnsDuty::Channels);
}

void ApnsBackend::process(const Request& request, ApnsConnection& connection, Call& call, Plan& plan) {
    const bool device = !call.segments.empty() && call.segments[0] == "3";
    const bool push_path = device && call.segments.size() >= 2 && call.segments[1] == "device";
    if (!is_mine(call) || (device && (!push_path || call.segments.size() > 3))) {
        plan.reply = apns_refusal(404, "BadPath");
        return;
    }
    if (device && request.method != "POST") {
        plan.reply = apns_refusal(405, "MethodNotAllowed");
        return;
    }
    if (auto refusal = admit(world_, connection, request)) {
        plan.reply = std::move(*refusal);
        return;
    }
    // A valid token is what opens the connection, whatever becomes of the push.
    plan.wire_settings_changed = !connection.proven;
    connection.proven = true;
    if (device) {
        push(request, connection, call, plan);
    } else {
        plan.reply = answer_channel_call(world_, connection, request, call.segments);
    }
}

void ApnsBackend::push(const Request& request, ApnsConnection& connection, Call& call, Plan& plan) {
    if (call.token.empty()) {
        plan.reply = apns_refusal(400, "MissingDeviceToken");
        return;
    }
    const ApnsPush push =
        read_apns_push(request, connection.certificate ? connection.certificate->subject_uid : std::string());
    if (push.refusal) {
        plan.reply = *push.refusal;
        return;
    }
    if (!may_push_for(world_, connection, push.bundle)) {
        plan.reply = apns_refusal(400, "TopicDisallowed");
        return;
    }
    plan.reply = meet_device(call, plan);
    if (plan.reply.status != 200) return;
    call.entry.accepted = true;
    world_.counters.add(Counters::Accepted);
    ++world_.ledger.row(call.token).accepted;
    world_.phones.deliver(call.token, {std::string(request.header("apns-id")), unix_ms(world_),
                                       std::make_shared<const std::string>(request.body), apns_headers(request)});
}

Reply ApnsBackend::meet_device(Call& call, Plan& plan) {
    const ApnsDevice device = classify_apns_token(call.token);
    const bool here = device.sandbox == (environment_ == ApnsEnvironment::Sandbox);
    if (!device.well_formed || !here) return apns_refusal(400, "BadDeviceToken");
    const std::int64_t since = device.long_ago ? kLongAgoMs : unix_ms(world_);
    TokenLedger::Row& row = world_.ledger.row(call.token);
    const auto fails = [&] { return device.failures == 0 || row.failures++ < device.failures; };
    switch (device.behaviour) {
        case ApnsBehaviour::Unknown:
            return apns_refusal(400, "BadDeviceToken");
        case ApnsBehaviour::OtherApp:
            return apns_refusal(400, "DeviceTokenNotForTopic");
        case ApnsBehaviour::Unregistered:
            return apns_dead_token("Unregistered", since);
        case ApnsBehaviour::Expired:
            return apns_dead_token("ExpiredToken", since);
        case ApnsBehaviour::TooMany:
            if (fails()) return apns_refusal(429, "TooManyRequests");
            break;
        case ApnsBehaviour::Internal:
            if (fails()) return apns_refusal(500, "InternalServerError");
            break;
        case ApnsBehaviour::Unavailable:
            if (fails()) return apns_refusal(503, "ServiceUnavailable");
            break;
        case ApnsBehaviour::Accept:
            break;
    }
    if (!world_.apns.take_device(call.token, world_.settings.apns_device_per_second, unix_ms(world_) / 1000)) {
        return apns_refusal(429, "TooManyRequests");
    }
    plan.before_headers += std::chrono::milliseconds(device.slow_ms);
    return {200, {}, {}};
}

// With strict streams a refusal but 410 costs all streams but one, until something is accepted again.
void ApnsBackend::judge_connection(ApnsConnection& connection, Plan& plan) const {
    const int status = plan.reply.status;
    const bool refused = status >= 400 && status < 500 && status != 410;
    const bool punished = world_.settings.apns_strict_streams && (refused || (connection.punished && status != 200));
    if (punished != connection.punished) plan.wire_settings_changed = true;
    connection.punished = punished;
}

void ApnsBackend::add_ids(const Request& request, Call& call, Plan& plan) const {
    const bool device = !call.segments.empty() && call.segments[0] == "3";
    const std::string name = device ? "apns-id" : "apns-request-id";
    std::string id(request.header(name));
    if (id.empty()) id = random_uuid();
    call.entry.message_id = id;
    if (world_.settings.apns_upper_case_id) id = upper(std::move(id));
    plan.reply.headers.push_back({name, std::move(id)});
    if (device && environment_ == ApnsEnvironment::Sandbox) {
        plan.reply.headers.push_back({"apns-unique-id", random_uuid()});
    }
}

void ApnsBackend::finish(const Request& request, Call& call, Plan& plan) {
    plan.before_headers += std::chrono::milliseconds(world_.settings.latency_ms);
    const bool answered = is_answered(plan);
    const int status = answered ? plan.reply.status : 0;
    if (!answered) world_.counters.add(Counters::Unanswered);
    world_.counters.add_status(status);
    if (duty_ == ApnsDuty::Pushes) world_.counters.add_send_status(status);
    call.entry.connection = request.connection;
    call.entry.stream = request.stream;
    call.entry.route = route_name(route());
    call.entry.project = place();
    call.entry.target = call.token.empty() ? request.path : "token:" + call.token;
    call.entry.status = status;
    call.entry.reason = reason_in(plan.reply.body);
    world_.journal.add(std::move(call.entry));
    plan.reply.headers.push_back({"date", http_date(world_.simulated_wall())});
}

WireSettings ApnsBackend::wire_settings(std::uint64_t id) {
    const std::lock_guard lock(world_.mutex);
    const Settings& settings = world_.settings;
    const auto found = world_.apns.connections.find(id);
    const bool known = found != world_.apns.connections.end();
    const bool trusted = known && (found->second.proven || found->second.certificate) && !found->second.punished;
    WireSettings wire;
    wire.stream_limit = trusted ? static_cast<std::uint32_t>(settings.apns_stream_limit) : 1;
    wire.refuse_excess_streams = wire.close_refused_streams = settings.apns_excess_streams == "refuse";
    wire.violation_code = 7;  // REFUSED_STREAM, as was seen (apns.md section 2)
    wire.violation_debug = "Stream limit exceeded: violated active streams";
    wire.stream_window = wire.connection_window = kWindow;
    wire.header_list_max = kHeaderListMax;
    wire.http2_only = true;
    wire.max_age = std::chrono::milliseconds(settings.connection_max_age_ms);
    wire.max_idle = std::chrono::milliseconds(settings.connection_max_idle_ms);
    wire.age_debug = R"({"reason":"Shutdown"})";
    wire.idle_debug = R"({"reason":"IdleTimeout"})";
    return wire;
}

AcceptFate ApnsBackend::on_accept() {
    const std::lock_guard lock(world_.mutex);
    return world_.accept_fate();
}

void ApnsBackend::on_connection_event(std::uint64_t connection, ConnectionEvent event) {
    const std::lock_guard lock(world_.mutex);
    world_.counters.add(event);
    if (event == ConnectionEvent::Closed) world_.apns.connections.erase(connection);
}

void ApnsBackend::on_client_certificate(std::uint64_t connection, ClientCertificate certificate) {
    const std::lock_guard lock(world_.mutex);
    world_.apns.connections[connection].certificate = std::move(certificate);
}

void ApnsBackend::on_streams_open(std::uint64_t connection, std::uint32_t open) {
    const std::lock_guard lock(world_.mutex);
    world_.counters.note_streams(connection, open);
}

}  // namespace belfry::simulator
