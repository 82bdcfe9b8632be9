// SPDX-License-Identifier: Apache-2.0
// What goes wrong with a Redis server, in the words of the plugin ABI.
//
// Threads: [any].  Not here: trying again (pool.h).
#pragma once

#include <belfry/services.hpp>
#include <string>
#include <string_view>

namespace belfry::redis {

// A command that the server refused, a connection that broke, or a race that was lost.
class Failure : public Refused {
public:
    enum class Kind { Refused, LostServer, NoScript, LostRace };
    Failure(Kind kind, belfry_code code, const std::string& text) : Refused(code, {}, text), kind_(kind) {}
    Kind kind() const noexcept { return kind_; }

private:
    Kind kind_;
};

// Of an error reply: "WRONGPASS invalid username-password pair ...".
Failure refusal(std::string_view reply);
Failure lost_server(const std::string& server, const std::string& why);
// What was read is not what is stored any more: read again.
Failure lost_race();

}  // namespace belfry::redis
