// SPDX-License-Identifier: Apache-2.0
// Rows of the queue's tables as values, and how they are read. Nothing of them outlives a transaction.
//
// Threads: values.  Not here: writing them (writes.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/values.h"
#include "queue/bundle.h"
#include "queue/work.h"

namespace belfry::queue_pg {

using namespace queue_parts;

struct Item {
    int64_t id = 0;
    int64_t push = 0;  // 0: a bundle
    uint32_t gate = 0;
    int64_t vt = 0, after = 0, hi = 0, blob = 0, ready_unix_ms = 0;
    uint64_t owner = 0;  // node that holds it; 0: none
    int32_t kind = 0, lane = 0;
    uint32_t flags = 0, attempt = 1, crashes = 0, epoch = 0;
    int32_t serial = 0;  // pages applied to it

    bool is_bundle() const noexcept { return push == 0; }
};

// 16 columns of a queue_item called i.
inline constexpr const char* kItemColumns =
    "i.id, i.push, i.gate, i.vt, i.after, i.hi, i.blob, i.ready, i.owner, i.kind, i.lane, i.flags, i.attempt, "
    "i.crashes, i.epoch, i.serial";
inline constexpr int kItemColumnCount = 16;
Item read_item(const pg::Result& rows, int row, int at = 0);

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
    uint32_t live_items = 0;  // rows of queue_item, counted to 256
};

// 15 columns of a queue_push called p.
inline constexpr const char* kPushColumns =
    "p.id, p.created, p.send_at, p.expires, p.finished, p.body, p.bundle, p.app, p.state, p.lane, p.weight, p.blobs, "
    "p.uid, p.fingerprint, (SELECT count(*) FROM (SELECT FROM queue_item x WHERE x.push = p.id AND x.push > 0 LIMIT "
    "256) n)";
inline constexpr int kPushColumnCount = 15;
Push read_push(const pg::Result& rows, int row, int at = 0);

struct Bundle {
    int64_t id = 0;
    int64_t created_unix_ms = 0, finished_unix_ms = 0;
    int32_t lane = 0;
    std::vector<MemberResult> results;
};

// 5 columns of a queue_bundle called b.
inline constexpr const char* kBundleColumns = "b.id, b.created, b.finished, b.lane, b.results";
// Throws Refused: CORRUPT.
Bundle read_bundle(const pg::Result& rows, int row, int at = 0);
// Nothing where the results are damaged: for what must go on with other bundles.
std::optional<Bundle> intact_bundle(const pg::Result& rows, int row);
// Whether the content of a bundle's item can be read.
bool has_members(std::string_view content);
// Members that are neither final nor pushes of their own.
int32_t open_members(const Bundle& bundle);

}  // namespace belfry::queue_pg
