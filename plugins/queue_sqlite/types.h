// SPDX-License-Identifier: Apache-2.0
// What the queue keeps in memory about pushes and work items. The file is the truth; these are the parts of it that are
// being worked on.
//
// Threads: an Item on a shelf belongs to the Board's mutex, off the shelf to the writer thread. A Push belongs to the
// writer; PushFacts are immutable but for one counter.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "queue/bundle.h"
#include "queue/checks.h"
#include "queue/packing.h"
#include "queue/views.h"
#include "queue/work.h"

namespace belfry::queue_sqlite {

using namespace queue_parts;

// What claim hands out about a push.
struct PushFacts {
    PushFacts() = default;
    // Facts of the same push; its items in memory are not theirs.
    PushFacts(const PushFacts& other)
        : id(other.id),
          app(other.app),
          app_name(other.app_name),
          uid(other.uid),
          weight(other.weight),
          created_unix_ms(other.created_unix_ms),
          send_at_unix_ms(other.send_at_unix_ms),
          expires_unix_ms(other.expires_unix_ms),
          body(other.body),
          fingerprint(other.fingerprint) {}
    PushFacts& operator=(const PushFacts&) = delete;

    int64_t id = 0;
    uint32_t app = 0;  // number inside this file
    std::string app_name, uid;
    uint32_t weight = 1;
    int64_t created_unix_ms = 0, send_at_unix_ms = 0, expires_unix_ms = 0;
    int64_t body = 0;  // blob id
    Fingerprint fingerprint{};
    std::atomic<uint32_t> live_items{0};
};

struct Push {
    std::shared_ptr<PushFacts> facts;  // not changed any more once an item has it
    int32_t lane = 0, state = 0;
    uint32_t live_items = 0;    // rows of the item table, parked ones included
    uint32_t undiscovered = 0;  // kInitial items left, delayed ones included: 0 = planned is final
    int64_t finished_unix_ms = 0;
    int64_t body = 0;
    Counters counters;
    uint32_t resident = 0;  // items in memory that refer to this push
    bool erased = false;    // by this transaction, with its row
};

enum class Place : uint8_t {
    Off,    // not claimable: just made, parked or being changed
    Shelf,  // claimable
    Held    // claimed
};

struct Item {
    int64_t id = 0;
    int64_t push = 0;  // 0: a bundle
    int32_t kind = 0, lane = 0;
    uint32_t gate = 0, flags = 0, attempt = 1, crashes = 0;
    int64_t vt = 0;  // virtual time, see Board
    int64_t after = 0, hi = 0;
    int64_t blob = 0;
    int64_t ready_unix_ms = 0;
    bool stopped = false;  // its push is cancelled or expired: claimable whatever its gate
    int32_t push_state = 0;
    std::shared_ptr<const PushFacts> facts;      // null: a bundle
    std::shared_ptr<const std::string> content;  // keys, picks or members; null: on disk only, or a slice
    std::vector<Mark> marks;                     // of a bundle with kMarked

    Place place = Place::Off;
    uint32_t epoch = 0;
    uint64_t node = 0;
    uint32_t slot = 0;      // in the ledger, while held
    int32_t held_lane = 0;  // its lane when it was claimed
    int64_t claimed_unix_ms = 0;

    bool is_bundle() const noexcept { return push == 0; }
};

}  // namespace belfry::queue_sqlite
