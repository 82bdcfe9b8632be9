// SPDX-License-Identifier: Apache-2.0
// Endpoints' URLs, the Date header and Retry-After. A URL that is taken names the same place when it is written from
// its parts; a date that is taken is the one the C library makes of it.
#include <ctime>
#include <string>

#include <belfry/http.hpp>
#include "fuzz/fuzz.h"
#include "http/http_date.h"
#include "http/origin.h"

namespace {

using belfry::fuzz::require;
namespace http = belfry::http;

void try_url(std::string_view text) {
    const auto origin = http::parse_origin(text);
    if (!origin) {
        require(!origin.error().message.empty());
        return;
    }
    require(!origin->host.empty() && origin->port != 0 && !origin->authority.empty());
    for (const char c : origin->authority) require(c > ' ' && c < 0x7F && c != '/' && c != '@' && c != '"');
    const auto again = http::parse_origin("https://" + origin->authority);
    require(again && again->host == origin->host && again->port == origin->port);
    require(again->literal == origin->literal && again->authority == origin->authority);
}

void try_date(std::string_view text) {
    const int64_t ms = http::parse_http_date(text);
    if (ms == 0) return;
    require(ms % 1000 == 0);
    const std::time_t seconds = ms / 1000;
    std::tm parts{};
    require(::gmtime_r(&seconds, &parts) != nullptr);
    char written[64];
    const size_t n = std::strftime(written, sizeof written, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    const std::string_view shown(written, n);
    // Names of days are not compared, a leap second reads as the next minute's first
    // and strftime drops the zeros of a year.
    if (text.substr(23, 2) != "60" && text[12] != '0') require(shown.substr(3) == text.substr(3));
}

void try_retry_after(std::string_view text, int64_t now) {
    const auto wait = belfry::retry_after_ms(text, 0, now);
    if (wait) require(*wait >= 1000 && *wait <= 24 * 3600 * 1000);
    const int64_t date = http::parse_http_date(text);
    if (date != 0 && date - now > 1000 && date - now < 24 * 3600 * 1000) require(wait && *wait == date - now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text = belfry::fuzz::text_of(data, size);
    try_url(text);
    try_date(text);
    try_retry_after(text, 1'445'410'000'000);
    return 0;
}
