// SPDX-License-Identifier: Apache-2.0
// The provider token that sends and channel calls share. Apple wants one per key, at most 60 minutes old and never
// renewed within 20.
//
// Threads: [any]; a call may sign. Owner: the instance.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "config.h"

namespace apns {

class ProviderToken {
public:
    ProviderToken(const belfry::Services& services, const Config& config) : services_(services), config_(config) {}

    // A new one, unless the last is younger than 20 minutes; with what is left of its times.
    belfry_credential renew(const Account& account, std::string& value);
    // The last one, or a new one if that is 45 minutes old.
    std::string current(const Account& account);

private:
    int64_t age_ms() const { return (services_.mono_ns() - made_mono_ns_) / 1'000'000; }
    void make(const Account& account);

    const belfry::Services& services_;
    const Config& config_;
    std::mutex mutex_;
    std::string value_;
    int64_t made_mono_ns_ = 0;
};

}  // namespace apns
