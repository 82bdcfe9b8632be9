// SPDX-License-Identifier: Apache-2.0
// OAuth 2 for service accounts: a signed assertion is exchanged for an access token (RFC 7523).
#pragma once

#include "config.h"

namespace fcm {

// The signed assertion; CONFIG if the private key cannot be used.
belfry_code make_assertion(const Host& host, const Account& account, std::string& jwt, belfry_why* why);

struct Oauth {
    const Host& host;
    const Account& account;
    int32_t endpoint;
    int32_t skew_metric;  // gauge: our clock minus the token endpoint's, seconds

    // Emits one belfry_credential. AUTH, CONFIG: an operator must act; RETRY_LATER: trouble that passes.
    belfry_code authorize(int64_t deadline_mono_ns, belfry_emit emit, void* ctx, belfry_why* why) const;
};

}  // namespace fcm
