// SPDX-License-Identifier: Apache-2.0
#include "fcm/backend.h"

#include <utility>

#include "fcm/errors.h"
#include "fcm/fault_reply.h"
#include "fcm/send.h"
#include "fcm/subscriptions.h"
#include "net/gzip.h"
#include "state/fault_effect.h"

namespace belfry::simulator {

namespace {

Route route_of(FcmMethod method) {
    switch (method) {
        case FcmMethod::Token:
            return Route::Token;
        case FcmMethod::Send:
            return Route::Send;
        case FcmMethod::Unknown:
            return Route::Other;
        default:
            return Route::Topics;
    }
}

// What every Google endpoint asks of the request itself; nothing when it is in order.
std::optional<Reply> check_headers(const Request& request, FcmMethod method) {
    if (request.authority.empty()) return html_error(400, "Bad Request");
    const bool framed =
        request.http2 || !request.header("content-length").empty() || !request.header("transfer-encoding").empty();
    if (request.method == "POST" && !framed) return html_error(411, "Length Required");
    const bool wants_json = method == FcmMethod::Send || method == FcmMethod::SubscriptionCreate ||
                            method == FcmMethod::IidBatchAdd || method == FcmMethod::IidBatchRemove;
    if (!wants_json || request.header("content-type").starts_with("application/json")) return std::nullopt;
    const std::string why = "Invalid JSON payload received. Content-Type must be application/json.";
    return GoogleError(400, "INVALID_ARGUMENT", why).bad_request({{"", why}}).reply();
}

}  // namespace

Plan FcmBackend::handle(Request&& request) {
    Call call = read_call(request);
    const std::lock_guard lock(world_.mutex);
    Plan plan = decide(request, call);
    finish(request, call, plan);
    return plan;
}

FcmBackend::Call FcmBackend::read_call(const Request& request) {
    Call call;
    call.match = match_route(request);
    call.route = route_of(call.match.method);
    call.entry.hash_body(request.body);
    if (call.route != Route::Send) return call;
    SendOptions options;
    {
        const std::lock_guard lock(world_.mutex);
        options.refuse_duplicate_keys = world_.settings.duplicate_keys == "refuse";
        options.android_too_big_text = world_.settings.too_big_text == "android";
    }
    call.send = read_send_request(request.body, options);
    return call;
}

Plan FcmBackend::decide(const Request& request, Call& call) {
    const std::int64_t arrival = world_.clock.uptime().count();
    call.entry.arrival_ms = arrival;
    world_.counters.add(Counters::Requests);
    if (call.route == Route::Send) {
        world_.counters.add(Counters::Sends);
        world_.counters.add_arrival(arrival);
    }
    if (call.route == Route::Token) world_.counters.add(Counters::TokenFetches);
    if (call.route == Route::Topics) world_.counters.add(Counters::TopicRequests);

    Plan plan;
    const FaultDecision fault =
        world_.faults.decide({call.route, call.match.project, call.send.target.text, request.connection});
    const bool processed = !fault.rule || leaves_processing(*fault.rule);
    if (processed) process(request, call, plan);
    if (fault.rule) {
        call.entry.fault = std::string(action_name(fault.rule->action));
        if (fault.rule->action == FaultAction::Status) {
            plan.reply = fault_reply(*fault.rule, call.route, world_.simulated_wall());
        }
        apply_to_wire(*fault.rule, plan);
    }
    plan.before_headers += std::chrono::milliseconds(fault.before_headers_ms);
    plan.before_body += std::chrono::milliseconds(fault.before_body_ms);
    return plan;
}

void FcmBackend::process(const Request& request, Call& call, Plan& plan) {
    if (auto refusal = check_headers(request, call.match.method)) {
        plan.reply = std::move(*refusal);
        return;
    }
    switch (call.match.method) {
        case FcmMethod::Token:
            plan.reply = world_.oauth.answer(request, world_.settings, world_.simulated_wall(), world_.clock.uptime());
            if (plan.reply.status == 200) world_.counters.add(Counters::TokensIssued);
            return;
        case FcmMethod::Send: {
            SendOutcome outcome = send_message(world_, request, call.match.project, call.send, ++messages_);
            plan.reply = std::move(outcome.reply);
            plan.before_headers += outcome.slow;
            call.entry.accepted = outcome.accepted;
            return;
        }
        case FcmMethod::IidBatchAdd:
        case FcmMethod::IidBatchRemove:
            plan.reply = change_topics_legacy(world_, request, call.match.method == FcmMethod::IidBatchAdd);
            return;
        case FcmMethod::Unknown:
            plan.reply = html_not_found(request.path);
            return;
        default:
            plan.reply = handle_subscription(world_, request, call.match);
    }
}

void FcmBackend::finish(const Request& request, Call& call, Plan& plan) {
    const Settings& settings = world_.settings;
    plan.before_headers += std::chrono::milliseconds(settings.latency_ms);
    if (settings.latency_jitter_ms > 0) {
        std::uniform_int_distribution<std::int64_t> jitter(0, settings.latency_jitter_ms);
        plan.before_headers += std::chrono::milliseconds(jitter(random_));
    }
    const bool answered = is_answered(plan);
    const int status = answered ? plan.reply.status : 0;
    if (!answered) world_.counters.add(Counters::Unanswered);
    world_.counters.add_status(status);
    if (call.route == Route::Send) world_.counters.add_send_status(status);
    if (call.entry.accepted) world_.counters.add(Counters::Accepted);
    call.entry.validate_only = call.send.validate_only;
    if (call.send.validate_only && plan.reply.status == 200) world_.counters.add(Counters::ValidateOnly);

    call.entry.connection = request.connection;
    call.entry.stream = request.stream;
    call.entry.route = route_name(call.route);
    call.entry.project = std::move(call.match.project);
    call.entry.target = call.send.target.label();
    call.entry.status = status;
    world_.journal.add(std::move(call.entry));

    plan.reply.headers.push_back({"date", http_date(world_.simulated_wall())});
    const bool wants_gzip = request.header("accept-encoding").find("gzip") != std::string_view::npos;
    if (settings.gzip && wants_gzip && !plan.reply.body.empty()) {
        plan.reply.body = gzip(plan.reply.body);
        plan.reply.headers.push_back({"content-encoding", "gzip"});
    }
    plan.reply.headers.push_back({"vary", "Accept-Encoding"});
}

WireSettings FcmBackend::wire_settings(std::uint64_t) {
    const std::lock_guard lock(world_.mutex);
    const Settings& settings = world_.settings;
    WireSettings wire;
    wire.stream_limit = static_cast<std::uint32_t>(settings.stream_limit);
    wire.refuse_excess_streams = settings.stream_limit_violation == "refuse";
    wire.max_age = std::chrono::milliseconds(settings.connection_max_age_ms);
    wire.max_idle = std::chrono::milliseconds(settings.connection_max_idle_ms);
    return wire;
}

AcceptFate FcmBackend::on_accept() {
    const std::lock_guard lock(world_.mutex);
    return world_.accept_fate();
}

void FcmBackend::on_connection_event(std::uint64_t, ConnectionEvent event) {
    const std::lock_guard lock(world_.mutex);
    world_.counters.add(event);
}

void FcmBackend::on_streams_open(std::uint64_t connection, std::uint32_t open) {
    const std::lock_guard lock(world_.mutex);
    world_.counters.note_streams(connection, open);
}

}  // namespace belfry::simulator
