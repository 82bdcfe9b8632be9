// SPDX-License-Identifier: Apache-2.0
// What uids stand for.
//
// Threads: [any].
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <vector>

#include "queue_redis/core.h"
#include "queue_redis/rows.h"

namespace belfry::queue_redis {

// One per uid.
std::vector<Ref> find_refs(Core& core, redis::Connection& connection, uint32_t app, Rows<belfry_str> uids,
                           redis::Deadline deadline);
// HMGET of uids by field.
void send_uids(redis::Connection& connection, const Keys& keys, const std::vector<std::string>& fields);

}  // namespace belfry::queue_redis
