// SPDX-License-Identifier: Apache-2.0
#include "provider_token.h"

namespace apns {
namespace {

constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kValidMs = 55 * kMinuteMs;  // Apple: 60
constexpr int64_t kRefreshMs = 45 * kMinuteMs;
constexpr int64_t kNotAgainMs = 20 * kMinuteMs;

}  // namespace

void ProviderToken::make(const Account& account) {
    value_ = sign_provider_token(services_, config_, account.key_pem);
    made_mono_ns_ = services_.mono_ns();
}

belfry_credential ProviderToken::renew(const Account& account, std::string& value) {
    const std::lock_guard lock(mutex_);
    if (value_.empty() || age_ms() >= kNotAgainMs) make(account);
    value = value_;
    const int64_t age = age_ms();
    auto credential = belfry::sized<belfry_credential>();
    credential.valid_ms = kValidMs - age;
    credential.refresh_after_ms = kRefreshMs - age;
    credential.not_again_before_ms = kNotAgainMs - age;
    return credential;
}

std::string ProviderToken::current(const Account& account) {
    const std::lock_guard lock(mutex_);
    if (value_.empty() || age_ms() >= kRefreshMs) make(account);
    return value_;
}

}  // namespace apns
