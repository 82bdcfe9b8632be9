// SPDX-License-Identifier: Apache-2.0
// belfry.limiter/1 of the embedded queue: buckets in this process's memory. There is one process on a queue file, and a
// row a delivery would cost more than the delivery; what a kill -9 forgets lets a few deliveries too many through, once
// (docs/design/0019-limiter.md).
//
// Threads: [any]; a lock per shard, and all buckets of a key are in one shard.
// Memory: kBucketsMax buckets of about 100 bytes; full ones are forgotten before there are more.
// Owner: the instance.
#pragma once

#include <belfry/limiter.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "host_view.h"
#include "queue/gcra.h"

namespace belfry::queue_sqlite {

class Limiter {
public:
    static constexpr size_t kBucketsMax = 1u << 20;

    explicit Limiter(const belfry_host* host, size_t buckets_max = kBucketsMax);
    Limiter(const Limiter&) = delete;
    Limiter& operator=(const Limiter&) = delete;

    // Throws Refused: BAD_REQUEST, DEADLINE, STORE_FULL.
    std::vector<belfry_charged> charge(belfry_list policies, belfry_list charges, int64_t deadline_mono_ns);

    // How many buckets are kept.
    size_t size() const;

private:
    static constexpr size_t kShards = 16;
    struct Hash {
        size_t operator()(const queue_parts::BucketId& id) const noexcept {
            size_t hash = 0;
            std::memcpy(&hash, id.data() + id.size() - sizeof hash, sizeof hash);
            return hash;
        }
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<queue_parts::BucketId, queue_parts::Bucket, Hash> buckets;
        size_t sweep_at = 0;  // so many buckets
    };
    Shard& shard_of(const belfry_charge& charge) noexcept;
    void make_room(Shard& shard, size_t wanted, int64_t now) const;
    belfry_charged charge_one(const std::vector<queue_parts::Policy>& policies, const belfry_charge& charge,
                              int64_t now);

    const HostView host_;
    const size_t shard_max_;
    std::array<Shard, kShards> shards_;
};

}  // namespace belfry::queue_sqlite
