// SPDX-License-Identifier: Apache-2.0
#include "state/fault_effect.h"

#include <string>

#include "net/session.h"

namespace belfry::simulator {

bool leaves_processing(const FaultRule& rule) {
    switch (rule.action) {
        case FaultAction::Truncate:
        case FaultAction::Delay:
            return true;
        case FaultAction::Goaway:
            return rule.last_stream != LastStream::Before;
        default:
            return rule.processed;
    }
}

void apply_to_wire(const FaultRule& rule, Plan& plan) {
    plan.error_code = rule.code;
    plan.debug = rule.debug;
    plan.last_stream = rule.last_stream;
    plan.last_stream_id = rule.last_stream_id;
    plan.close_after_goaway = rule.close;
    switch (rule.action) {
        case FaultAction::Truncate:
            if (rule.on_wire) {
                plan.action = WireAction::CutAnswer;
            } else {
                plan.reply.body.resize(plan.reply.body.size() / 2);
            }
            break;
        case FaultAction::Rst:
            plan.action = WireAction::ResetStream;
            break;
        case FaultAction::Goaway:
            plan.action = WireAction::Goaway;
            break;
        case FaultAction::TcpReset:
            plan.action = WireAction::ResetTcp;
            break;
        case FaultAction::BlackHole:
            plan.action = WireAction::BlackHole;
            break;
        case FaultAction::HalfOpen:
            plan.action = WireAction::HalfOpen;
            break;
        case FaultAction::Status:
        case FaultAction::Delay:
        case FaultAction::RefuseConnects:
        case FaultAction::AcceptReset:
        case FaultAction::TlsStall:
            break;
    }
}

void add_retry_after(const FaultRule& rule, std::chrono::system_clock::time_point wall, Reply& reply) {
    if (rule.retry_after_s < 0) return;
    const std::string value = rule.retry_after_date ? http_date(wall + std::chrono::seconds(rule.retry_after_s))
                                                    : std::to_string(rule.retry_after_s);
    reply.headers.push_back({"retry-after", value});
}

bool is_answered(const Plan& plan) {
    if (plan.action == WireAction::Goaway) return plan.last_stream != LastStream::Before && !plan.close_after_goaway;
    return plan.action == WireAction::Answer || plan.action == WireAction::CutAnswer;
}

}  // namespace belfry::simulator
