// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <algorithm>
#include <unordered_set>

#include "answers/retry_after.h"
#include "codes.h"
#include "config.h"
#include "message.h"
#include "result.h"

namespace hms {
namespace {

constexpr size_t kQuotedMax = 160;  // bytes of Huawei's own words in a reason
constexpr Rule kNonsense = {0, 0, "", BELFRY_FAULT, kItem, 0, 0, Special::None, "not an HTTP status"};

const Rule& rule_for(uint32_t code, int32_t status) {
    const uint32_t number = code != 0 ? code : static_cast<uint32_t>(std::max(status, 0));
    const auto* const found = std::find_if(std::begin(kCodes), std::end(kCodes),
                                           [&](const Rule& rule) { return number >= rule.from && number <= rule.to; });
    return found == std::end(kCodes) ? kNonsense : *found;
}

const TokenRule& token_rule_for(std::string_view word) {
    return *std::find_if(std::begin(kTokenRules), std::end(kTokenRules) - 1,
                         [&](const TokenRule& rule) { return rule.word == word; });
}

// "80300002: no right to send ...; HMS says: ..., request 1234"
std::string reason_of(const Rule& rule, const Result& result, int32_t status) {
    std::string reason = result.code != 0 ? std::to_string(result.code) : "HTTP " + std::to_string(status);
    reason.append(": ").append(rule.advice);
    const bool for_people = !result.text.empty() && !result.text.starts_with('{');  // lists of tokens stay out
    if (for_people) reason.append("; HMS says: ").append(printable(result.text, kQuotedMax));
    if (!result.request_id.empty()) reason.append("; request ").append(result.request_id);
    return reason;
}

std::string reason_of_word(const TokenRule& rule, std::string_view word) {
    return printable(word, kQuotedMax).append(": ").append(rule.advice);
}

class Judge {
public:
    Judge(const belfry::Services& services, const belfry_answer& answer, const belfry::Verdicts& verdicts)
        : services_(services),
          answer_(answer),
          verdicts_(verdicts),
          result_(read_result(services, belfry::view(answer.body))),
          rule_(rule_for(result_.code, answer.status)),
          reason_(reason_of(rule_, result_, answer.status)) {}

    void judge() const {
        if (rule_.special == Special::Partly) return judge_partly();
        if (rule_.special == Special::AllBad && names_tokens()) return judge_all_bad();
        give_all(verdict_for_all());
    }

private:
    const Push* push() const { return answer_.prepared == nullptr ? nullptr : &Push::of(answer_.prepared); }

    belfry_verdict verdict_for_all() const {
        auto verdict = belfry::sized<belfry_verdict>();
        verdict.outcome = rule_.outcome;
        verdict.scope = rule_.scope;
        verdict.flags = rule_.flags;
        verdict.variant = answer_.variant;
        verdict.reason = belfry::str(std::string_view(reason_));
        verdict.message_id = belfry::str(std::string_view(result_.request_id));
        verdict.retry_after_ms = wait_of(rule_.outcome, rule_.wait_ms);
        // Sent again already: no third time, but a credential that is refused must be renewed whatever the first time
        // was about.
        if (answer_.resent > 0) verdict.flags &= ~uint32_t{BELFRY_VERDICT_RESEND};
        if (rule_.special == Special::SendAgain && answer_.resent == 0) {
            verdict.outcome = BELFRY_RETRY;
            verdict.flags = BELFRY_VERDICT_RESEND;
        }
        if (rule_.special == Special::Singly && answer_.items > 1) {
            verdict.outcome = BELFRY_RETRY;
            verdict.flags = BELFRY_VERDICT_RESEND;
            verdict.variant = answer_.variant | kSingly;
        }
        fit_to_push(verdict);
        return verdict;
    }

    int64_t wait_of(int32_t outcome, int64_t usual_ms) const {
        if (outcome != BELFRY_RETRY && outcome != BELFRY_THROTTLED) return 0;
        const auto named = answers::retry_after_ms(belfry::header_of(answer_, "retry-after"), answer_.date_unix_ms,
                                                   services_.unix_ms());
        return named.value_or(usual_ms);
    }

    // A topic has no device to give up, and what refuses one payload out of many says nothing about the others.
    void fit_to_push(belfry_verdict& verdict) const {
        if (push() == nullptr) return;
        if (rule_.special == Special::Expires && push()->ttl_is_ours) {
            verdict.outcome = BELFRY_EXPIRED;
            verdict.scope = kItem;
        }
        if (!push()->to_devices && verdict.outcome == BELFRY_DEVICE_GONE) {
            verdict.outcome = BELFRY_REFUSED;
            verdict.flags = 0;
        }
        if (push()->rendered && verdict.scope == kPush) verdict.scope = kItem;
    }

