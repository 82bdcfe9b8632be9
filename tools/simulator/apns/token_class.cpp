// SPDX-License-Identifier: Apache-2.0
#include "apns/token_class.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace belfry::simulator {

namespace {

constexpr std::size_t kBytesMax = 200;
constexpr std::uint32_t kSlowUnitMs = 10;

struct Prefix {
    std::string_view text;
    ApnsBehaviour behaviour;
    bool counted = false;
};

constexpr std::array kPrefixes{
    Prefix{"bad0", ApnsBehaviour::Unknown},         Prefix{"0ff", ApnsBehaviour::OtherApp},
    Prefix{"dead", ApnsBehaviour::Unregistered},    Prefix{"fade", ApnsBehaviour::Expired},
    Prefix{"429", ApnsBehaviour::TooMany, true},    Prefix{"500", ApnsBehaviour::Internal, true},
    Prefix{"503", ApnsBehaviour::Unavailable, true}};

std::uint32_t hex_number(std::string_view digits) {
    std::uint32_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return number;
}

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    });
}

}  // namespace

std::string normalised_apns_token(std::string_view token) {
    std::string lower(token);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    return lower;
}

ApnsDevice classify_apns_token(std::string_view token) {
    constexpr std::string_view kSandbox = "5a", kSlow = "510", kLongAgo = "01d";
    ApnsDevice device;
    device.well_formed = !token.empty() && token.size() % 2 == 0 && token.size() / 2 <= kBytesMax && is_hex(token);
    if (!device.well_formed) return device;
    const std::string text = normalised_apns_token(token);
    std::string_view rest = text;
    device.sandbox = rest.starts_with(kSandbox);
    if (device.sandbox) rest.remove_prefix(kSandbox.size());
    if (rest.starts_with(kSlow)) {
        device.slow_ms = hex_number(rest.substr(kSlow.size(), 2)) * kSlowUnitMs;
        return device;
    }
    const auto* found = std::find_if(kPrefixes.begin(), kPrefixes.end(),
                                     [&](const Prefix& prefix) { return rest.starts_with(prefix.text); });
    if (found == kPrefixes.end()) return device;
    rest.remove_prefix(found->text.size());
    device.behaviour = found->behaviour;
    device.long_ago = rest.starts_with(kLongAgo);
    if (found->counted) device.failures = hex_number(rest.substr(0, 1));
    return device;
}

}  // namespace belfry::simulator
