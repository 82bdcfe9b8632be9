// SPDX-License-Identifier: Apache-2.0
// The provider token that sends and channel calls share. Apple wants one per key, at most 60 minutes old and never
// renewed within 20; connections are shared by all instances of a key, and so is its token.
//
// Threads: [any]; a call may sign. Owner: the instances of its key, also of a configuration that is being replaced.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "config.h"

namespace apns {

class ProviderToken {
public:
    // Who asks: whose services sign. All instances of one partition have the same key.
    struct Signer {
        const belfry::Services& services;
        const Config& config;
        const Account& account;
    };

    // The one of Account::partition in this process.
    static std::shared_ptr<ProviderToken> of(const std::string& partition);

    // A new one, unless the last is younger than 20 minutes and the clock was not set since; with what is left of its
    // times.
    belfry_credential renew(const Signer& signer, std::string& value);
    // The last one, or a new one if that is 45 minutes old or the clock was set since.
    std::string current(const Signer& signer);
    // 0: there is none yet.
    int64_t made_mono_ns() const;

private:
    // Under mutex_.
    int64_t age_ms(const belfry::Services& services) const { return (services.mono_ns() - made_mono_ns_) / 1'000'000; }
    void make_if_older(const Signer& signer, int64_t age_ms);

    mutable std::mutex mutex_;
    std::string value_;
    int64_t made_mono_ns_ = 0, made_unix_ms_ = 0;
};

}  // namespace apns
