// SPDX-License-Identifier: Apache-2.0
#include "hms/token_class.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace belfry::simulator {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kWords{{
    {"illegal-", "tokenFormatError"},
    {"foreign-", "noRight"},
    {"platform-", "tokenPlatformNotSupport"},
    {"pushtype-", "noPushTypeRight"},
    {"atomic-", "atomicUnableSendUnsubscribedMsg"},
    {"country-", "countryNotSupport"},
    {"penalty-", "disableSendHuaweiMsgBecauseOfPenalty"},
    {"image-", "differentImgVerifyPolicy"},
    {"appinfo-", "appinfoError"},
    {"voice-", "notSupportPlayVoice"},
    {"live-", "noRightToSendThisLiveNotificationEvent"},
    {"odd-", "unknown"},
}};
constexpr std::size_t kOfBothApis = 2;  // the first of them

}  // namespace

HmsDevice classify_hms_token(std::string_view token, bool harmony) {
    constexpr std::string_view kNext = "next-", kSlow = "slow-";
    HmsDevice device;
    if (token.starts_with(kNext) != harmony) {
        device.word = harmony ? "noRight" : "tokenFormatError";
        return device;
    }
    if (harmony) token.remove_prefix(kNext.size());
    if (token.starts_with(kSlow)) {
        token.remove_prefix(kSlow.size());
        std::from_chars(token.data(), token.data() + token.size(), device.slow_ms);
        return device;
    }
    const auto end = harmony ? kWords.end() : kWords.begin() + kOfBothApis;
    const auto* const found =
        std::find_if(kWords.begin(), end, [&](const auto& each) { return token.starts_with(each.first); });
    if (found != end) device.word = found->second;
    return device;
}

}  // namespace belfry::simulator
