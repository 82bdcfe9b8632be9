// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <algorithm>
#include <belfry/http.hpp>
#include <deque>
#include <unordered_set>

#include "codes.h"
#include "config.h"
#include "message.h"
#include "result.h"
#include "strikes.h"

namespace hms {
namespace {

constexpr size_t kQuotedMax = 160;  // bytes of Huawei's own words in a reason

// What broke off may have had any code: only the statuses speak that HMS gives for load and trouble of its own.
bool lost_its_code(const belfry::Services& services, const belfry_answer& answer) {
    const int32_t status = answer.status;
    if (status >= 200 && status <= 299) return belfry::is_cut(answer);
    return status >= 400 && status <= 499 && status != 408 && status != 413 && status != 429 &&
           !belfry::is_whole(services, answer);
}

const Rule& rule_for(const belfry::Services& services, uint32_t code, const belfry_answer& answer) {
    if (code == 0 && lost_its_code(services, answer)) return kCut;
    const uint32_t number = code != 0 ? code : static_cast<uint32_t>(std::max(answer.status, 0));
    return *std::find_if(std::begin(kCodes), std::end(kCodes) - 1,
                         [&](const Rule& rule) { return number >= rule.from && number <= rule.to; });
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
    if (for_people) reason.append("; HMS says: ").append(belfry::printable(result.text, kQuotedMax));
    if (!result.request_id.empty()) reason.append("; request ").append(result.request_id);
    return reason;
}

std::string reason_of_word(const TokenRule& rule, std::string_view word) {
    return belfry::printable(word, kQuotedMax).append(": ").append(rule.advice);
}

using Belief = DeadTokenGate::Belief;

// Of a request: how many different ones were sent, and how many of these the answer names as bad.
struct Tokens {
    size_t sent = 0, named = 0;
};
Tokens count_tokens(const belfry_answer& answer, const Result& result) {
    std::unordered_set<std::string_view> sent;
    Tokens tokens;
    if (!result.by_token) return tokens;
    for (const belfry_str& token : belfry::Rows<belfry_str>(answer.tokens)) {
        if (sent.insert(belfry::view(token)).second) tokens.named += result.illegal.count(belfry::text(token));
    }
    tokens.sent = sent.size();
    return tokens;
}

class Judge {
public:
    Judge(const belfry::Services& services, const DeadTokenGate& gate, const belfry_answer& answer,
          const belfry::Verdicts& verdicts)
        : services_(services),
          gate_(gate),
          answer_(answer),
          verdicts_(verdicts),
          result_(read_result(services, belfry::view(answer.body))),
          tokens_(count_tokens(answer, result_)),
          rule_(rule_for(services, result_.code, answer)),
          reason_(reason_of(rule_, result_, answer.status)) {}

    // For the gate: whether this request served somebody, or only had tokens called dead.
    void add_to(DeadTokenGate::Answers& sum) const {
        if (push() != nullptr && (!push()->to_devices || push()->check_only)) return;
        const bool partly = rule_.special == Special::Partly && names_tokens();
        if (rule_.outcome == BELFRY_ACCEPTED || (partly && served_some())) {
            ++sum.served;
        } else if (calls_dead() && (partly || (rule_.special == Special::AllBad && rule_of_every_token() == nullptr))) {
            ++sum.all_dead;
            sum.tokens += answer_.items;
        }
    }

    // `belief`: of the gate, in an answer that served nobody.
    void judge(Belief belief) const {
        if (rule_.special == Special::Partly) return judge_partly(belief);
        if (rule_.special == Special::AllBad && names_tokens()) return judge_all_bad(belief);
        auto verdict = verdict_for_all();
        std::string reason = reason_;
        if (verdict.outcome == BELFRY_DEVICE_GONE) doubt(verdict, belief, reason);
        verdict.reason = belfry::str(std::string_view(reason));
        verdicts_.give_all(answer_, verdict);
    }

private:
    const Push* push() const { return belfry::prepared_as<Push>(answer_.prepared); }
    bool to_one_device() const { return answer_.items == 1 && (push() == nullptr || push()->to_devices); }

    belfry_verdict verdict_for_all() const {
        auto verdict = belfry::verdict_on(services_, answer_, rule_.outcome, rule_.scope, rule_.flags, rule_.wait_ms);
        verdict.reason = belfry::str(std::string_view(reason_));
        verdict.message_id = belfry::str(std::string_view(result_.request_id));
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
            verdict.variant = Strikes::without(answer_.variant) | kSingly;
        }
        if (rule_.outcome == BELFRY_ACCEPTED && to_one_device() && Strikes::of(answer_.variant).days > 0)
            remember(Strikes{}, verdict);
        fit_to_push(verdict);
        return verdict;
    }

    void fit_to_push(belfry_verdict& verdict) const {
        if (push() == nullptr) return;
        if (rule_.special == Special::Expires && push()->ttl_is_ours) {
            verdict.outcome = BELFRY_EXPIRED;
            verdict.scope = kItem;
        }
        push()->fit(verdict);
        if (push()->check_only && verdict.outcome == BELFRY_DEVICE_GONE) {  // a check changes nothing
            verdict.outcome = BELFRY_REFUSED;
            verdict.flags = 0;
        }
    }

    // Called dead by an answer that served nobody.
    void doubt(belfry_verdict& verdict, Belief belief, std::string& reason) const {
        verdict.flags = belief == Belief::Certain ? 0 : kSuspect;
        if (belief == Belief::Certain || (belief == Belief::Suspect && answer_.items == 1)) return;
        if (to_one_device() && is_struck_out(verdict)) return;
        verdict.outcome = BELFRY_REFUSED;
        reason.append(belief == Belief::Unproven  ? "; kept: no device was served within the hour"
                      : belief == Belief::TooMany ? "; kept: too many requests were answered like this within the hour"
                                                  : "; kept: too many devices at once");
    }