    void give_all(belfry_verdict verdict) const {
        for (uint32_t i = 0; i < answer_.items; ++i) {
            verdict.item = answer_.first_item + i;
            verdicts_.give(verdict);
        }
    }

    // Some were served, so app and credential are right. What msg does not name was served as well; if msg cannot be
    // read nobody is given up, and nobody gets it twice.
    void judge_partly() const {
        if (!names_tokens()) {
            static constexpr std::string_view kUnreadable =
                "80100000: some devices were refused, but which ones cannot be read; all are kept";
            auto verdict = verdict_for_all();
            verdict.outcome = BELFRY_FAULT;
            verdict.reason = belfry::str(kUnreadable);
            return give_all(verdict);
        }
        std::unordered_set<std::string_view> sent;
        size_t named = 0;
        for (const belfry_str& token : belfry::Rows<belfry_str>(answer_.tokens)) {
            if (sent.insert(belfry::view(token)).second) named += result_.illegal.count(belfry::text(token));
        }
        const bool all_said = result_.failure < 0 || static_cast<size_t>(result_.failure) == named;
        if (!all_said || named < result_.illegal.size()) {
            const std::string failures = std::to_string(result_.failure), ours = std::to_string(named);
            services_.warning("HMS names tokens that were not sent, or not all bad ones",
                              {{"request", result_.request_id}, {"failures", failures}, {"named", ours}});
        }
        judge_by_word(named < sent.size() && result_.success != 0);
    }

    // The same word about every token is about the app or the push, not about devices.
    void judge_all_bad() const {
        const TokenRule* const rule = rule_of_every_token();
        if (rule == nullptr) return judge_by_word(false);
        auto verdict = verdict_for_all();
        verdict.outcome = rule->scope_if_all == kInstance ? BELFRY_MISCONFIGURED : rule->outcome;
        verdict.scope = rule->scope_if_all;
        verdict.flags = rule->flags;
        fit_to_push(verdict);
        const std::string reason = reason_of_word(*rule, rule->word);
        verdict.reason = belfry::str(std::string_view(reason));
        give_all(verdict);
    }

    // Null: some token has another scope, or none that is more than its own.
    const TokenRule* rule_of_every_token() const {
        const TokenRule* first = nullptr;
        for (const belfry_str& token : belfry::Rows<belfry_str>(answer_.tokens)) {
            const auto bad = result_.illegal.find(belfry::text(token));
            if (bad == result_.illegal.end()) return nullptr;
            const TokenRule& rule = token_rule_for(bad->second);
            if (first == nullptr) first = &rule;
            if (rule.scope_if_all == kItem || rule.scope_if_all != first->scope_if_all) return nullptr;
        }
        return first;
    }

    bool names_tokens() const { return result_.by_token && answer_.tokens.n == answer_.items; }

    void judge_by_word(bool proven) const {
        uint32_t item = answer_.first_item;
        for (const belfry_str& token : belfry::Rows<belfry_str>(answer_.tokens)) {
            const auto bad = result_.illegal.find(belfry::text(token));
            if (bad != result_.illegal.end()) {
                give_bad(item, bad->second, proven);
            } else if (rule_.special == Special::Partly) {
                verdicts_.accepted(item, result_.request_id);
            } else {  // all are bad, and this one is not among them
                verdicts_.give(item, BELFRY_REFUSED, BELFRY_SCOPE_ITEM, reason_);
            }
            ++item;
        }
    }

    void give_bad(uint32_t item, const std::string& word, bool proven) const {
        auto verdict = belfry::sized<belfry_verdict>();
        verdict.item = item;
        verdict.scope = kItem;
        verdict.variant = answer_.variant;
        verdict.outcome = BELFRY_DEVICE_GONE;
        std::string reason = reason_;
        if (!word.empty()) {
            const TokenRule& rule = token_rule_for(word);
            const bool not_believed = rule.flags == kSuspect && !proven;
            verdict.outcome = not_believed ? BELFRY_REFUSED : rule.outcome;
            verdict.flags = not_believed ? 0 : rule.flags;
            verdict.retry_after_ms = wait_of(rule.outcome, rule.wait_ms);
            reason = reason_of_word(rule, word);
        }
        if (verdict.outcome == BELFRY_DEVICE_GONE && !proven) verdict.flags |= kSuspect;
        verdict.reason = belfry::str(std::string_view(reason));
        verdicts_.give(verdict);
    }

    const belfry::Services& services_;
    const belfry_answer& answer_;
    const belfry::Verdicts& verdicts_;
    const Result result_;
    const Rule& rule_;
    const std::string reason_;
};

}  // namespace

void decode(const belfry::Services& services, belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) {
    for (const belfry_answer& answer : answers) Judge(services, answer, verdicts).judge();
}

}  // namespace hms
