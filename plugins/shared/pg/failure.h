// SPDX-License-Identifier: Apache-2.0
// What goes wrong with a PostgreSQL server, in the words of the plugin ABI.
//
// Threads: [any].  Not here: trying again (pool.h).
#pragma once

#include <belfry/services.hpp>
#include <string>
#include <string_view>

namespace belfry::pg {

// A statement that the server refused, or a connection that broke.
class Failure : public Refused {
public:
    // `state`: the five characters of SQLSTATE; empty when the connection broke.
    // `in_doubt`: a commit was on its way, and nobody knows whether it was done.
    Failure(std::string_view state, const std::string& text, bool in_doubt = false);
    const std::string& state() const noexcept { return state_; }
    // The connection broke, the server shuts down, or it became a standby: a fresh connection may do.
    bool lost_server() const noexcept;
    bool in_doubt() const noexcept { return in_doubt_; }
    // The transaction met another one; the same again may succeed at once.
    bool lost_race() const noexcept;

private:
    std::string state_;
    bool in_doubt_;
};

belfry_code code_of(std::string_view state) noexcept;

// Why a server could not be reached or took no login. libpq has no SQLSTATE for it; what an operator must mend is told
// from what passes by the server's words.
Failure connect_failure(const std::string& server, const std::string& words);

}  // namespace belfry::pg
