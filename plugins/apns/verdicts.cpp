// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <algorithm>

#include "answers/printable.h"
#include "answers/retry_after.h"
#include "reasons.h"
#include "request.h"

namespace apns {
namespace {

constexpr size_t kQuotedMax = 100;  // bytes of an unknown reason
constexpr Rule kNonsense = {0, 0, "", BELFRY_FAULT, kItem, 0, 0, "not an HTTP status"};

struct Said {
    std::string reason;
    int64_t gone_unix_ms = 0;
};

// A body may be missing or not APNs' at all: then the status speaks.
Said read_body(const belfry::Services& services, std::string_view body) {
    Said said;
    if (body.empty()) return said;
    try {
        services.json_check(body);
    } catch (const belfry::Refused&) {
        return said;
    }
    said.reason = services.json_text(body, "reason").value_or("");
    said.gone_unix_ms = std::max<int64_t>(0, services.json_int(body, "timestamp").value_or(0));
    return said;
}

const Rule& rule_for(int32_t status, std::string_view reason) {
    for (const Rule& rule : kRules) {
        const bool fits = status >= rule.from && status <= rule.to;
        if (fits && (rule.reason.empty() || rule.reason == reason)) return rule;
    }
    return kNonsense;
}

// After trouble inside APNs never earlier than configured: Apple asks for patience there.
int64_t wait_of(const belfry::Services& services, const Rule& rule, const Config& config, const belfry_answer& answer) {
    const auto hint =
        answers::retry_after_ms(belfry::header_of(answer, "retry-after"), answer.date_unix_ms, services.unix_ms());
    if (rule.wait_ms != kServerError) return hint.value_or(rule.wait_ms);
    return std::max(hint.value_or(0), config.server_error_retry_ms);
}

// A token of the other environment looks like a dead one: asked there first, and given up only if both refuse it.
void ask_other_environment(const Config& config, const belfry_answer& answer, const Rule& rule,
                           belfry_verdict& verdict) {
    const bool asked = (answer.variant & kOnceMore) != 0;
    if (!config.both() || asked || rule.reason != "BadDeviceToken") return;
    verdict.outcome = BELFRY_RETRY;  // counts only if it may not be sent again now
    verdict.flags = BELFRY_VERDICT_RESEND;
    verdict.variant = (answer.variant ^ kSandbox) | kOnceMore;
}

void fit_to_push(const belfry_prepared* prepared, const Rule& rule, belfry_verdict& verdict) {
    if (prepared == nullptr) return;
    const Push& push = Push::of(prepared);
    const bool about_topic =
        rule.reason == "BadTopic" || rule.reason == "MissingTopic" || rule.reason == "TopicDisallowed";
    if (about_topic && push.topic_is_ours) {  // every push would be refused: they wait until somebody corrects it
        verdict.outcome = BELFRY_MISCONFIGURED;
        verdict.scope = kInstance;
    }
    // The caller's own topic, or one derived for a push type, has tokens of its own: this says nothing about the
    // device.
    if (rule.reason == "DeviceTokenNotForTopic" && !push.topic_is_ours) {
        verdict.outcome = BELFRY_REFUSED;
        verdict.flags = 0;
    }
    // The expiry was derived, and the channel stores nothing: only 0 will do.
    const bool asked = (verdict.variant & kOnceMore) != 0;
    if (rule.reason == "BadExpirationDate" && push.to_channel && push.wants_expiration && !asked) {
        verdict.outcome = BELFRY_RETRY;  // counts only if it may not be sent again now
        verdict.scope = kItem;
        verdict.flags = BELFRY_VERDICT_RESEND;
        verdict.variant |= kOnceMore;
    }
    if (push.rendered && verdict.scope == kPush) verdict.scope = kItem;
}

std::string reason_of(const Rule& rule, const Said& said, int32_t status) {
    std::string text = answers::printable(said.reason, kQuotedMax);
    if (text.empty()) text = "HTTP " + std::to_string(status);
    return text.append(": ").append(rule.advice);
}

void decode_refusal(const belfry::Services& services, const Config& config, const belfry_answer& answer,
                    const belfry::Verdicts& verdicts) {
    const Said said = read_body(services, belfry::view(answer.body));
    const Rule& rule = rule_for(answer.status, said.reason);
    const std::string reason = reason_of(rule, said, answer.status);
    auto verdict = belfry::sized<belfry_verdict>();
    verdict.outcome = rule.outcome;
    verdict.scope = rule.scope;
    verdict.flags = rule.flags;
    verdict.variant = answer.variant;
    verdict.gone_unix_ms = rule.outcome == BELFRY_DEVICE_GONE ? said.gone_unix_ms : 0;
    verdict.reason = belfry::str(std::string_view(reason));
    // Sent again already: no third time, but a token that is too old must be renewed whatever the first time was about.
    if ((rule.flags & BELFRY_VERDICT_REAUTH) != 0 && answer.resent > 0)
        verdict.flags &= ~uint32_t{BELFRY_VERDICT_RESEND};
    if (rule.outcome == BELFRY_THROTTLED || rule.outcome == BELFRY_RETRY)
        verdict.retry_after_ms = wait_of(services, rule, config, answer);
    ask_other_environment(config, answer, rule, verdict);
    fit_to_push(answer.prepared, rule, verdict);
    for (uint32_t i = 0; i < answer.items; ++i) {
        verdict.item = answer.first_item + i;
        verdicts.give(verdict);
    }
}

void accept(const belfry_answer& answer, const belfry::Verdicts& verdicts) {
    auto verdict = belfry::sized<belfry_verdict>();
    verdict.outcome = BELFRY_ACCEPTED;
    verdict.scope = kItem;
    const bool device = answer.prepared == nullptr || !Push::of(answer.prepared).to_channel;
    if (device && (answer.variant & kOnceMore) != 0) {
        verdict.flags = BELFRY_VERDICT_LEARN_VARIANT;
        verdict.variant = answer.variant & kSandbox;
    }
    for (uint32_t i = 0; i < answer.items; ++i) {
        verdict.item = answer.first_item + i;
        verdicts.give(verdict);
    }
}

}  // namespace

void decode(const belfry::Services& services, const Config& config, belfry::Rows<belfry_answer> answers,
            const belfry::Verdicts& verdicts) {
    for (const belfry_answer& answer : answers) {
        if (answer.status == 200) {
            accept(answer, verdicts);
        } else {
            decode_refusal(services, config, answer, verdicts);
        }
    }
}

}  // namespace apns
