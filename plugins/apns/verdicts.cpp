// SPDX-License-Identifier: Apache-2.0
#include "verdicts.h"

#include <algorithm>
#include <belfry/http.hpp>

#include "reasons.h"
#include "request.h"

namespace apns {
namespace {

constexpr size_t kQuotedMax = 100;  // bytes of an unknown reason
constexpr Rule kNonsense = {0, 0, "", BELFRY_FAULT, kItem, 0, 0, "not an HTTP status"};
constexpr Rule kCut = {400, 499, "", BELFRY_RETRY, kItem, 0, 0, "the answer broke off before it said why"};

// `whole`: the body can be believed; else only statuses that mean the same with any reason do.
const Rule& rule_for(int32_t status, std::string_view reason, bool whole) {
    const bool speaks = status == 408 || status == 413 || status == 429;
    if (!whole && !speaks && status >= kCut.from && status <= kCut.to) return kCut;
    for (const Rule& rule : kRules) {
        const bool fits = status >= rule.from && status <= rule.to;
        if (fits && (rule.reason.empty() || rule.reason == reason)) return rule;
    }
    return kNonsense;
}

// One refusal: what the table says of it first, then what is known beside the table. The last that knows better wins.
class Refusal {
public:
    Refusal(const Instance& instance, const belfry_answer& answer)
        : instance_(instance),
          answer_(answer),
          body_(belfry::Json::of(instance.services, belfry::view(answer.body))),
          said_(body_.string("reason")),
          rule_(rule_for(answer.status, said_, belfry::is_whole(instance.services, answer))),
          push_(answer.prepared == nullptr ? nullptr : &Push::of(answer.prepared)),
          advice_(rule_.advice) {}

    void judge(const belfry::Verdicts& verdicts) {
        const int64_t wait_ms = rule_.wait_ms == kServerError ? instance_.config.server_error_retry_ms : rule_.wait_ms;
        verdict_ = belfry::verdict_on(instance_.services, answer_, rule_.outcome, rule_.scope, rule_.flags, wait_ms);
        // After trouble inside APNs never earlier than configured: Apple asks for patience there.
        if (rule_.wait_ms == kServerError) verdict_.retry_after_ms = std::max(verdict_.retry_after_ms, wait_ms);
        if (rule_.outcome == BELFRY_DEVICE_GONE)
            verdict_.gone_unix_ms = std::max<int64_t>(0, body_.number("timestamp").value_or(0));
        // Sent again already: no third time, but a token that is too old must be renewed whatever the first time was
        // about.
        if ((rule_.flags & BELFRY_VERDICT_REAUTH) != 0 && answer_.resent > 0)
            verdict_.flags &= ~uint32_t{BELFRY_VERDICT_RESEND};
        if (instance_.config.both() && !to_channel()) know_environments();
        if (is_elsewhere() && says("BadDeviceToken")) {
            refuse(
                kItem,
                "the device is known to be of the other environment, and is kept; set environment = \"both\", or give "
                "it an instance");
        }
        if (push_ != nullptr) know_push();
        if (rule_.outcome == BELFRY_MISCONFIGURED) advice_.append(" ").append(setting());
        std::string reason = belfry::printable(said_, kQuotedMax);
        if (reason.empty()) reason = "HTTP " + std::to_string(answer_.status);
        reason.append(": ").append(advice_);
        verdict_.reason = belfry::str(std::string_view(reason));
        verdicts.give_all(answer_, verdict_);
    }

private:
    bool to_channel() const { return push_ != nullptr && push_->to_channel; }
    // Learnt while both environments were configured: there is a plan for one of them only, and it goes there all the
    // same.
    bool is_elsewhere() const {
        const uint32_t known = answer_.variant & kSandbox;
        return !to_channel() && !(known == kSandbox ? instance_.config.sandbox : instance_.config.production);
    }
    bool is_second() const { return (answer_.variant & kOnceMore) != 0; }
    bool says(std::string_view reason) const { return rule_.reason == reason; }

    const char* setting() const {
        if (to_channel()) return "broadcast_endpoint";
        return (answer_.variant & kSandbox) != 0 ? "sandbox_endpoint" : "endpoint";
    }
    void refuse(int32_t scope, std::string_view advice) {
        verdict_.outcome = BELFRY_REFUSED;
        verdict_.scope = scope;
        verdict_.flags = 0;
        advice_ = advice;
    }
    // Under another variant; the outcome counts only if it may not be sent again now.
    void send_again(uint32_t variant) {
        verdict_.outcome = BELFRY_RETRY;
        verdict_.scope = kItem;
        verdict_.flags = BELFRY_VERDICT_RESEND;
        verdict_.variant = variant;
    }

