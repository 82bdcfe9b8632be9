// SPDX-License-Identifier: Apache-2.0
#include "fcm/token_class.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace belfry::simulator {

namespace {

// The number between `prefix` and the next dash.
std::optional<std::uint32_t> count_after(std::string_view token, std::string_view prefix) {
    const std::string_view rest = token.substr(prefix.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const bool ends = end == rest.data() + rest.size() || *end == '-';
    if (error != std::errc{} || !ends) return std::nullopt;
    return number;
}

struct Prefix {
    std::string_view text;
    TokenBehaviour behaviour;
};

constexpr std::array kPrefixes{
    Prefix{"unreg-", TokenBehaviour::Unregistered},
    Prefix{"bad-", TokenBehaviour::Malformed},
    Prefix{"badfield-", TokenBehaviour::MalformedByField},
    Prefix{"mismatch-", TokenBehaviour::SenderMismatch},
    Prefix{"apnsauth-", TokenBehaviour::ThirdPartyAuth},
    Prefix{"apnsauthtext-", TokenBehaviour::ThirdPartyAuthMisleading},
    Prefix{"dev429-", TokenBehaviour::DeviceQuota},
    Prefix{"r500-", TokenBehaviour::Internal},
    Prefix{"r503-", TokenBehaviour::Unavailable},
};

}  // namespace

TokenClass classify_token(std::string_view token) {
    constexpr std::string_view kSlow = "slow-";
    if (token.starts_with(kSlow)) {
        return {TokenBehaviour::Accept, 0, false, count_after(token, kSlow).value_or(0)};
    }
    const auto* found = std::find_if(kPrefixes.begin(), kPrefixes.end(),
                                     [&](const Prefix& prefix) { return token.starts_with(prefix.text); });
    if (found == kPrefixes.end()) return {};
    const bool counted = found->behaviour == TokenBehaviour::DeviceQuota ||
                         found->behaviour == TokenBehaviour::Internal ||
                         found->behaviour == TokenBehaviour::Unavailable;
    const auto count = counted ? count_after(token, found->text) : std::nullopt;
    return {found->behaviour, count.value_or(0), !count.has_value(), 0};
}

}  // namespace belfry::simulator
