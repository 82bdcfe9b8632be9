// SPDX-License-Identifier: Apache-2.0
// What providers over HTTP read alike: URLs of a configuration, Retry-After, and the answers of OAuth's token
// endpoints. Header-only, C++17. Threads: [any].
#pragma once

#include <algorithm>
#include <belfry/json.hpp>
#include <belfry/provider.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belfry {

struct HttpsUrl {
    std::string origin, path;  // "https://host[:port]" and "/..." with its query
};
// Refused with CONFIG and `where` if `url` is none.
inline HttpsUrl split_https_url(const std::string& url, const std::string& where) {
    constexpr std::string_view kScheme = "https://";
    const size_t slash = std::min(url.find('/', kScheme.size()), url.size());
    const bool good = starts_with(url, kScheme) && slash > kScheme.size() && is_visible(url) &&
                      url.find_first_of("\"#@") == std::string::npos;
    if (!good) throw Refused(BELFRY_CONFIG, where, "must be https://host[:port]/path");
    return {url.substr(0, slash), slash == url.size() ? "/" : url.substr(slash)};
}

// The same for an endpoint, which has no path.
inline std::string https_origin(const std::string& url, const std::string& where) {
    const HttpsUrl split = split_https_url(url, where);
    if (split.path != "/") throw Refused(BELFRY_CONFIG, where, "must be https://host[:port] without a path");
    return split.origin;
}

namespace sdk {

// "Wed, 21 Oct 2015 07:28:00 GMT" (RFC 9110, 5.6.7). Days by Howard Hinnant's days_from_civil.
inline std::optional<int64_t> unix_ms_of_date(std::string_view date) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (date.size() != 29 || date.substr(25) != " GMT") return std::nullopt;
    const auto part = [&](size_t at, size_t n) {
        return is_digits(date.substr(at, n)) ? whole_number(date.substr(at, n)) : std::nullopt;
    };
    const auto day = part(5, 2), year = part(12, 4), hour = part(17, 2), minute = part(20, 2), second = part(23, 2);
    const size_t named = kMonths.find(date.substr(8, 3));
    if (!day || !year || !hour || !minute || !second || named == std::string_view::npos || named % 3 != 0)
        return std::nullopt;
    const auto month = static_cast<int64_t>(named / 3 + 1);
    if (*day < 1 || *day > 31 || *year < 1970) return std::nullopt;
    const int64_t from_march = (month + 9) % 12, y = *year - (month <= 2 ? 1 : 0);
    const int64_t in_year = (153 * from_march + 2) / 5 + *day - 1;
    const int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + in_year - 719'468;
    return (days * 86'400 + *hour * 3600 + *minute * 60 + *second) * 1000;
}

}  // namespace sdk

// Retry-After (RFC 9110, 10.2.3) as milliseconds from now, 1 s to 24 h: seconds, or a date held against the answer's
// own Date (0: it had none). Nothing if it is empty or neither.
inline std::optional<int64_t> retry_after_ms(std::string_view value, int64_t date_unix_ms, int64_t now_unix_ms) {
    std::optional<int64_t> wait;
    if (is_digits(value)) {
        constexpr int64_t kSensibleS = INT32_MAX;
        const auto seconds = whole_number(value);
        if (seconds && *seconds <= kSensibleS) wait = *seconds * 1000;
    } else if (const auto until = sdk::unix_ms_of_date(value)) {
        wait = *until - (date_unix_ms != 0 ? date_unix_ms : now_unix_ms);
    }
    if (wait) wait = std::clamp<int64_t>(*wait, 1000, 24 * 3600 * 1000);
    return wait;
}

// Whether an answer's body says all that it was meant to say: a JSON object that has its end, or anything else that did
// not break off. If not, nothing is known but status and headers, and what the body would have decided is a guess.
inline bool is_whole(const Services& services, const belfry_answer& answer) {
    const std::string_view body = view(answer.body);
    const size_t first = body.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || body[first] != '{') return !is_cut(answer);
    return !Json::of(services, body).text.empty();
}

// A verdict on every item of an answer, without reason. RETRY and THROTTLED wait as long as its Retry-After says (the
// plan keeps "retry-after"), else for `wait_ms`; 0: the host's back-off.
inline belfry_verdict verdict_on(const Services& services, const belfry_answer& answer, int32_t outcome, int32_t scope,
                                 uint32_t flags = 0, int64_t wait_ms = 0) {
    auto row = sized<belfry_verdict>();
    row.item = answer.first_item;
    row.variant = answer.variant;
    row.outcome = outcome;
    row.scope = scope;
    row.flags = flags;
    if (outcome != BELFRY_RETRY && outcome != BELFRY_THROTTLED) return row;
    const std::string_view named = header_of(answer, "retry-after");
    row.retry_after_ms = retry_after_ms(named, answer.date_unix_ms, services.unix_ms()).value_or(wait_ms);
    return row;
}

// ---- OAuth 2 (RFC 6749) ----

// For a body that is application/x-www-form-urlencoded.
inline HttpRequest token_request(std::string path, std::string form) {
    return {"POST",
            std::move(path),
            std::move(form),
            {{"content-type", "application/x-www-form-urlencoded"}, {"accept", "application/json"}}};
}

// Refused with RETRY_LATER if the trouble is the token endpoint's own and passes: its hint, else `busy_ms` when it is
// overloaded, else the host's back-off.
inline void check_passing_trouble(const Services& services, const HttpAnswer& answer, uint32_t busy_ms = 0) {
    const bool busy = answer.status == 503 || answer.status == 429;
    if (answer.status < 500 && !busy && answer.status != 408) return;
    const auto named = retry_after_ms(answer.header("retry-after"), answer.date_unix_ms, services.unix_ms());
    throw Refused(BELFRY_RETRY_LATER, "token_endpoint", "HTTP " + std::to_string(answer.status),
                  static_cast<uint32_t>(named.value_or(busy ? busy_ms : 0)));
}

// A credential that lives for `valid_ms` more: renewed 5 min before its end, at half of a short life, and not again
// within 10 s.
inline belfry_credential credential_for(int64_t valid_ms) {
    constexpr int64_t kEarlyMs = 300'000, kNotAgainMs = 10'000;
    auto credential = sized<belfry_credential>();
    credential.valid_ms = valid_ms;
    credential.refresh_after_ms = std::max(valid_ms - kEarlyMs, valid_ms / 2);
    credential.not_again_before_ms = std::min(kNotAgainMs, valid_ms / 2);
    return credential;
}

// The access token of a 200 answer as "Bearer ...". `unsaid_s`: its life if the answer does not say.
// Refused with RETRY_LATER if there is none that can be used.
inline belfry_credential bearer_token(const Json& answer, std::string& value, int64_t unsaid_s = 0) {
    const std::string token = answer.string("access_token");
    const int64_t life_s = answer.has("expires_in") ? answer.number("expires_in").value_or(0) : unsaid_s;
    if (!is_visible(token) || life_s <= 0)
        throw Refused(BELFRY_RETRY_LATER, "token_endpoint", "answered 200 without a usable access token");
    value = "Bearer " + token;
    return credential_for(std::min<int64_t>(life_s, 24 * 3600) * 1000);
}

}  // namespace belfry
