// SPDX-License-Identifier: Apache-2.0
#include "http/http_date.h"

#include <chrono>

namespace belfry::http {

namespace {

constexpr std::string_view kShape = "Day, 00 Mon 0000 00:00:00 GMT";  // '0' stands for a digit
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

int number(std::string_view digits) noexcept {
    int value = 0;
    for (const char c : digits) value = value * 10 + (c - '0');
    return value;
}

bool shaped(std::string_view text) noexcept {
    if (text.size() != kShape.size()) return false;
    for (size_t i = 3; i < kShape.size(); ++i) {
        if (i >= 8 && i < 11) continue;  // the month's name
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (kShape[i] == '0' ? !digit : text[i] != kShape[i]) return false;
    }
    return true;
}

}  // namespace

int64_t parse_http_date(std::string_view text) noexcept {
    if (!shaped(text)) return 0;
    const size_t month = kMonths.find(text.substr(8, 3));
    if (month == std::string_view::npos || month % 3 != 0) return 0;
    const std::chrono::year_month_day day{std::chrono::year(number(text.substr(12, 4))),
                                          std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                          std::chrono::day(static_cast<unsigned>(number(text.substr(5, 2))))};
    const int hour = number(text.substr(17, 2)), minute = number(text.substr(20, 2)),
              second = number(text.substr(23, 2));
    if (!day.ok() || hour > 23 || minute > 59 || second > 60) return 0;
    const auto time = std::chrono::sys_days(day) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
                      std::chrono::seconds(second);
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace belfry::http
