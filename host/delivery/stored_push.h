// SPDX-License-Identifier: Apache-2.0
// Push bodies and token blobs of the queue, decoded once and kept while they are in use: a broadcast of many pages
// reads its body once.
//
// Threads: [any]; a miss reads from the queue. Owner: the delivery core.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "audience/hashes.h"
#include "base/result.h"
#include "delivery/push_body.h"
#include "plugins/queue.h"

namespace belfry::delivery {

struct StoredPush {
    PushBody body;
    audience::Hash16 content{};  // of the bytes: equal bodies may share what is prepared from them
};

Result<std::shared_ptr<const StoredPush>> open_push(std::string_view bytes);

// A blob of one push. A queue whose store lost its latest writes (a failover, a restored backup) gives the same id
// again, to another push or to the same uid sent anew: what is kept is kept for one push as it was created.
struct BlobOf {
    audience::Hash16 push{};  // of (app, uid)
    int64_t created_unix_ms = 0;
    uint64_t id = 0;
    bool operator==(const BlobOf&) const = default;
};

class StoredPushes {
public:
    StoredPushes(plugins::Queue& queue, size_t bytes_max) : queue_(queue), bytes_max_(bytes_max) {}

    // NotFound: no such blob. Corrupt: not a body.
    Result<std::shared_ptr<const StoredPush>> body(const BlobOf& blob);
    Result<std::shared_ptr<const std::string>> blob(const BlobOf& blob);

private:
    struct Kept {
        BlobOf key;
        size_t bytes = 0;
        std::shared_ptr<const StoredPush> push;
        std::shared_ptr<const std::string> raw;
    };
    struct Hash {
        size_t operator()(const BlobOf& blob) const noexcept { return std::hash<uint64_t>{}(blob.id); }
    };
    Result<std::string> read(uint64_t blob);
    const Kept* find(const BlobOf& blob);
    void keep(Kept&& kept);

    plugins::Queue& queue_;
    const size_t bytes_max_;
    std::mutex mutex_;
    std::list<Kept> recent_;  // newest first
    std::unordered_map<BlobOf, std::list<Kept>::iterator, Hash> by_key_;
    size_t bytes_ = 0;
};

}  // namespace belfry::delivery
