// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/writes.h"

#include <span>

#include "queue_pg/tables.h"

namespace belfry::queue_pg {

using pg::Column;
using pg::Params;
using pg::Type;

namespace {

// Feed numbers are in order of commit: whoever takes one holds this lock to the end of its transaction.
constexpr int64_t kFeedLock = 0x42454c46'51554546;
// Stands for no shelf where a parameter cannot be null.
constexpr int64_t kNoShelf = -2;

constexpr const char* kInsertItems =
    "INSERT INTO queue_item (id, push, gate, shelf, vt, after, hi, blob, ready, owner, kind, lane, flags, attempt, "
    "crashes, epoch, serial, content) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], "
    "$5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::int[], $12::int[], "
    "$13::int[], $14::int[], $15::int[], $16::int[], $17::int[], $18::bytea[])";
constexpr const char* kInsertLaters =
    "INSERT INTO queue_later (id, due, push, gate, after, hi, blob, kind, flags, attempt, content) SELECT * FROM "
    "unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], "
    "$8::int[], $9::int[], $10::int[], $11::bytea[])";
constexpr const char* kInsertDead =
    "INSERT INTO queue_dead (id, replayed, buried, push, gate, after, hi, blob, app, kind, flags, attempt, entries, "
    "note, content) SELECT id, 0, buried, push, gate, after, hi, blob, app, kind, flags, attempt, entries, note, "
    "content FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], "
    "$7::bigint[], $8::int[], $9::int[], $10::int[], $11::int[], $12::int[], $13::bytea[], $14::bytea[]) "
    "u (id, buried, push, gate, after, hi, blob, app, kind, flags, attempt, entries, note, content)";
constexpr const char* kInsertPushes =
    "INSERT INTO queue_push (id, created, send_at, expires, finished, body, bundle, app, state, lane, weight, blobs, "
    "uid, fingerprint) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
    "$6::bigint[], $7::bigint[], $8::int[], $9::int[], $10::int[], $11::int[], $12::int[], $13::bytea[], $14::uuid[])";
constexpr const char* kInsertBundles =
    "INSERT INTO queue_bundle (id, created, finished, lane, open, results) SELECT * FROM unnest($1::bigint[], "
    "$2::bigint[], $3::bigint[], $4::int[], $5::int[], $6::bytea[])";
constexpr const char* kInsertBlobs =
    "INSERT INTO queue_blob (id, bytes) SELECT * FROM unnest($1::bigint[], $2::bytea[])";
// In order, so that batches that share uids wait one way only.
constexpr const char* kInsertUids =
    "INSERT INTO queue_uid (ref, app, member, uid) SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], "
    "$4::bytea[]) u (ref, app, member, uid) ORDER BY app, uid";
constexpr const char* kEraseUids =
    "DELETE FROM queue_uid WHERE ctid = ANY (ARRAY(SELECT q.ctid FROM unnest($1::bigint[], $2::int[], $3::bytea[]) "
    "u (ref, app, uid) CROSS JOIN LATERAL (SELECT ctid FROM queue_uid WHERE app = u.app AND uid = u.uid AND "
    "ref = u.ref OFFSET 0) q))";
constexpr const char* kRepointUids =
    "UPDATE queue_uid t SET ref = n.push, member = -1 FROM (SELECT q.ctid AS place, u.push FROM unnest($1::bigint[], "
    "$2::bigint[], $3::int[], $4::bytea[]) u (bundle, push, app, uid) CROSS JOIN LATERAL (SELECT ctid FROM queue_uid "
    "WHERE app = u.app AND uid = u.uid AND ref = u.bundle OFFSET 0) q OFFSET 0) n WHERE t.ctid = n.place";
constexpr const char* kInsertDeltas =
    "INSERT INTO queue_delta (push, gate, n, outcome) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], "
    "$4::int[])";
// Five of a push are kept; one more may slip in beside another transaction, and is not shown.
constexpr const char* kInsertSamples =
    "INSERT INTO queue_sample (push, gate, outcome, text) SELECT push, gate, outcome, text FROM (SELECT u.*, "
    "row_number() OVER (PARTITION BY push ORDER BY at) + (SELECT count(*) FROM queue_sample s WHERE s.push = u.push) "
    "AS place FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::bytea[]) WITH ORDINALITY "
    "u (push, gate, outcome, text, at)) n WHERE place <= 5 ORDER BY place";
constexpr const char* kLockFeed = "SELECT pg_advisory_xact_lock($1)";
// Above the clock, 4096 a millisecond, as well as above the last: a server that forgot its latest changes (a failover)
// gives no number again that a host has heard of.
constexpr const char* kInsertChanges =
    "INSERT INTO queue_change (number, at, push, app, state, uid) OVERRIDING SYSTEM VALUE SELECT greatest(queue_now() "
    "* 4096, (SELECT coalesce(max(number), 0) FROM queue_change)) + nth, at, push, app, state, uid FROM "
    "unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[], $5::bytea[]) WITH ORDINALITY "
    "u (at, push, app, state, uid, nth)";
constexpr const char* kInsertReplies =
    "INSERT INTO queue_reply (node, request, item, at, answer) SELECT * FROM unnest($1::bigint[], $2::bigint[], "
    "$3::bigint[], $4::bigint[], $5::bytea[])";

constexpr const char* kUpdateItem =
    "UPDATE queue_item SET shelf = nullif($2::bigint, -2), vt = $3, after = $4, hi = $5, ready = $6, owner = $7, "
    "lane = $8, flags = $9, crashes = $10, serial = $11 WHERE id = $1";
constexpr const char* kFlagItem = "UPDATE queue_item SET flags = flags | $2 WHERE id = $1";
constexpr const char* kEraseItems = "DELETE FROM queue_item WHERE id = ANY ($1::bigint[])";
constexpr const char* kReleaseItems =
    "UPDATE queue_item SET shelf = -1 WHERE push = ANY ($1::bigint[]) AND owner = 0 AND shelf IS DISTINCT FROM -1";
constexpr const char* kParkItems =
    "UPDATE queue_item SET shelf = NULL WHERE push = ANY ($1::bigint[]) AND owner = 0 AND shelf IS NOT NULL";
constexpr const char* kUnparkItems =
    "UPDATE queue_item SET shelf = gate, ready = $2, vt = greatest(vt, $3) WHERE push = $1 AND owner = 0 AND "
    "shelf IS NULL";
constexpr const char* kEraseLaters = "DELETE FROM queue_later WHERE id = ANY ($1::bigint[])";
// 2: kInitial.
constexpr const char* kForgetLaters = "DELETE FROM queue_later WHERE push = ANY ($1::bigint[]) AND flags & 2 <> 0";
constexpr const char* kHurryLaters = "UPDATE queue_later SET due = 0 WHERE push = ANY ($1::bigint[])";
constexpr const char* kStart = "UPDATE queue_push SET state = 2 WHERE id = ANY ($1::bigint[]) AND state = 1";
constexpr const char* kSetLane = "UPDATE queue_push SET lane = $2 WHERE id = $1";
constexpr const char* kMoveItems = "UPDATE queue_item SET lane = $2, vt = $3 WHERE push = $1";
constexpr const char* kUpdatePush = "UPDATE queue_push SET state = $2, expires = $3, finished = $4 WHERE id = $1";
constexpr const char* kUpdateBundle = "UPDATE queue_bundle SET finished = $2, open = $3, results = $4 WHERE id = $1";
constexpr const char* kDissolve = "UPDATE queue_push SET bundle = 0 WHERE bundle = ANY ($1::bigint[]) AND bundle > 0";

int32_t bits(uint32_t value) {
    return static_cast<int32_t>(value);
}
int64_t bits(uint64_t value) {
    return static_cast<int64_t>(value);
}

}  // namespace

Writes::Table::Table(std::initializer_list<Type> types) {
    for (const Type type : types) columns.emplace_back(type);
}

Params Writes::Table::params() const {
    Params params;
    for (const Column& column : columns) params.column(column);
    return params;
}

Writes::Writes()
    : items_{Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8,
             Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int4, Type::Int4,
             Type::Int4, Type::Int4, Type::Int4, Type::Int4, Type::Int4, Type::Bytes},
      laters_{Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8,
              Type::Int8, Type::Int4, Type::Int4, Type::Int4, Type::Bytes},
      dead_{Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8,  Type::Int8,
            Type::Int4, Type::Int4, Type::Int4, Type::Int4, Type::Int4, Type::Bytes, Type::Bytes},
      pushes_{Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Int8,  Type::Int8,
              Type::Int4, Type::Int4, Type::Int4, Type::Int4, Type::Int4, Type::Bytes, Type::Uuid},
      bundles_{Type::Int8, Type::Int8, Type::Int8, Type::Int4, Type::Int4, Type::Bytes},
      blobs_{Type::Int8, Type::Bytes},
      uids_{Type::Int8, Type::Int4, Type::Int4, Type::Bytes},
      erased_uids_{Type::Int8, Type::Int4, Type::Bytes},
      deltas_{Type::Int8, Type::Int8, Type::Int8, Type::Int4},
      samples_{Type::Int8, Type::Int8, Type::Int4, Type::Bytes},
      changes_{Type::Int8, Type::Int8, Type::Int4, Type::Int4, Type::Bytes},
      replies_{Type::Int8, Type::Int8, Type::Int8, Type::Int8, Type::Bytes},
      repointed_{Type::Int8, Type::Int8, Type::Int4, Type::Bytes} {}

void Writes::insert(const Item& item, Shelf shelf, std::string_view content) {
    std::vector<Column>& c = items_.columns;
    c[0].add(item.id);
    c[1].add(item.push);
    c[2].add(int64_t{item.gate});
    shelf ? c[3].add(*shelf) : c[3].add_null();
    c[4].add(item.vt);
    c[5].add(item.after);
    c[6].add(item.hi);
    c[7].add(item.blob);
    c[8].add(item.ready_unix_ms);
    c[9].add(bits(item.owner));
    c[10].add4(item.kind);
    c[11].add4(item.lane);
    c[12].add4(bits(item.flags));
    c[13].add4(bits(item.attempt));
    c[14].add4(bits(item.crashes));
    c[15].add4(bits(item.epoch));
    c[16].add4(item.serial);
    c[17].add(content);
}

void Writes::insert_later(const Item& item, int64_t due_unix_ms, std::string_view content) {
    std::vector<Column>& c = laters_.columns;
    c[0].add(item.id);
    c[1].add(due_unix_ms);
    c[2].add(item.push);
    c[3].add(int64_t{item.gate});
    c[4].add(item.after);
    c[5].add(item.hi);
    c[6].add(item.blob);
    c[7].add4(item.kind);
    c[8].add4(bits(item.flags));
    c[9].add4(bits(item.attempt));
    c[10].add(content);
}

void Writes::insert_dead(const Item& work, uint32_t app, int64_t now, std::string_view note, std::string_view content) {
    std::vector<Column>& c = dead_.columns;
    c[0].add(work.id);
    c[1].add(now);
    c[2].add(work.push);
    c[3].add(int64_t{work.gate});
    c[4].add(work.after);
    c[5].add(work.hi);
    c[6].add(work.blob);
    c[7].add4(bits(app));
    c[8].add4(work.kind);
    c[9].add4(bits(work.flags));
    c[10].add4(bits(work.attempt));
    c[11].add4(bits(entries_of(work.kind, work.flags, content.size())));
    c[12].add(note);
    c[13].add(content);
}

void Writes::insert(const Push& push) {
    std::vector<Column>& c = pushes_.columns;
    c[0].add(push.id);
    c[1].add(push.created_unix_ms);
    c[2].add(push.send_at_unix_ms);
    c[3].add(push.expires_unix_ms);
    c[4].add(push.finished_unix_ms);
    c[5].add(push.body);
    c[6].add(push.bundle);
    c[7].add4(bits(push.app));
    c[8].add4(push.state);
    c[9].add4(push.lane);
    c[10].add4(bits(push.weight));
    c[11].add4(push.blobs);
    c[12].add(push.uid);
    c[13].add({push.fingerprint.data(), push.fingerprint.size()});
}

void Writes::insert(const Bundle& bundle) {
    std::vector<Column>& c = bundles_.columns;
    c[0].add(bundle.id);
    c[1].add(bundle.created_unix_ms);
    c[2].add(bundle.finished_unix_ms);
    c[3].add4(bundle.lane);
    c[4].add4(open_members(bundle));
    c[5].add(pack_results(bundle.results));
}

void Writes::insert_blob(int64_t id, std::string_view bytes) {
    blobs_.columns[0].add(id);
    blobs_.columns[1].add(bytes);
}

void Writes::insert_uid(uint32_t app, std::string_view uid, int64_t ref, int32_t member) {
    uids_.columns[0].add(ref);
    uids_.columns[1].add4(bits(app));
    uids_.columns[2].add4(member);
    uids_.columns[3].add(uid);
}

void Writes::erase_uid(uint32_t app, std::string_view uid, int64_t ref) {
    erased_uids_.columns[0].add(ref);
    erased_uids_.columns[1].add4(bits(app));
    erased_uids_.columns[2].add(uid);
}

void Writes::repoint_uid(uint32_t app, std::string_view uid, int64_t bundle, int64_t push) {
    repointed_.columns[0].add(bundle);
    repointed_.columns[1].add(push);
    repointed_.columns[2].add4(bits(app));
    repointed_.columns[3].add(uid);
}

void Writes::update(const Item& item, Shelf shelf) {
    changed_items_.emplace_back(item, shelf);
}
void Writes::add_flag(int64_t item, uint32_t flag) {
    flags_.emplace_back(item, flag);
}
void Writes::update(const Push& push) {
    changed_pushes_.push_back(push);
}
void Writes::update(const Bundle& bundle) {
    changed_bundles_.push_back(bundle);
}

void Writes::count(int64_t push, uint32_t gate, int32_t outcome, int64_t n) {
    if (n == 0) return;
    deltas_.columns[0].add(push);
    deltas_.columns[1].add(int64_t{gate});
    deltas_.columns[2].add(n);
    deltas_.columns[3].add4(outcome);
}

void Writes::sample(int64_t push, uint32_t gate, int32_t outcome, std::string_view text) {
    samples_.columns[0].add(push);
    samples_.columns[1].add(int64_t{gate});
    samples_.columns[2].add4(outcome);
    samples_.columns[3].add(text.substr(0, kSampleBytesMax));
}

void Writes::change(int64_t now, int64_t push, uint32_t app, int32_t state, std::string_view uid) {
    changes_.columns[0].add(now);
    changes_.columns[1].add(push);
    changes_.columns[2].add4(bits(app));
    changes_.columns[3].add4(state);
    changes_.columns[4].add(uid);
}

void Writes::reply(uint64_t node, uint64_t request, int64_t item, int64_t now, std::string_view answer) {
    replies_.columns[0].add(bits(node));
    replies_.columns[1].add(bits(request));
    replies_.columns[2].add(item);
    replies_.columns[3].add(now);
    replies_.columns[4].add(answer);
}

void Writes::send(pg::Connection& connection) {
    send_inserts(connection);
    send_updates(connection);
    if (changes_.empty()) return;
    connection.send(kLockFeed, Params().number(kFeedLock));
    connection.send(kInsertChanges, changes_.params());
}

void Writes::send_inserts(pg::Connection& connection) {
    const auto insert = [&](const Table& table, const char* sql) {
        if (!table.empty()) connection.send(sql, table.params());
    };
    insert(erased_uids_, kEraseUids);
    insert(uids_, kInsertUids);
    insert(repointed_, kRepointUids);
    insert(pushes_, kInsertPushes);
    insert(blobs_, kInsertBlobs);
    insert(items_, kInsertItems);
    insert(laters_, kInsertLaters);
    insert(bundles_, kInsertBundles);
    insert(dead_, kInsertDead);
    insert(deltas_, kInsertDeltas);
    insert(samples_, kInsertSamples);
    insert(replies_, kInsertReplies);
}

void Writes::send_updates(pg::Connection& connection) {
    for (const auto& [item, shelf] : changed_items_) {
        connection.send(kUpdateItem, Params()
                                         .number(item.id)
                                         .number(shelf.value_or(kNoShelf))
                                         .number(item.vt)
                                         .number(item.after)
                                         .number(item.hi)
                                         .number(item.ready_unix_ms)
                                         .number(bits(item.owner))
                                         .number4(item.lane)
                                         .number4(bits(item.flags))
                                         .number4(bits(item.crashes))
                                         .number4(item.serial));
    }
    for (const auto& [item, flag] : flags_) connection.send(kFlagItem, Params().number(item).number4(bits(flag)));
    const auto each = [&](const std::vector<int64_t>& ids, const char* sql) {
        if (!ids.empty()) connection.send(sql, Params().column(pg::numbers(ids)));
    };
    each(erased_items_, kEraseItems);
    each(erased_laters_, kEraseLaters);
    each(stopped_pushes_, kForgetLaters);
    each(stopped_pushes_, kHurryLaters);
    each(released_pushes_, kReleaseItems);
    each(parked_pushes_, kParkItems);
    for (const Unparked& one : unparked_)
        connection.send(kUnparkItems, Params().number(one.push).number(one.now).number(one.vt));
    for (const LaneMove& move : lane_moves_) {
        connection.send(kSetLane, Params().number(move.push).number4(move.lane));
        connection.send(kMoveItems, Params().number(move.push).number4(move.lane).number(move.vt));
    }
    each(started_, kStart);
    for (const Push& push : changed_pushes_) {
        connection.send(
            kUpdatePush,
            Params().number(push.id).number4(push.state).number(push.expires_unix_ms).number(push.finished_unix_ms));
    }
    for (const Bundle& bundle : changed_bundles_) {
        connection.send(kUpdateBundle, Params()
                                           .number(bundle.id)
                                           .number(bundle.finished_unix_ms)
                                           .number4(open_members(bundle))
                                           .bytes(pack_results(bundle.results)));
    }
    each(dissolved_, kDissolve);
}

}  // namespace belfry::queue_pg
