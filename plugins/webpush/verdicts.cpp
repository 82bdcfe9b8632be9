// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <algorithm>
#include <belfry/http.hpp>

#include "errors.h"

namespace webpush {
namespace {

constexpr uint32_t kResendsMax = 2;          // the host's, per attempt
constexpr size_t kQuotedMax = 120;           // bytes of a service's own words in a reason
constexpr int64_t kWaitMaxMs = 3600 * 1000;  // no hint holds a message back for longer
constexpr std::string_view kWindowsHeaders[] = {"x-wns-status", "x-wns-msg-id", "x-wns-debug-trace",
                                                "x-wns-error-description"};

// Seconds or a date in Retry-After; seconds in WNS's own header.
std::optional<int64_t> wait_of(const belfry::Services& services, const belfry_answer& answer) {
    std::optional<int64_t> wait;
    for (const std::string_view name : {"retry-after", "x-wns-continue-after"}) {
        if (!wait) {
            wait = belfry::retry_after_ms(belfry::header_of(answer, name), answer.date_unix_ms, services.unix_ms());
        }
    }
    if (wait) wait = std::min(*wait, kWaitMaxMs);
    return wait;
}

bool is_windows(const belfry_answer& answer) {
    return std::any_of(std::begin(kWindowsHeaders), std::end(kWindowsHeaders),
                       [&](std::string_view name) { return !belfry::header_of(answer, name).empty(); });
}

Evidence read_evidence(const belfry::Services& services, Keys& keys, const belfry_answer& answer) {
    Evidence evidence;
    evidence.status = answer.status;
    evidence.retry_after_ms = wait_of(services, answer);
    evidence.windows = is_windows(answer);
    evidence.whole = belfry::is_whole(services, answer);
    evidence.proved = evidence.windows && keys.proved(answer.variant, belfry::view(answer.origin));
    const std::string_view body = belfry::view(answer.body);
    const belfry::Json json = belfry::Json::of(services, body);
    evidence.number = json.number("errno").value_or(0);
    evidence.reason = json.string("reason");
    evidence.other_json = json.is_object() && !json.has("errno") && !json.has("reason");
    evidence.text = evidence.number != 0 ? json.string("message") : std::string(body);
    if (evidence.text.empty()) evidence.text = belfry::header_of(answer, "x-wns-error-description");
    return evidence;
}

// "KEY_MISMATCH: the subscription was made for ...; HTTP 403: the VAPID credentials ..."
std::string reason_of(const Rule& rule, const Evidence& evidence) {
    std::string reason(rule.word);
    reason.append(": ").append(rule.advice).append("; HTTP ").append(std::to_string(evidence.status));
    const bool html = evidence.text.starts_with('<');
    const std::string said =
        belfry::printable(evidence.reason.empty() && !html ? evidence.text : evidence.reason, kQuotedMax);
    return said.empty() ? reason : reason.append(": ").append(said);
}

void decode_refusal(const belfry::Services& services, Keys& keys, const belfry_answer& answer,
                    const belfry::Verdicts& verdicts) {
    const Evidence evidence = read_evidence(services, keys, answer);
    const Rule& rule = *std::find_if(std::begin(kRules), std::end(kRules) - 1, [&](const Rule& each) {
        return evidence.status >= each.from && evidence.status <= each.to &&
               (each.holds == nullptr || each.holds(evidence));
    });
    const std::string reason = reason_of(rule, evidence);
    auto verdict = belfry::verdict_on(services, answer, rule.outcome, rule.scope, rule.flags);
    // Of several keys another may be the right one: no word about the subscription.
    if (rule.holds == of_another_key && keys.count() > 1) {
        const bool more = answer.resent < std::min<size_t>(keys.count() - 1, kResendsMax);
        verdict.outcome = more ? BELFRY_RETRY : BELFRY_REFUSED;
        verdict.flags = more ? uint32_t{BELFRY_VERDICT_RESEND} : 0u;
        verdict.variant = keys.next(answer.variant);
    }
    verdict.reason = belfry::str(std::string_view(reason));
    const bool waits = rule.outcome == BELFRY_THROTTLED || rule.outcome == BELFRY_RETRY;
    if (waits) verdict.retry_after_ms = evidence.retry_after_ms.value_or(rule.wait_ms);
    // A clock that was wrong when the token was made would be refused for hours.
    if (rule.outcome == BELFRY_AUTH_REFUSED && keys.distrust(belfry::view(answer.origin), answer.resent > 0))
        verdict.flags |= BELFRY_VERDICT_RESEND;
    verdicts.give_all(answer, verdict);
}

// What was sent again was perhaps sent with another key than the device remembers.
void accept(const belfry::Services& services, const Keys& keys, const belfry_answer& answer,
            const belfry::Verdicts& verdicts) {
    if (answer.resent == 0 || keys.count() == 1) return verdicts.accept_all(answer);
    verdicts.give_all(answer,
                      belfry::verdict_on(services, answer, BELFRY_ACCEPTED, kItem, BELFRY_VERDICT_LEARN_VARIANT));
}

}  // namespace

void decode(const belfry::Services& services, Keys& keys, belfry::Rows<belfry_answer> answers,
            const belfry::Verdicts& verdicts) {
    for (const belfry_answer& answer : answers) {
        if (answer.status < 200 || answer.status > 299) {
            decode_refusal(services, keys, answer, verdicts);
            continue;
        }
        // WNS says the same of a bad token and of a subscription of another key; this tells them apart.
        if (is_windows(answer)) keys.prove(answer.variant, belfry::view(answer.origin));
        accept(services, keys, answer, verdicts);
    }
}

}  // namespace webpush
