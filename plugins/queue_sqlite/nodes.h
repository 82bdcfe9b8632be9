// SPDX-License-Identifier: Apache-2.0
// Who gave a sign of life when. One process may run several hosts on one queue only in tests, but a host that was taken
// for dead must learn it whatever the reason.
//
// Threads: [any].  Owner: Queue.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

namespace belfry::queue_sqlite {

class Nodes {
public:
    struct Pulse {
        bool fenced = false;
        uint32_t live = 1, rank = 0;
    };
    Pulse beat(uint64_t node, int64_t now_unix_ms, int64_t lease_ms);
    // Nodes without a sign of life for a lease, as another, live node sees it. They are fenced from then on.
    std::vector<uint64_t> take_dead(uint64_t observer, int64_t now_unix_ms, int64_t lease_ms);

private:
    static constexpr size_t kFencedMax = 1024;

    std::mutex mutex_;
    std::map<uint64_t, int64_t> seen_;
    std::set<uint64_t> fenced_;
};

}  // namespace belfry::queue_sqlite
