// SPDX-License-Identifier: Apache-2.0
// Two short memories of the process: which pushes were steered or expired, and how checkpoints were answered.
//
// Threads: Changes [any]; Replies the writer's.  Owner: Core.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

namespace belfry::queue_sqlite {

struct Change {
    int64_t number = 0;
    int64_t push = 0;  // 0: a bundled push
    int32_t state = 0;
    std::string app, uid;
};

// What was steered or expired, newest last. Owners that miss one learn it from their next checkpoint.
class Changes {
public:
    static constexpr size_t kKeptMax = 16384;

    // Numbers grow over restarts when `opened` does.
    void start(int64_t opened);
    // Of the transaction at work; published by commit().
    void add(int64_t push, int32_t state, const std::string& app, const std::string& uid);
    void commit();
    void rollback() { pending_.clear(); }

    int64_t latest() const;
    std::vector<Change> since(int64_t number) const;

private:
    std::vector<Change> pending_;
    mutable std::mutex mutex_;
    std::deque<Change> kept_;
    int64_t latest_ = 0;
};

struct MineRef {
    int64_t item = 0;
    uint32_t epoch = 0, owed = 0;
};

struct Reply {
    int32_t code = 0;
    uint32_t live_items = 0;
    std::vector<MineRef> mine;
};

// Answers of the latest checkpoints, so that a repetition after a lost reply is answered like the first.
class Replies {
public:
    static constexpr size_t kKeptMax = 8192;
    using Key = std::tuple<uint64_t, int64_t, uint64_t>;  // node, item, request

    const Reply* find(const Key& key) const;
    // Of the transaction at work; forgotten by rollback().
    void add(const Key& key, Reply reply);
    void commit();
    void rollback();

private:
    std::map<Key, Reply> kept_;
    std::deque<Key> order_;
    size_t pending_ = 0;
};

}  // namespace belfry::queue_sqlite
