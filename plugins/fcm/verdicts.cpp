// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <algorithm>
#include <belfry/http.hpp>

#include "errors.h"
#include "plan.h"

namespace fcm {
namespace {

constexpr size_t kQuotedMax = 240;  // bytes of FCM's own message in a reason

size_t skip_space(std::string_view text, size_t at) {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) ++at;
    return at;
}

// {"name": "projects/p/messages/1"} gives the name's text; nothing if there is none or it has escapes. Runs for every
// delivery, so it looks at as few bytes as it can.
std::string_view name_in(std::string_view body) {
    constexpr std::string_view kKey = "\"name\"";
    size_t at = std::min(skip_space(body, skip_space(body, 0) + 1), body.size());  // behind the brace
    if (!body.substr(at).starts_with(kKey)) at = body.find(kKey, at);
    if (at == std::string_view::npos) return {};
    at = skip_space(body, at + kKey.size());
    if (at >= body.size() || body[at] != ':') return {};
    at = skip_space(body, at + 1);
    if (at >= body.size() || body[at] != '"') return {};
    const size_t end = body.find('"', at + 1);
    if (end == std::string_view::npos) return {};
    const std::string_view name = body.substr(at + 1, end - at - 1);
    return name.find('\\') == std::string_view::npos ? name : std::string_view{};
}

// FCM always answers with an object; a sink may leave the body out. Anything else is a proxy's page.
bool is_fcms(std::string_view body) {
    const size_t first = skip_space(body, 0);
    return first == body.size() || body[first] == '{';
}

const Rule& rule_for(const Evidence& evidence) {
    return *std::find_if(std::begin(kRules), std::end(kRules) - 1, [&](const Rule& rule) {
        const bool fits = evidence.status >= rule.from && evidence.status <= rule.to &&
                          (rule.fcm_error.empty() || rule.fcm_error == evidence.fcm_error);
        return fits && (rule.holds == nullptr || rule.holds(evidence));
    });
}

// What FCM refuses of a topic it refuses as a whole.
void fit_to_push(const belfry_prepared* prepared, belfry_verdict& verdict) {
    const auto* const push = belfry::prepared_as<belfry::PushShape>(prepared);
    if (push == nullptr) return;
    push->fit(verdict);
    if (!push->to_devices && !push->rendered && verdict.outcome == BELFRY_REFUSED) verdict.scope = BELFRY_SCOPE_PUSH;
}

// "UNREGISTERED: the app was uninstalled ...; FCM says: Requested entity was not found."
std::string reason_of(const Rule& rule, const Evidence& evidence) {
    std::string reason(rule.word);
    reason.append(": ").append(rule.advice);
    std::string_view said = evidence.message;
    if (said.size() > kQuotedMax) {
        size_t cut = kQuotedMax;
        while (cut > 0 && (static_cast<unsigned char>(said[cut]) & 0xC0) == 0x80) --cut;
        said = said.substr(0, cut);
    }
    if (!evidence.field.empty()) reason.append("; field ").append(evidence.field, 0, kQuotedMax);
    if (said.empty()) return reason.append("; HTTP ").append(std::to_string(evidence.status));
    return reason.append("; FCM says: ").append(said);
}

void decode_refusal(const belfry::Services& services, const belfry_answer& answer, const belfry::Verdicts& verdicts) {
    const Evidence evidence = read_evidence(services, answer);
    const Rule& rule = rule_for(evidence);
    const std::string reason = reason_of(rule, evidence);
    auto verdict = belfry::verdict_on(services, answer, rule.outcome, rule.scope, rule.flags, rule.wait_ms);
    verdict.reason = belfry::str(std::string_view(reason));
    fit_to_push(answer.prepared, verdict);
    verdicts.give_all(answer, verdict);
}

}  // namespace

void decode(const belfry::Services& services, belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) {
    for (const belfry_answer& answer : answers) {
        const std::string_view body = belfry::view(answer.body);
        if (answer.status < 200 || answer.status > 299 || !is_fcms(body)) {
            decode_refusal(services, answer, verdicts);
        } else {
            verdicts.accept_all(answer, name_in(body));
        }
    }
}

}  // namespace fcm
