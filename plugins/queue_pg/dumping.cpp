// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "queue/record_rows.h"
#include "queue_pg/moving.h"
#include "queue_pg/results.h"
#include "queue_pg/rows.h"

namespace belfry::queue_pg {

namespace {

constexpr int64_t kRowsPerRead = 250;
constexpr int64_t kBundlesPerRead = 16;  // each up to a quarter of a mebibyte

// What is not part of planned yet, and the length of the body.
const std::string kPushes =
    std::string("SELECT ") + kPushColumns +
    ", (p.bundle > 0)::int::bigint + (SELECT count(*) FROM queue_item i WHERE i.push = p.id AND i.push > 0 AND i.flags "
    "& 2 <> 0) + (SELECT count(*) FROM queue_later l WHERE l.push = p.id AND l.flags & 2 <> 0), coalesce((SELECT "
    "octet_length(bytes) FROM queue_blob WHERE id = p.body), 0)::bigint FROM queue_push p WHERE p.id > $1 ORDER BY "
    "p.id LIMIT $2";
constexpr int kUndiscoveredAt = kPushColumnCount;
constexpr int kBodyBytesAt = kPushColumnCount + 1;
constexpr const char* kBodies = "SELECT id, bytes FROM queue_blob WHERE id = ANY ($1::bigint[])";
// Token blobs that something still picks from.
constexpr const char* kBlobs =
    "SELECT p.id, g.n::bigint, b.bytes FROM queue_push p CROSS JOIN LATERAL generate_series(1, p.blobs) g (n) JOIN "
    "queue_blob b ON b.id = p.body + g.n WHERE p.id >= $1 AND p.blobs > 0 AND p.body > 0 AND (p.id > $1 OR g.n > $2) "
    "AND (EXISTS (SELECT FROM queue_item i WHERE i.push = p.id AND i.push > 0 AND i.blob = b.id) OR EXISTS (SELECT "
    "FROM queue_later l WHERE l.push = p.id AND l.blob = b.id) OR EXISTS (SELECT FROM queue_dead d WHERE d.push = p.id "
    "AND d.blob = b.id)) ORDER BY p.id, g.n LIMIT 1";
const std::string kItems = std::string("SELECT ") + kItemColumns +
                           ", i.content, coalesce(p.body, 0) FROM queue_item i JOIN queue_push p ON p.id = i.push "
                           "WHERE i.id > $1 AND i.push > 0 ORDER BY i.id LIMIT $2";
constexpr const char* kLaters =
    "SELECT l.id, l.due, l.push, l.gate, l.after, l.hi, l.blob, l.kind, l.flags, l.attempt, l.content, p.body FROM "
    "queue_later l JOIN queue_push p ON p.id = l.push WHERE l.id > $1 ORDER BY l.id LIMIT $2";
constexpr const char* kDead =
    "SELECT d.id, d.buried, d.push, d.gate, d.after, d.hi, d.blob, d.replayed, d.kind, d.flags, d.attempt, d.entries, "
    "d.note, d.content, p.body FROM queue_dead d JOIN queue_push p ON p.id = d.push WHERE d.id > $1 ORDER BY d.id "
    "LIMIT $2";
const std::string kBundles = std::string("SELECT ") + kBundleColumns +
                             ", i.gate, i.flags, i.attempt, i.crashes, i.ready, i.content FROM queue_bundle b LEFT "
                             "JOIN queue_item i ON i.id = b.id WHERE b.id > $1 ORDER BY b.id LIMIT $2";
constexpr int kBundleItemAt = 5;

uint32_t small(const pg::Result& rows, int row, int column) {
    return static_cast<uint32_t>(rows.number4(row, column));
}
uint32_t gate_at(const pg::Result& rows, int row, int column) {
    return static_cast<uint32_t>(rows.number(row, column));
}
WorkRecord item_record(const pg::Result& rows, int row) {
    const Item item = read_item(rows, row);
    auto record =
        record_of_work<WorkRecord>(item, rows.number(row, kItemColumnCount + 1), rows.bytes(row, kItemColumnCount));
    record.ready_unix_ms = item.ready_unix_ms;
    record.crashes = item.crashes;
    return record;
}

WorkRecord later_record(const pg::Result& rows, int row) {
    WorkRecord record;
    record.id = rows.number(row, 0);
    // What a stop made due at once stands as 0 in the table.
    record.due_unix_ms = std::max<int64_t>(1, rows.number(row, 1));
    record.push = rows.number(row, 2);
    record.gate = gate_at(rows, row, 3);
    record.after = rows.number(row, 4);
    record.hi = rows.number(row, 5);
    record.ordinal = ordinal_of(rows.number(row, 6), rows.number(row, 11));
    record.kind = rows.number4(row, 7);
    record.flags = small(rows, row, 8);
    record.attempt = small(rows, row, 9);
    record.content = rows.bytes(row, 10);
    return record;
}

DeadRecord dead_record(const pg::Result& rows, int row) {
    DeadRecord record;
    record.id = rows.number(row, 0);
    record.buried_unix_ms = rows.number(row, 1);
    record.push = rows.number(row, 2);
    record.gate = gate_at(rows, row, 3);
    record.after = rows.number(row, 4);
    record.hi = rows.number(row, 5);
    record.ordinal = ordinal_of(rows.number(row, 6), rows.number(row, 14));
    record.replayed_unix_ms = rows.number(row, 7);
    record.kind = rows.number4(row, 8);
    record.flags = small(rows, row, 9);
    record.attempt = small(rows, row, 10);
    record.entries = small(rows, row, 11);
    record.note = rows.bytes(row, 12);
    record.content = rows.bytes(row, 13);
    return record;
}

// The item of an unfinished bundle, as far as records go.
std::optional<Item> bundle_item(const pg::Result& rows, int row) {
    if (rows.is_null(row, kBundleItemAt)) return std::nullopt;
    Item item;
    item.gate = gate_at(rows, row, kBundleItemAt);
    item.flags = small(rows, row, kBundleItemAt + 1);
    item.attempt = small(rows, row, kBundleItemAt + 2);
    item.crashes = small(rows, row, kBundleItemAt + 3);
    item.ready_unix_ms = rows.number(row, kBundleItemAt + 4);
    return item;
}

}  // namespace

std::string Moving::dump(std::string_view cursor, DumpPage& page) {
    DumpPlace place = DumpPlace::parse(cursor);
    for (;;) {
        const pg::Deadline deadline = call_deadline();
        // A lost connection repeats a part that added nothing yet: rows are added after its last trip.
        while (core_.progress.with(
            deadline, [&](pg::Connection& connection) { return dump_part(connection, place, page, deadline); })) {
            if (page.is_full()) return place.text();
        }
        if (!place.go_on()) return {};
    }
}

bool Moving::dump_part(pg::Connection& connection, DumpPlace& place, DumpPage& page, pg::Deadline deadline) {
    if (place.part == DumpPlace::Pushes) return dump_pushes(connection, place, page, deadline);
    if (place.part == DumpPlace::Bundles) return dump_bundles(connection, place, page, deadline);
    if (place.part == DumpPlace::Blobs) {
        const pg::Result rows = connection.run(kBlobs, pg::Params().number(place.id).number(place.sub), deadline);
        if (rows.rows() == 0 || page.is_full()) return rows.rows() > 0;
        place.id = rows.number(0, 0);
        place.sub = rows.number(0, 1);
        page.add(BlobRecord{place.id, place.sub, rows.bytes(0, 2)});
        return true;
    }
    const std::string_view sql = place.part == DumpPlace::Items    ? std::string_view(kItems)
                                 : place.part == DumpPlace::Laters ? std::string_view(kLaters)
                                                                   : std::string_view(kDead);
    const pg::Result rows = connection.run(sql, pg::Params().number(place.id).number(kRowsPerRead), deadline);
    for (int row = 0; row < rows.rows(); ++row) {
        if (page.is_full()) return true;
        place.id = rows.number(row, 0);
        if (place.part == DumpPlace::Items) page.add(item_record(rows, row));
        if (place.part == DumpPlace::Laters) page.add(later_record(rows, row));
        if (place.part == DumpPlace::Dead) page.add(dead_record(rows, row));
    }
    return rows.rows() == kRowsPerRead;
}

bool Moving::dump_pushes(pg::Connection& connection, DumpPlace& place, DumpPage& page, pg::Deadline deadline) {
    const pg::Result rows = connection.run(kPushes, pg::Params().number(place.id).number(kRowsPerRead), deadline);
    // As many as fit the page with their bodies.
    std::vector<int64_t> ids, bodies;
    size_t bytes = 0;
    for (int row = 0; row < rows.rows() && bytes < DumpPage::kBytesMax && ids.size() < page.room(); ++row) {
        const Push push = read_push(rows, row);
        ids.push_back(push.id);
        if (push.body != 0) bodies.push_back(push.body);
        bytes += static_cast<size_t>(rows.number(row, kBodyBytesAt));
    }
    std::map<int64_t, Counters> counters = read_counters(connection, ids, deadline);
    const pg::Result found = connection.run(kBodies, pg::Params().column(pg::numbers(bodies)), deadline);
    std::map<int64_t, std::string_view> body_bytes;
    for (int row = 0; row < found.rows(); ++row) body_bytes[found.number(row, 0)] = found.bytes(row, 1);
    std::map<uint32_t, std::string> names;
    for (int row = 0; row < static_cast<int>(ids.size()); ++row) {
        const uint32_t app = read_push(rows, row).app;
        if (!names.contains(app)) names[app] = core_.apps.name(connection, app, deadline);
    }
    for (int row = 0; row < static_cast<int>(ids.size()); ++row) {
        if (page.is_full()) return true;
        const Push push = read_push(rows, row);
        PushRecord record = record_of_push(push);
        record.undiscovered = static_cast<uint32_t>(rows.number(row, kUndiscoveredAt));
        record.app = names.at(push.app);
        record.counters = std::move(counters[push.id]);
        record.body_bytes = body_bytes[push.body];
        page.add(record);
        place.id = push.id;
    }
    return rows.rows() == kRowsPerRead || static_cast<int>(ids.size()) < rows.rows();
}

bool Moving::dump_bundles(pg::Connection& connection, DumpPlace& place, DumpPage& page, pg::Deadline deadline) {
    const pg::Result rows = connection.run(kBundles, pg::Params().number(place.id).number(kBundlesPerRead), deadline);
    std::vector<Bundle> bundles;
    std::map<uint32_t, std::string> names;
    for (int row = 0; row < rows.rows(); ++row) {
        bundles.push_back(read_bundle(rows, row));
        for (const MemberResult& result : bundles.back().results) {
            if (!names.contains(result.app)) names[result.app] = core_.apps.name(connection, result.app, deadline);
        }
    }
    for (int row = 0; row < rows.rows(); ++row) {
        if (page.is_full()) return true;
        const Bundle& bundle = bundles[static_cast<size_t>(row)];
        const std::optional<Item> item = bundle_item(rows, row);
        const std::string_view content = item ? rows.bytes(row, kBundleItemAt + 5) : std::string_view();
        page.add(record_of_bundle(bundle, item ? &*item : nullptr, content,
                                  [&](uint32_t app) -> std::string_view { return names.at(app); }));
        place.id = bundle.id;
    }
    return rows.rows() == kBundlesPerRead;
}

}  // namespace belfry::queue_pg
