// SPDX-License-Identifier: Apache-2.0
// What a queue needs of its server, looked at with the first connection to it: at the start, whenever another server,
// or the same one restarted, is there, and once a minute.
//
// Threads: [any].  Owner: Core.
#pragma once

#include <belfry/services.hpp>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "redis/pool.h"

namespace belfry::queue_redis {

class ServerWatch {
public:
    explicit ServerWatch(Services services);
    ServerWatch(const ServerWatch&) = delete;
    ServerWatch& operator=(const ServerWatch&) = delete;

    // What each new connection goes through. Throws Failure: LostServer for a replica. Until started(), Refused: CONFIG
    // for a server that would lose acknowledged pushes in ordinary life. Later it is used all the same, since what was
    // acknowledged is there and has to be sent, and every look complains of it as an error. Warns of what else an
    // operator should know, once for each server.
    redis::Pool::Check check() {
        return [this](redis::Connection& connection, const redis::Address& address, redis::Deadline deadline) {
            look(connection, address, deadline);
        };
    }
    void started();
    // If it is time; with any connection that is there.
    void look_again(redis::Connection& connection, redis::Deadline deadline);

private:
    struct Findings {
        std::string refusal;  // empty: none
        std::vector<std::string> warnings;
    };
    void look(redis::Connection& connection, const redis::Address& address, redis::Deadline deadline);
    Findings inspect(redis::Connection& connection, std::string_view info, const redis::Address& address,
                     redis::Deadline deadline) const;
    void say(const Findings& findings, const std::string& server);

    const Services services_;
    const int32_t unsafe_;  // metric
    std::mutex mutex_;
    bool started_ = false;
    std::string run_id_;  // of the process looked at last
    redis::Address address_;
    redis::Deadline again_{};
    std::vector<std::string> said_;
};

}  // namespace belfry::queue_redis
