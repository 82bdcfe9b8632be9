// SPDX-License-Identifier: Apache-2.0
// What the queue keeps, as values, and how they are packed. Nothing of them outlives a call.
//
// Threads: values.  Not here: writing them and what finds them (writes.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/bundle.h"
#include "queue/work.h"

namespace belfry::queue_redis {

using namespace queue_parts;

enum class Place : uint8_t {
    Ready = 1,    // on the shelf of its gate
    Stopped = 2,  // of a stopped push: claimable whatever its gate
    Held = 3,     // by `owner`
    Parked = 4,   // until its push is resumed
    Later = 5     // until due
};

struct Item {
    int64_t id = 0;
    int64_t push = 0;  // 0: a bundle
    uint64_t owner = 0;
    uint32_t epoch = 0;
    int32_t serial = 0;  // pages applied to it
    Place place = Place::Ready;
    int64_t vt = 0, after = 0, hi = 0, blob = 0, ready_unix_ms = 0, due_unix_ms = 0;
    int32_t kind = 0, lane = 0;
    uint32_t gate = 0, flags = 0, attempt = 1, crashes = 0;

    bool is_bundle() const noexcept { return push == 0; }
    bool is_ready() const noexcept { return place == Place::Ready || place == Place::Stopped; }
};
std::string pack(const Item& item);
Item unpack_item(int64_t id, std::string_view row);
// What a row begins with that `node` holds under `epoch`: claim.lua writes it.
std::string holder(uint64_t node, uint32_t epoch);

struct Push {
    int64_t id = 0;
    int64_t created_unix_ms = 0, send_at_unix_ms = 0, expires_unix_ms = 0, finished_unix_ms = 0;
    int64_t body = 0;    // blob id; 0 once freed
    int64_t bundle = 0;  // the unfinished bundle it was a member of
    uint32_t app = 0;
    int32_t state = 0, lane = 0;
    uint32_t weight = 1;
    int32_t blobs = 0;  // token blobs: body + 1 ... body + blobs
    std::string uid;
    Fingerprint fingerprint{};
    uint32_t live_items = 0;  // as of the last look; not in the row
};
std::string pack(const Push& push);
Push unpack_push(int64_t id, std::string_view row);

struct Bundle {
    int64_t id = 0;
    uint64_t version = 0;  // what its row begins with
    int64_t created_unix_ms = 0, finished_unix_ms = 0;
    int32_t lane = 0;
    std::vector<MemberResult> results;
};
std::string pack(const Bundle& bundle);
std::string pack_version(const Bundle& bundle);
Bundle unpack_bundle(int64_t id, std::string_view row);
// As above; nothing for a row that is damaged, for what must go on with others. Null: nothing.
std::optional<Item> intact_item(int64_t id, const std::optional<std::string_view>& row);
std::optional<Push> intact_push(int64_t id, const std::optional<std::string_view>& row);
std::optional<Bundle> intact_bundle(int64_t id, const std::optional<std::string_view>& row);
// Whether the content of a bundle's item can be read, and has so many.
bool has_members(std::string_view content, size_t least = 1);
// Members that are neither final nor pushes of their own.
int64_t open_members(const Bundle& bundle);

// A dead letter.
struct Letter {
    Item work;  // its id is the letter's
    uint32_t app = 0, entries = 0;
    int64_t buried_unix_ms = 0, replayed_unix_ms = 0;
    std::string note;
};
std::string pack(const Letter& letter);
Letter unpack_letter(int64_t id, std::string_view row);

std::optional<Letter> intact_letter(int64_t id, const std::optional<std::string_view>& row);

// What a uid stands for: a push (member -1), or a member of a bundle; ref 0: nothing.
struct Ref {
    int64_t ref = 0;
    int32_t member = -1;
};
std::string pack(const Ref& ref);
Ref unpack_ref(std::string_view row);
// A row that is not there stands for nothing.
std::optional<Ref> intact_ref(const std::optional<std::string_view>& row);
// The field of a uid.
std::string uid_field(uint32_t app, std::string_view uid);

}  // namespace belfry::queue_redis
