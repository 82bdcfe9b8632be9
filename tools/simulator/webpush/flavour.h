// SPDX-License-Identifier: Apache-2.0
// The four push services that are simulated; they agree on RFC 8030 and differ in addresses and answers.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belfry::simulator::webpush {

enum class Flavour : std::uint8_t { Fcm, Mozilla, Apple, Windows };

inline constexpr std::array kFlavours{Flavour::Fcm, Flavour::Mozilla, Flavour::Apple, Flavour::Windows};

std::string_view flavour_name(Flavour flavour);
std::optional<Flavour> flavour_of(std::string_view name);

// Path and query of a subscription, in the form its browser gets; `secret` is base64url text.
std::string target_of(Flavour flavour, std::string_view name, std::string_view secret);

}  // namespace belfry::simulator::webpush
