// SPDX-License-Identifier: Apache-2.0
#include "redis/failure.h"

#include <array>

namespace belfry::redis {

namespace {

struct Meaning {
    std::string_view word;  // that the reply begins with
    Failure::Kind kind;
    belfry_code code;
    const char* advice;
};

using Kind = Failure::Kind;

constexpr std::array kMeanings{
    Meaning{"NOSCRIPT", Kind::NoScript, BELFRY_RETRY_LATER, ""},
    // What was the master is none any more; the name may lead to another server by now.
    Meaning{"READONLY", Kind::LostServer, BELFRY_RETRY_LATER,
            "; the server is a replica: point the address to the master"},
    // Likewise: a server that begins, or that copies another one.
    Meaning{"LOADING", Kind::LostServer, BELFRY_RETRY_LATER, ""},
    Meaning{"MASTERDOWN", Kind::LostServer, BELFRY_RETRY_LATER, ""},
    Meaning{"NOREPLICAS", Kind::Refused, BELFRY_RETRY_LATER, "; bring back a replica, or lower min-replicas-to-write"},
    Meaning{"BUSY", Kind::Refused, BELFRY_RETRY_LATER, ""},
    Meaning{"MISCONF", Kind::Refused, BELFRY_RETRY_LATER, "; free space on the disk of the Redis server"},
    Meaning{"OOM", Kind::Refused, BELFRY_STORE_FULL, "; raise maxmemory of the Redis server"},
    Meaning{"NOAUTH", Kind::Refused, BELFRY_AUTH, "; give user and password"},
    Meaning{"WRONGPASS", Kind::Refused, BELFRY_AUTH, "; check user and password"},
    Meaning{"NOPERM", Kind::Refused, BELFRY_CONFIG, "; give the user the rights that docs/operations.md lists"},
    Meaning{"WRONGTYPE", Kind::Refused, BELFRY_CONFIG, "; something else uses this key_prefix: choose another one"},
};

}  // namespace

Failure refusal(std::string_view reply) {
    const std::string text = "Redis answers: " + std::string(reply);
    for (const Meaning& meaning : kMeanings) {
        if (reply.starts_with(meaning.word)) return {meaning.kind, meaning.code, text + meaning.advice};
    }
    return {Kind::Refused, BELFRY_INTERNAL, text};
}

Failure lost_server(const std::string& server, const std::string& why) {
    return {Kind::LostServer, BELFRY_RETRY_LATER, "Redis at " + server + ": " + why};
}

Failure lost_race() {
    return {Kind::LostRace, BELFRY_RETRY_LATER, "too many at once changed the same work; try again"};
}

}  // namespace belfry::redis
