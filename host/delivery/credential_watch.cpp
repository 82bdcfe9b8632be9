// SPDX-License-Identifier: Apache-2.0
#include "delivery/credential_watch.h"

#include <cstdlib>
#include <utility>

namespace belfry::delivery {

namespace {

constexpr int64_t kDayMs = 24 * 3'600'000;
constexpr int64_t kCertificateNoticeMs = 30 * kDayMs;
constexpr int64_t kSkewNoticeMs = 60'000;  // providers refuse tokens made that far in their future
constexpr int64_t kSayAgainNs = kDayMs * kNsPerMs;
constexpr int64_t kPeerClockEveryNs = kNsPerSecond;

}  // namespace

CredentialWatch::CredentialWatch(std::string provider, const Clock& clock, Log& log)
    : provider_(std::move(provider)), clock_(clock), log_(log, "delivery") {}

void CredentialWatch::know(plugins::HostFacts facts) {
    std::vector<Finding> found;
    {
        const std::lock_guard lock(mutex_);
        facts_ = std::move(facts);
        found = findings();
    }
    say(found);
}

void CredentialWatch::note_peer_clock(int64_t date_unix_ms) {
    const int64_t now = clock_.mono_ns();
    const std::lock_guard lock(mutex_);
    if (peer_seen_mono_ns_ != 0 && now < peer_seen_mono_ns_ + kPeerClockEveryNs) return;
    peer_seen_mono_ns_ = now;
    peer_skew_ms_ = clock_.unix_ms() - date_unix_ms;
}

std::optional<int64_t> CredentialWatch::certificate_valid_ms() const {
    if (facts_.certificate_until_unix_ms == 0) return std::nullopt;
    return facts_.certificate_until_unix_ms - clock_.unix_ms();
}

std::optional<int64_t> CredentialWatch::clock_skew_ms() const {
    if (peer_seen_mono_ns_ == 0 && facts_.clock_seen_mono_ns == 0) return std::nullopt;
    return peer_seen_mono_ns_ > facts_.clock_seen_mono_ns ? peer_skew_ms_ : facts_.clock_skew_ms;
}

std::vector<CredentialWatch::Finding> CredentialWatch::findings() const {
    std::vector<Finding> found;
    if (const auto valid = certificate_valid_ms(); valid && *valid < kCertificateNoticeMs) {
        found.push_back({Certificate, *valid <= 0 ? "its certificate has expired: make a new one, reload"
                                                  : "its certificate expires in " + std::to_string(*valid / kDayMs) +
                                                        " days: make a new one, reload"});
    }
    if (const auto skew = clock_skew_ms(); skew && std::abs(*skew) > kSkewNoticeMs) {
        found.push_back({PeerClock, "this machine's clock is " + std::to_string(std::abs(*skew) / 1000) + " s " +
                                        (*skew > 0 ? "ahead of" : "behind") +
                                        " the provider's: set it, or tokens will be refused"});
    }
    return found;
}

void CredentialWatch::say(const std::vector<Finding>& findings) {
    const int64_t now = clock_.mono_ns();
    for (const Finding& finding : findings) {
        {
            const std::lock_guard lock(mutex_);
            int64_t& said = said_mono_ns_[finding.kind];
            if (said != 0 && now < said + kSayAgainNs) continue;
            said = now;
        }
        log_.warning("provider will stop some day", {{"provider", provider_}, {"reason", finding.text}});
    }
}

CredentialReport CredentialWatch::report() const {
    const std::lock_guard lock(mutex_);
    CredentialReport report;
    report.certificate_valid_ms = certificate_valid_ms();
    report.clock_skew_ms = clock_skew_ms();
    for (Finding& finding : findings()) report.notices.push_back(std::move(finding.text));
    report.notices.insert(report.notices.end(), facts_.warnings.begin(), facts_.warnings.end());
    return report;
}

}  // namespace belfry::delivery
