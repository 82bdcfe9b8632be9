// SPDX-License-Identifier: Apache-2.0
// Which server is the master, as Redis Sentinel says it.
//
// Threads: one at a time.  Owner: Route.  Not here: what to do when it is another one (route.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "redis/connection.h"

namespace belfry::redis {

class Sentinels {
public:
    // `places`: at least one.
    Sentinels(std::vector<Address> places, std::string master_name);

    struct Master {
        std::string host;
        uint16_t port = 0;
    };
    // Asks all of them and believes who knows of the latest failover: one that was cut off still names the old master.
    // One that does not answer is left out for a while, unless no other does. Throws Failure: LostServer.
    Master ask(Deadline deadline);

    std::string name() const { return "the master " + master_name_; }

private:
    struct Sentinel {
        Address place;
        std::unique_ptr<Connection> connection;
        Deadline not_before{};
    };
    struct Answer {
        Master master;
        int64_t epoch = -1;  // of the configuration: each failover has a higher one; -1: no answer
    };
    Answer ask_one(Sentinel& sentinel, Deadline deadline) const;
    // Empty: none of them answered; why stands in `troubles`.
    Answer ask_those(bool left_out, Deadline deadline, std::string& troubles);

    const std::string master_name_;
    std::vector<Sentinel> sentinels_;
};

}  // namespace belfry::redis
