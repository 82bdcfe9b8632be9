// SPDX-License-Identifier: Apache-2.0
// `belfry migrate`: everything of one storage and queue into others, while no server works on either.
//
//   marks both sides -> state, devices and topics app by app, queue -> compares counts and sums of both sides
//   -> marks the source as moved, takes the target's mark away
//
// After a kill the same call goes on behind the last page that the target has: the target keeps the place, and loading
// a page twice is as good as once. Threads: main's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/config.h"

namespace belfry::serve {

struct MovedPart {
    std::string what, app;  // "state", "devices" or "queue"; app of devices
    uint64_t records = 0;
};
struct Moved {
    bool resumed = false;
    std::vector<MovedPart> parts;
};
// `what` is done in words, records so far.
using MoveProgress = std::function<void(const std::string& what, uint64_t records)>;

// A source without devices and pushes is more likely the wrong configuration than meant.
Result<Moved> migrate(const config::Config& from, const config::Config& to, bool may_be_empty,
                      const MoveProgress& progress);
// The source is used again and the target no more: the target is marked first, then the source's mark goes away. What
// came to the target stays there. Without `to` nobody looks at the target: its stores do not exist any more.
Status take_back(const config::Config& from, const config::Config* to);

}  // namespace belfry::serve