    // A token of the other environment looks like a dead one: asked there first, and given up only if both refuse it.
    // A key may be for one environment only: what the other one would say is never known then.
    void know_environments() {
        const uint32_t here = answer_.variant & kSandbox, other = here ^ kSandbox;
        Standing& standing = instance_.standing;
        const bool wrong_key =
            says("BadEnvironmentKeyIdInToken") || says("BadEnvironmentKeyInToken") || says("BadCertificateEnvironment");
        if (wrong_key && standing.close(here)) {
            instance_.services.warning(
                "the credentials are for one environment only: devices of the other cannot be reached",
                {{"not_for", here == kSandbox ? "sandbox" : "production"},
                 {"advice", "set environment, or give the other one an instance of its own"}});
        }
        if (!wrong_key && !says("BadDeviceToken")) return;
        if (standing.closed(here) && standing.closed(other)) return;  // no environment takes it: somebody must act
        if (!is_second() && !standing.closed(other)) return send_again(other | kOnceMore);
        if (wrong_key || standing.closed(other))
            refuse(kItem, "not a token of the environment that key or certificate is for; the device is kept");
    }

    void know_push() {
        const bool about_topic = says("BadTopic") || says("MissingTopic") || says("TopicDisallowed");
        if (about_topic && push_->topic_is_ours) {  // every push would be refused: they wait until somebody corrects it
            verdict_.outcome = BELFRY_MISCONFIGURED;
            verdict_.scope = kInstance;
            advice_ = "APNs refuses the configured topic; correct";
            advice_.append(" topic, or the key's rights in Apple Developer");
        }
        // The caller's own topic, or one derived for a push type, has tokens of its own: this says nothing about the
        // device.
        if (says("DeviceTokenNotForTopic") && !push_->topic_is_ours) {
            verdict_.outcome = BELFRY_REFUSED;
            verdict_.flags = 0;
        }
        // APNs' word for a topic of another team, too.
        const bool accepted = instance_.standing.accepted_since(instance_.credential_mono_ns);
        if (says("InvalidProviderToken") && !push_->topic_is_ours && accepted)
            refuse(kPush, "the key is accepted for other pushes: is apns-topic one of its team's?");
        // The expiry was derived, and the channel stores nothing: only 0 will do.
        if (says("BadExpirationDate") && to_channel() && push_->wants_expiration && !is_second())
            send_again(answer_.variant | kOnceMore);
        // Devices are sent to elsewhere: they do not wait for it.
        if (rule_.outcome == BELFRY_MISCONFIGURED && to_channel()) {
            verdict_.outcome = BELFRY_RETRY;
            verdict_.scope = kItem;
            verdict_.retry_after_ms = instance_.config.server_error_retry_ms;
        }
        if (push_->rendered && verdict_.scope == kPush) verdict_.scope = kItem;
    }

    const Instance& instance_;
    const belfry_answer& answer_;
    const belfry::Json body_;  // may be missing or not APNs' at all: then the status speaks
    const std::string said_;
    const Rule& rule_;
    const Push* const push_;  // null: unknown
    std::string advice_;
    belfry_verdict verdict_{};
};

void accept(const belfry::Services& services, const belfry_answer& answer, const belfry::Verdicts& verdicts) {
    const bool device = answer.prepared == nullptr || !Push::of(answer.prepared).to_channel;
    if (!device || (answer.variant & kOnceMore) == 0) return verdicts.accept_all(answer);
    auto verdict = belfry::verdict_on(services, answer, BELFRY_ACCEPTED, kItem, BELFRY_VERDICT_LEARN_VARIANT);
    verdict.variant &= kSandbox;
    verdicts.give_all(answer, verdict);
}

}  // namespace

void decode(const Instance& instance, belfry::Rows<belfry_answer> answers, const belfry::Verdicts& verdicts) {
    const int64_t now = instance.services.mono_ns();
    for (const belfry_answer& answer : answers) {
        if (answer.status != 200) {
            Refusal(instance, answer).judge(verdicts);
            continue;
        }
        instance.standing.accepted(answer.variant & kSandbox, now);
        accept(instance.services, answer, verdicts);
    }
}

}  // namespace apns
