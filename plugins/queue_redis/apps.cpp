// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/apps.h"

namespace belfry::queue_redis {

void Apps::forget_if_new(uint64_t opened) {
    if (known_since_ == opened) return;
    known_since_ = opened;
    numbers_.clear();
    names_.clear();
}

void Apps::remember(uint32_t number, std::string_view name, uint64_t opened) {
    const std::lock_guard lock(mutex_);
    if (known_since_ != opened) return;
    numbers_.emplace(name, number);
    names_.emplace(number, name);
}

uint32_t Apps::find(redis::Connection& connection, std::string_view name, redis::Deadline deadline) {
    const uint64_t opened = opened_();
    {
        const std::lock_guard lock(mutex_);
        forget_if_new(opened);
        const auto known = numbers_.find(name);
        if (known != numbers_.end()) return known->second;
    }
    const redis::Reply reply = connection.run({"HGET", keys_.of("app"), name}, deadline);
    const auto number = static_cast<uint32_t>(reply.number());
    if (number != 0) remember(number, name, opened);
    return number;
}

uint32_t Apps::make(redis::Connection& connection, std::string_view name, redis::Deadline deadline) {
    if (const uint32_t known = find(connection, name, deadline)) return known;
    const redis::Reply reply = connection.run({"HINCRBY", keys_.of("number"), "app", "1"}, deadline);
    const std::string number = std::to_string(reply.number());
    // The name first: whoever finds the number finds the name. A number that lost the race is never used.
    connection.send({"HSET", keys_.of("appname"), number, name});
    connection.send({"HSETNX", keys_.of("app"), name, number});
    connection.trip(deadline);
    return find(connection, name, deadline);
}

std::string Apps::name(redis::Connection& connection, uint32_t number, redis::Deadline deadline) {
    const uint64_t opened = opened_();
    {
        const std::lock_guard lock(mutex_);
        forget_if_new(opened);
        const auto known = names_.find(number);
        if (known != names_.end()) return known->second;
    }
    const redis::Reply reply = connection.run({"HGET", keys_.of("appname"), std::to_string(number)}, deadline);
    const std::string name(reply.text());
    if (!name.empty()) remember(number, name, opened);
    return name;
}

}  // namespace belfry::queue_redis