    // A device that gets requests of its own is given up on the third day, if somebody was served in between.
    bool is_struck_out(belfry_verdict& verdict) const {
        const uint32_t today = day_of(services_.unix_ms());
        Strikes strikes = Strikes::of(answer_.variant);
        if (strikes.days > 0 && strikes.last_day == today) return false;
        if (today - strikes.last_day > Strikes::kForgottenAfter) strikes = {};
        if (strikes.days + 1 < Strikes::kEnough) {
            remember({strikes.days + 1, today}, verdict);
        } else if (gate_.last_served_day() >= strikes.last_day) {
            verdict.flags = 0;
            return true;
        }
        return false;
    }

    void remember(const Strikes& strikes, belfry_verdict& verdict) const {
        verdict.flags |= BELFRY_VERDICT_LEARN_VARIANT;
        verdict.variant = strikes.in(answer_.variant & kHarmony);
    }

    // Some were served, so app and credential are right. What msg does not name was served as well; if msg cannot be
    // read nobody is given up, and nobody gets it twice.
    void judge_partly(Belief belief) const {
        if (!names_tokens()) {
            static constexpr std::string_view kUnreadable =
                "80100000: some devices were refused, but which ones cannot be read; all are kept";
            auto verdict = verdict_for_all();
            verdict.outcome = BELFRY_FAULT;
            verdict.reason = belfry::str(kUnreadable);
            return verdicts_.give_all(answer_, verdict);
        }
        const size_t named = tokens_.named;
        const bool all_said = result_.failure < 0 || static_cast<size_t>(result_.failure) == named;
        if (!all_said || named < result_.illegal.size()) {
            const std::string failures = std::to_string(result_.failure), ours = std::to_string(named);
            services_.warning("HMS names tokens that were not sent, or not all bad ones",
                              {{"request", result_.request_id}, {"failures", failures}, {"named", ours}});
        }
        judge_by_word(served_some(), belief);
    }

    // The same word about every token is about the app or the push, not about devices.
    void judge_all_bad(Belief belief) const {
        const TokenRule* const rule = rule_of_every_token();
        if (rule == nullptr) return judge_by_word(false, belief);
        auto verdict = verdict_for_all();
        verdict.outcome = rule->scope_if_all == kInstance ? BELFRY_MISCONFIGURED : rule->outcome;
        verdict.scope = rule->scope_if_all;
        verdict.flags = rule->flags;
        fit_to_push(verdict);
        const std::string reason = reason_of_word(*rule, rule->word);
        verdict.reason = belfry::str(std::string_view(reason));
        verdicts_.give_all(answer_, verdict);
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

    // Somebody, not only refused for what is no fault of the device.
    bool calls_dead() const {
        if (!names_tokens() || result_.illegal.empty()) return true;
        return std::any_of(result_.illegal.begin(), result_.illegal.end(), [](const auto& bad) {
            return bad.second.empty() || token_rule_for(bad.second).outcome == BELFRY_DEVICE_GONE;
        });
    }
    bool served_some() const { return tokens_.named < tokens_.sent && result_.success != 0; }
    bool names_tokens() const { return result_.by_token && answer_.tokens.n == answer_.items; }

    void judge_by_word(bool proven, Belief belief) const {
        uint32_t item = answer_.first_item;
        for (const belfry_str& token : belfry::Rows<belfry_str>(answer_.tokens)) {
            const auto bad = result_.illegal.find(belfry::text(token));
            if (bad != result_.illegal.end()) {
                give_bad(item, bad->second, proven, belief);
            } else if (rule_.special == Special::Partly && proven) {
                verdicts_.accepted(item, result_.request_id);
            } else {  // nobody was served, and this one is not among the bad ones
                verdicts_.give(item, BELFRY_REFUSED, BELFRY_SCOPE_ITEM, reason_);
            }
            ++item;
        }
    }

    // `proven`: the same answer served another one.
    void give_bad(uint32_t item, const std::string& word, bool proven, Belief belief) const {
        auto verdict = belfry::verdict_on(services_, answer_, BELFRY_DEVICE_GONE, kItem);
        std::string reason = reason_;
        if (!word.empty()) {
            const TokenRule& rule = token_rule_for(word);
            verdict = belfry::verdict_on(services_, answer_, rule.outcome, kItem, rule.flags, rule.wait_ms);
            if (rule.flags == kSuspect && !proven) verdict.outcome = BELFRY_REFUSED;
            reason = reason_of_word(rule, word);
        }
        verdict.item = item;
        fit_to_push(verdict);
        if (verdict.outcome == BELFRY_DEVICE_GONE && !proven) doubt(verdict, belief, reason);
        verdict.reason = belfry::str(std::string_view(reason));
        verdicts_.give(verdict);
    }

    const belfry::Services& services_;
    const DeadTokenGate& gate_;
    const belfry_answer& answer_;
    const belfry::Verdicts& verdicts_;
    const Result result_;
    const Tokens tokens_;
    const Rule& rule_;
    const std::string reason_;
};

}  // namespace

void decode(const belfry::Services& services, DeadTokenGate& gate, belfry::Rows<belfry_answer> answers,
            const belfry::Verdicts& verdicts) {
    std::deque<Judge> judges;
    DeadTokenGate::Answers sum;
    for (const belfry_answer& answer : answers) judges.emplace_back(services, gate, answer, verdicts).add_to(sum);
    const Belief belief = gate.weigh(sum);
    for (const Judge& judge : judges) judge.judge(belief);
}

}  // namespace hms
