// SPDX-License-Identifier: Apache-2.0
// The union of several topics' devices, in key order, each device once: what a push to several topics means.
// Threads: [work]; a function.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "plugins/storage.h"

namespace belfry::audience {

constexpr uint32_t kRowsLookedAtMax = 20'000;  // stored rows per scan

struct MergedKeys {
    std::vector<int64_t> keys;
    int64_t cursor = -1;  // every topic was read up to here; continue after it
    bool end = false;     // nothing is left below hi
};

// At most `wanted` keys in (after, hi). Into `out`, whose memory is used again. Few or no keys with `end` false is
// normal, above all of a slow storage.
Status merge_topics(plugins::Storage& storage, const Clock& clock, const std::string& app,
                    const std::vector<std::string>& topics, int64_t after, int64_t hi, uint32_t wanted,
                    int64_t deadline_mono_ns, MergedKeys& out);

}  // namespace belfry::audience
