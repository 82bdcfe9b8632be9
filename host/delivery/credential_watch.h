// SPDX-License-Identifier: Apache-2.0
// What will stop a provider instance some day although it works now: a certificate that ends, a clock that is wrong,
// what its plugin warned of when it started. Shown in its status; said in the log once a day.
// Threads: [any]. Owner: Gate.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "plugins/host_factory.h"

namespace belfry::delivery {

struct CredentialReport {
    std::optional<int64_t> certificate_valid_ms;  // below 0: it has expired
    std::optional<int64_t> clock_skew_ms;         // this machine's clock minus the provider's
    std::vector<std::string> notices;             // for an operator to read
};

class CredentialWatch {
public:
    CredentialWatch(std::string provider, const Clock& clock, Log& log);
    // Of the generation in use; called about once a second.
    void know(plugins::HostFacts facts);
    // The Date of an answer to a delivery.
    void note_peer_clock(int64_t date_unix_ms);
    CredentialReport report() const;

private:
    enum Kind : uint8_t { Certificate, PeerClock, Kinds };
    struct Finding {
        Kind kind;
        std::string text;
    };
    std::vector<Finding> findings() const;
    std::optional<int64_t> certificate_valid_ms() const;
    std::optional<int64_t> clock_skew_ms() const;
    void say(const std::vector<Finding>& findings);

    const std::string provider_;
    const Clock& clock_;
    const Logger log_;
    mutable std::mutex mutex_;  // all below
    plugins::HostFacts facts_;
    int64_t peer_skew_ms_ = 0, peer_seen_mono_ns_ = 0;  // by deliveries; 0: never
    std::array<int64_t, Kinds> said_mono_ns_{};         // 0: never
};

}  // namespace belfry::delivery
