// SPDX-License-Identifier: Apache-2.0
#include "provider_token.h"

#include <cstdlib>
#include <map>

namespace apns {
namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kValidMs = 55 * kMinuteMs;  // Apple: 60
constexpr int64_t kRefreshMs = 45 * kMinuteMs;
constexpr int64_t kNotAgainMs = 20 * kMinuteMs;
constexpr int64_t kClockSetMs = kMinuteMs;  // both clocks of an untouched machine differ by less

}  // namespace

std::shared_ptr<ProviderToken> ProviderToken::of(const std::string& partition) {
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<ProviderToken>> tokens;
    const std::lock_guard lock(mutex);
    std::erase_if(tokens, [](const auto& entry) { return entry.second.expired(); });
    std::shared_ptr<ProviderToken> token = tokens[partition].lock();
    if (token == nullptr) tokens[partition] = token = std::make_shared<ProviderToken>();
    return token;
}

// A token carries the wall clock's time: if that was set, or stood still while the machine slept, APNs finds the token
// too old or from the future, whatever its age.
void ProviderToken::make_if_older(const Signer& signer, int64_t most_ms) {
    const int64_t age = age_ms(signer.services), unix_ms = signer.services.unix_ms();
    const bool clock_was_set = std::abs(unix_ms - made_unix_ms_ - age) > kClockSetMs;
    if (!value_.empty() && age < most_ms && !clock_was_set) return;
    value_ = sign_provider_token(signer.services, signer.config, signer.account.key_pem);
    made_mono_ns_ = signer.services.mono_ns();
    made_unix_ms_ = unix_ms;
}

belfry_credential ProviderToken::renew(const Signer& signer, std::string& value) {
    const std::lock_guard lock(mutex_);
    make_if_older(signer, kNotAgainMs);
    value = value_;
    const int64_t age = age_ms(signer.services);
    auto credential = belfry::sized<belfry_credential>();
    credential.valid_ms = kValidMs - age;
    credential.refresh_after_ms = kRefreshMs - age;
    // The 20 minutes are kept above: only here is it known whether the clock was set.
    credential.not_again_before_ms = 0;
    return credential;
}

std::string ProviderToken::current(const Signer& signer) {
    const std::lock_guard lock(mutex_);
    make_if_older(signer, kRefreshMs);
    return value_;
}

int64_t ProviderToken::made_mono_ns() const {
    const std::lock_guard lock(mutex_);
    return made_mono_ns_;
}

}  // namespace apns
