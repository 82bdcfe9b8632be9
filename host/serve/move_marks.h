// SPDX-License-Identifier: Apache-2.0
// What a storage's cluster state says of migrations from it and to it.
//
// A mark is written only over the one that was read: another process that writes it meanwhile makes a Conflict.
// Threads: [any]; a mark is one thread's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/storage.h"
#include "serve/move_part.h"

namespace belfry::serve {

inline constexpr std::string_view kMovedKey = "belfry.migrate/moved";
inline constexpr std::string_view kArrivingKey = "belfry.migrate/arriving";

// On the side that is left.
struct LeftMark {
    std::string id;  // of the migration; both sides have the same
    std::string to;  // the other side's configuration
    bool done = false;
    bool taken_back = false;  // it was the target; the other side was taken back

    int64_t version = 0;  // as it is stored; 0: there is none
    bool exists() const noexcept { return version != 0; }
};

// On the side that takes everything over, and afterwards, too.
struct ArrivingMark {
    std::string id, from;
    std::string program;  // the version of Belfry whose records they are
    bool done = false;
    std::vector<Part> parts;  // until it is done
    std::string left_queue;   // queue_identity of the source's; no server works on it together with this storage

    int64_t version = 0;
    bool exists() const noexcept { return version != 0; }
};

Result<LeftMark> read_left_mark(plugins::Storage& storage);
Result<ArrivingMark> read_arriving_mark(plugins::Storage& storage);
Status write_mark(plugins::Storage& storage, LeftMark& mark);
Status write_mark(plugins::Storage& storage, ArrivingMark& mark);
Status remove_mark(plugins::Storage& storage, LeftMark& mark);

}  // namespace belfry::serve
