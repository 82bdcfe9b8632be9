// SPDX-License-Identifier: Apache-2.0
#include "retry_after.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace answers {
namespace {

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || text[0] == '-' || error != std::errc{} || rest != text.data() + text.size())
        return std::nullopt;
    return value;
}

// "Wed, 21 Oct 2015 07:28:00 GMT"
std::optional<int64_t> unix_ms_of(std::string_view date) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (date.size() != 29 || date.substr(25) != " GMT") return std::nullopt;
    const auto day = number(date.substr(5, 2)), year = number(date.substr(12, 4)), hour = number(date.substr(17, 2)),
               minute = number(date.substr(20, 2)), second = number(date.substr(23, 2));
    const size_t month = kMonths.find(date.substr(8, 3));
    if (!day || !year || !hour || !minute || !second || month == std::string_view::npos || month % 3 != 0)
        return std::nullopt;
    const std::chrono::year_month_day ymd{std::chrono::year(*year),
                                          std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                          std::chrono::day(static_cast<unsigned>(*day))};
    if (!ymd.ok()) return std::nullopt;
    const int64_t days = std::chrono::sys_days(ymd).time_since_epoch().count();
    return (days * 86'400 + *hour * 3600 + *minute * 60 + *second) * 1000;
}

}  // namespace

std::optional<int64_t> retry_after_ms(std::string_view value, int64_t date_unix_ms, int64_t now_unix_ms) {
    std::optional<int64_t> wait;
    if (const auto seconds = number(value)) {
        wait = int64_t{*seconds} * 1000;
    } else if (const auto until = unix_ms_of(value)) {
        wait = *until - (date_unix_ms != 0 ? date_unix_ms : now_unix_ms);
    }
    if (wait) wait = std::clamp<int64_t>(*wait, 1000, 24 * 3600 * 1000);
    return wait;
}

}  // namespace answers
