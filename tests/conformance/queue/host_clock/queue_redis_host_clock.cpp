// SPDX-License-Identifier: Apache-2.0
// queue_redis for the specification: what counts for it is the server's clock, by the Lua function before its scripts.
// Here another one stands there, which adds an offset kept in a key of its own (host_clock.h).
#include "host_clock.h"

#include "queue_redis/core.h"
#include "queue_redis/queue.h"

namespace belfry::queue_redis {
namespace {

class Server {
public:
    Server(Services services, std::string_view config)
        : services_(services), config_(parse_config(config)), key_(Keys(config_.key_prefix).of("test_clock")) {}
    std::unique_ptr<RedisQueue> make_queue(Services services, std::string_view config) const {
        return std::make_unique<RedisQueue>(
            services, config,
            "local function belfry_now()\n"
            "  local time = redis.call('TIME')\n"
            "  local moved = tonumber(redis.call('GET', '" +
                key_ +
                "') or 0)\n"
                "  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + moved\n"
                "end\n");
    }
    void start() {
        pool_ = std::make_unique<redis::Pool>(config_.route(services_), 1, std::vector<redis::Script>(),
                                              redis::Pool::Check());
    }
    void move(int64_t offset_ms) {
        const redis::Deadline until = call_deadline();
        pool_->with(until, [&](redis::Connection& connection) {
            connection.run({"SET", key_, std::to_string(offset_ms)}, until);
        });
    }

private:
    Services services_;
    Config config_;
    const std::string key_;
    std::unique_ptr<redis::Pool> pool_;
};

using Wrapped = host_clock::HostClock<RedisQueue, Server>;

}  // namespace
}  // namespace belfry::queue_redis

BELFRY_PLUGIN("queue_redis_host_clock", "0.1.0",
              belfry::component<belfry::queue_redis::Wrapped>("queue_redis_host_clock"));
