// SPDX-License-Identifier: Apache-2.0
// SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
#include "pg/failure.h"

#include <array>

namespace belfry::pg {

namespace {

struct Meaning {
    std::string_view prefix;  // of SQLSTATE; the first that fits counts
    belfry_code code;
};

constexpr std::array kMeanings{
    Meaning{"08", BELFRY_RETRY_LATER},
    Meaning{"28", BELFRY_AUTH},
    Meaning{"3D", BELFRY_CONFIG},
    Meaning{"3F", BELFRY_CONFIG},
    Meaning{"42501", BELFRY_CONFIG},
    Meaning{"25006", BELFRY_RETRY_LATER},  // read only: a standby that was promoted to, or not yet
    Meaning{"40", BELFRY_RETRY_LATER},
    Meaning{"23505", BELFRY_CONFLICT},
    Meaning{"53100", BELFRY_STORE_FULL},
    Meaning{"53", BELFRY_RETRY_LATER},
    Meaning{"54", BELFRY_TOO_LARGE},
    Meaning{"55", BELFRY_RETRY_LATER},
    Meaning{"57014", BELFRY_DEADLINE},  // statement_timeout
    Meaning{"57", BELFRY_RETRY_LATER},
    Meaning{"58", BELFRY_RETRY_LATER},
    Meaning{"XX001", BELFRY_CORRUPT},
    Meaning{"XX002", BELFRY_CORRUPT},
};

std::string_view advice(belfry_code code) noexcept {
    switch (BELFRY_CODE_CLASS(code)) {
        case BELFRY_STORE_FULL:
            return "; free space on the database server, then the same call succeeds";
        case BELFRY_AUTH:
            return "; check user and password of the dsn, and pg_hba.conf of the server";
        case BELFRY_CONFIG:
            return "; check that the database exists and that the user may use it";
        case BELFRY_CORRUPT:
            return "; restore the database from a backup";
        default:
            return "";
    }
}

// What libpq says ends with a line feed and may be several lines.
std::string one_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    for (char& c : text) {
        if (c == '\n' || c == '\t') c = ' ';
    }
    return text;
}

}  // namespace

belfry_code code_of(std::string_view state) noexcept {
    if (state.empty()) return BELFRY_RETRY_LATER;
    for (const Meaning& meaning : kMeanings) {
        if (state.starts_with(meaning.prefix)) return meaning.code;
    }
    return BELFRY_INTERNAL;
}

Failure::Failure(std::string_view state, const std::string& text, bool in_doubt)
    : Refused(code_of(state), {}, "PostgreSQL: " + one_line(text) + std::string(advice(code_of(state)))),
      state_(state),
      in_doubt_(in_doubt) {}

Failure connect_failure(const std::string& server, const std::string& words) {
    const auto say = [&](std::string_view part) { return words.find(part) != std::string::npos; };
    std::string_view state;
    if (say("authentication failed") || say("pg_hba.conf") || say("no password supplied") ||
        (say("role \"") && say("does not exist"))) {
        state = "28000";
    } else if (say("database \"") && say("does not exist")) {
        state = "3D000";
    }
    return {state, "cannot connect to " + server + ": " + words};
}

bool Failure::lost_server() const noexcept {
    return state_.empty() || state_.starts_with("57P") || state_ == "25006";
}

bool Failure::lost_race() const noexcept {
    return state_ == "40001" || state_ == "40P01" || state_ == "23505";
}

}  // namespace belfry::pg
