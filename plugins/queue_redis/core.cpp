// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/core.h"

#include "queue_redis/scripts.h"

namespace belfry::queue_redis {

std::string server_clock() {
    return lua::k_clock;
}

Scripts::Scripts(const std::string& clock)
    : now(clock + lua::k_now),
      open(clock + lua::k_open),
      beat(clock + lua::k_beat),
      claim(lua::k_claim),
      commit(clock + lua::k_commit) {}

}  // namespace belfry::queue_redis
