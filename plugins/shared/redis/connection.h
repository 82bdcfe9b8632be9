// SPDX-License-Identifier: Apache-2.0
// One connection to a Redis server: many commands in one round trip, and a deadline for each trip. Only the reply
// parser is hiredis'; what Debian packages of it knows no deadlines for writes and no TLS.
//
// Threads: one at a time.  Owner: Pool.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "redis/failure.h"
#include "redis/reply.h"
#include "redis/script.h"
#include "redis/transport.h"

namespace belfry::redis {

class Route;

using Words = std::vector<std::string_view>;

class Connection {
public:
    // Connects and says who we are, or throws Failure.
    Connection(const Address& address, Deadline deadline);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Queues a command for the next trip.
    void send(const Words& words);
    void send(std::initializer_list<std::string_view> words) { send(Words(words)); }
    void send(const Script& script, const Words& keys, const Words& arguments);
    // One round trip: the answers to all queued commands, in order. Throws the Failure of the first that was refused;
    // the others were run all the same. After a Failure: LostServer the connection is broken.
    std::vector<Reply> trip(Deadline deadline);
    // Likewise, but what was asked of a key of another kind is answered by that error, which counts as empty: for keys
    // of one push, which must not hold up others.
    std::vector<Reply> trip_past_damage(Deadline deadline);
    Reply run(const Words& words, Deadline deadline);

    // Also with commands that nobody made a trip for: the next caller would be given their answers.
    bool is_broken() const noexcept { return broken_ || waiting_ > 0; }
    // It was made by this route: who waits long for an answer looks whether the master is still the same.
    void follow(std::shared_ptr<Route> route, uint64_t turn) noexcept {
        route_ = std::move(route);
        turn_ = turn;
    }
    uint64_t turn() const noexcept { return turn_; }

private:
    std::vector<Reply> answers(Deadline deadline);
    void check(const Reply& reply);
    void exchange(Deadline deadline, std::vector<Reply>& replies);
    void wait(bool writing, Deadline deadline);
    void take(std::vector<Reply>& replies);

    struct Free {
        void operator()(redisReader* reader) const noexcept { redisReaderFree(reader); }
    };
    const std::string name_;
    std::shared_ptr<Route> route_;  // null: none
    uint64_t turn_ = 0;
    Transport transport_;
    std::unique_ptr<redisReader, Free> reader_;
    std::string out_;
    size_t waiting_ = 0;  // commands in out_
    bool broken_ = false;
};

}  // namespace belfry::redis
