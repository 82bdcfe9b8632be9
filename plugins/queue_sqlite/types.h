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

namespace belfry::queue_sqlite {

// Lanes are numbered 1..3 in the ABI; arrays by lane leave slot 0 empty.
inline constexpr int32_t kLanes = 4;
inline constexpr size_t kSamplesMax = 5;           // error samples kept per push
inline constexpr size_t kSampleBytesMax = 512;     // longest sample text
inline constexpr uint32_t kListEntriesMax = 1000;  // entries of a list
inline constexpr uint32_t kCrashLimit = 5;         // unclean stops an item may be held over before it is buried

// Item flags as stored.
enum : uint32_t {
    kPicks = 1u,         // entries are indices into a token blob, else device keys
    kInitial = 2u,       // came with the push or was split off: may still discover deliveries
    kLimitsPassed = 4u,  // rate limits were charged already
    kMarked = 8u         // bundle: some member was cancelled or moved out, see its result row
};

// Of a request: the same uid with another one is a conflict.
using Fingerprint = std::array<char, 16>;
Fingerprint fingerprint_of(std::string_view bytes) noexcept;

struct Tally {
    uint32_t gate = 0;
    int32_t outcome = 0;
    int64_t n = 0;
};

struct Sample {
    uint32_t gate = 0;
    int32_t outcome = 0;
    std::string text;
};

// The result row of a push, packed or not.
struct Counters {
    int64_t planned = 0;
    std::vector<Tally> tallies;
    std::vector<Sample> samples;

    void add(uint32_t gate, int32_t outcome, int64_t n);
    // Takes back up to n, for dead letters that are replayed.
    void subtract(uint32_t gate, int32_t outcome, int64_t n);
    void keep_sample(uint32_t gate, int32_t outcome, std::string_view text);
    int64_t settled() const;
};

// What claim hands out about a push.
struct PushFacts {
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

// What became of a member of a bundle.
enum class Mark : uint8_t {
    None = 0,
    Stopped = 1,  // cancelled: handed out flagged
    Moved = 2     // became a push of its own: not handed out
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
