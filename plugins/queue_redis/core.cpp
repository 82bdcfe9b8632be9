// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/core.h"

#include "queue_redis/scripts.h"

namespace belfry::queue_redis {

std::string server_clock() {
    return lua::k_clock;
}

void Core::follow_master() {
    const std::string trouble = route->look();
    if (sentinels_silent_.exchange(!trouble.empty()) || trouble.empty()) return;
    services.warning("a failover of Redis would not be noticed now", {{"reason", trouble}});
}

// A server whose memory is used up refuses what might use more, but for scripts that begin like this: without them
// nothing could be finished, and nothing be freed.
constexpr const char* kWhenFull = "#!lua flags=allow-oom\n";

Scripts::Scripts(const std::string& clock)
    : now(clock + lua::k_now),
      open(kWhenFull + clock + lua::k_open),
      beat(kWhenFull + clock + lua::k_beat),
      claim(std::string(kWhenFull) + lua::k_claim),
      commit(kWhenFull + clock + lua::k_commit),
      store(clock + lua::k_commit),
      limit(clock + lua::k_limit) {}

}  // namespace belfry::queue_redis
