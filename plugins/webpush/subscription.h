// SPDX-License-Identifier: Apache-2.0
// A browser's PushSubscription: read from the text that an application registers, kept as endpoint and provider_data.
#pragma once

#include <belfry/services.hpp>
#include <string>
#include <string_view>

namespace webpush {

struct Subscription {
    std::string endpoint;         // byte for byte
    std::string p256dh, auth;     // 65 and 16 bytes, not yet checked to be a point
    std::string application_key;  // 65 bytes; empty: the page does not say
};

// Throws Refused with BAD_REQUEST and the member that is wrong.
Subscription read_subscription(const belfry::Services& services, std::string_view json);

// "<p256dh>.<auth>" in base64url: provider_data, as belfry/provider.h asks for.
std::string write_keys(const Subscription& subscription);
// False if it is not what write_keys gave.
bool read_keys(std::string_view data, std::string& p256dh, std::string& auth);

}  // namespace webpush
