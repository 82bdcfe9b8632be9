// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/purge.h"

#include <algorithm>
#include <optional>

namespace belfry::queue_pg {

namespace {

constexpr int64_t kPerStep = 100;  // pushes, bundles, dead letters
constexpr int64_t kBundlesOfApp = 64;
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kReplyMs = 600'000;  // a settler that repeats a checkpoint does so within seconds
constexpr int64_t kRepliesPerStep = 5000;
constexpr int64_t kChangeMs = 600'000;

// A push with dead letters stays until they go, which takes weeks: the walk remembers where it was, and begins anew
// once a day for what it passed by.
constexpr int64_t kWalkEveryMs = kDayMs;
const std::string kFinal =
    std::string("SELECT ") + kPushColumns +
    ", EXISTS (SELECT FROM queue_dead d WHERE d.push = p.id) FROM queue_push p WHERE p.finished > 0 "
    "AND p.finished <= $1 AND (p.finished, p.id) > ($3, $4) ORDER BY p.finished, p.id LIMIT $2 "
    "FOR UPDATE OF p SKIP LOCKED";
const std::string kWithoutLetters =
    std::string("SELECT ") + kPushColumns +
    " FROM queue_push p WHERE p.id = ANY ($2::bigint[]) AND p.finished > 0 AND p.finished <= $1 AND NOT EXISTS (SELECT "
    "FROM queue_dead d WHERE d.push = p.id) ORDER BY p.id FOR UPDATE OF p";
const std::string kOfApp = std::string("SELECT ") + kPushColumns +
                           " FROM queue_push p WHERE p.app = $1 ORDER BY p.id LIMIT $2 FOR UPDATE OF p";
// Everything of pushes but their uids.
constexpr const char* kErase[] = {
    "DELETE FROM queue_item WHERE push = ANY ($1::bigint[]) AND push > 0",
    "DELETE FROM queue_later WHERE push = ANY ($1::bigint[])",
    "DELETE FROM queue_dead WHERE push = ANY ($1::bigint[])",
    "DELETE FROM queue_tally WHERE push = ANY ($1::bigint[])",
    "DELETE FROM queue_delta WHERE push = ANY ($1::bigint[])",
    "DELETE FROM queue_sample WHERE push = ANY ($1::bigint[])",
    "DELETE FROM queue_push WHERE id = ANY ($1::bigint[])",
};
constexpr const char* kEraseBlobs =
    "DELETE FROM queue_blob WHERE id = ANY (ARRAY(SELECT g.id FROM unnest($1::bigint[], $2::int[]) u (body, blobs) "
    "CROSS JOIN LATERAL generate_series(u.body, u.body + u.blobs) g (id)))";
const std::string kFinalBundles = std::string("SELECT ") + kBundleColumns +
                                  " FROM queue_bundle b WHERE b.finished > 0 AND b.finished <= $1 ORDER BY b.finished "
                                  "LIMIT $2 FOR UPDATE SKIP LOCKED";
constexpr const char* kEraseBundles = "DELETE FROM queue_bundle WHERE id = ANY ($1::bigint[])";
constexpr const char* kOldDead =
    "DELETE FROM queue_dead WHERE id = ANY (ARRAY(SELECT id FROM queue_dead WHERE buried <= $1 ORDER BY buried "
    "LIMIT $2)) RETURNING push";
constexpr const char* kFreeBodies =
    "WITH old AS MATERIALIZED (SELECT p.id, p.body, p.blobs FROM queue_push p WHERE p.id = ANY ($1::bigint[]) AND "
    "p.finished > 0 AND p.body > 0 AND NOT EXISTS (SELECT FROM queue_dead d WHERE d.push = p.id AND d.replayed = 0) "
    "FOR UPDATE), freed AS (UPDATE queue_push p SET body = 0 FROM old WHERE p.id = old.id RETURNING old.body, "
    "old.blobs) DELETE FROM queue_blob WHERE id = ANY (ARRAY(SELECT g.id FROM freed f CROSS JOIN LATERAL "
    "generate_series(f.body, f.body + f.blobs) g (id)))";
constexpr const char* kOldReplies =
    "WITH gone AS (DELETE FROM queue_reply WHERE ctid = ANY (ARRAY(SELECT ctid FROM queue_reply WHERE at < $1 AND "
    "at >= $2 ORDER BY at LIMIT $3)) RETURNING at) SELECT count(*), coalesce(max(at), 0) FROM gone";
// The latest number stays: numbers never go back.
constexpr const char* kOldChanges =
    "DELETE FROM queue_change WHERE at < $1 AND number < (SELECT max(number) FROM queue_change)";
constexpr const char* kOldNodes =
    "DELETE FROM queue_node n WHERE dead AND seen < $1 AND NOT EXISTS (SELECT FROM queue_item i WHERE i.owner = n.id "
    "AND i.owner <> 0)";

constexpr const char* kBundlesOf =
    "SELECT DISTINCT ref FROM (SELECT ref FROM queue_uid WHERE app = $1 AND member >= 0 LIMIT $2) r ORDER BY ref";
constexpr const char* kLockItems = "SELECT id FROM queue_item WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE";
const std::string kBundles = std::string("SELECT ") + kBundleColumns +
                             " FROM queue_bundle b WHERE b.id = ANY ($1::bigint[]) ORDER BY b.id FOR UPDATE";

std::vector<Push> read_pushes(const pg::Result& rows) {
    std::vector<Push> pushes;
    for (int row = 0; row < rows.rows(); ++row) pushes.push_back(read_push(rows, row));
    return pushes;
}

void erase_pushes(Turn& turn, const std::vector<Push>& pushes) {
    std::vector<int64_t> ids;
    pg::Column bodies(pg::Type::Int8);
    pg::Column blobs(pg::Type::Int4);
    for (const Push& push : pushes) {
        ids.push_back(push.id);
        turn.writes().erase_uid(push.app, push.uid, push.id);
        if (push.body == 0) continue;
        bodies.add(push.body);
        blobs.add4(push.blobs);
    }
    for (const char* sql : kErase) turn.connection().send(sql, pg::Params().column(pg::numbers(ids)));
    turn.connection().send(kEraseBlobs, pg::Params().column(bodies).column(blobs));
}

}  // namespace

bool Purge::step(int64_t now) {
    const pg::Deadline deadline = call_deadline();
    return core_.progress.with(deadline, [&](pg::Connection& connection) {
        const int64_t results_before = now - core_.config.results_days * kDayMs;
        bool more = results(connection, results_before, deadline);
        more = bundles(connection, results_before, deadline) || more;
        more = dead(connection, now - core_.config.dead_days * kDayMs, results_before, deadline) || more;
        memories(connection, now, deadline);
        return more;
    });
}

bool Purge::results(pg::Connection& connection, int64_t before, pg::Deadline deadline) {
    Turn turn(core_, connection, deadline);
    turn.open();
    connection.send(kFinal, pg::Params().number(before).number(kPerStep).number(walk_.finished).number(walk_.id));
    const std::vector<pg::Result> results = turn.trip_opened();
    if (turn.now() - walk_.begun >= kWalkEveryMs || turn.now() < walk_.begun) walk_ = {turn.now(), 0, 0};
    const pg::Result& rows = results[Turn::kOpened];
    std::vector<Push> pushes;
    Walk walk = walk_;
    for (int row = 0; row < rows.rows(); ++row) {
        Push push = read_push(rows, row);
        walk.finished = push.finished_unix_ms;
        walk.id = push.id;
        if (rows.bytes(row, kPushColumnCount)[0] == 0) pushes.push_back(std::move(push));
    }
    if (!pushes.empty()) erase_pushes(turn, pushes);
    turn.commit();
    walk_ = walk;
    return rows.rows() == kPerStep;
}

bool Purge::bundles(pg::Connection& connection, int64_t before, pg::Deadline deadline) {
    Turn turn(core_, connection, deadline);
    turn.open();
    connection.send(kFinalBundles, pg::Params().number(before).number(kPerStep));
    const std::vector<pg::Result> results = turn.trip_opened();
    const pg::Result& rows = results[Turn::kOpened];
    std::vector<int64_t> ids;
    for (int row = 0; row < rows.rows(); ++row) {
        ids.push_back(rows.number(row, 0));
        const std::optional<Bundle> bundle = intact_bundle(rows, row);
        if (!bundle) continue;
        for (const MemberResult& result : bundle->results) turn.writes().erase_uid(result.app, result.uid, bundle->id);
    }
    if (!ids.empty()) connection.send(kEraseBundles, pg::Params().column(pg::numbers(ids)));
    turn.commit();
    return ids.size() == static_cast<size_t>(kPerStep);
}

bool Purge::dead(pg::Connection& connection, int64_t before, int64_t results_before, pg::Deadline deadline) {
    const pg::Result rows = connection.run(kOldDead, pg::Params().number(before).number(kPerStep), deadline);
    std::vector<int64_t> pushes;
    for (int row = 0; row < rows.rows(); ++row) pushes.push_back(rows.number(row, 0));
    if (pushes.empty()) return false;
    connection.run(kFreeBodies, pg::Params().column(pg::numbers(pushes)), deadline);
    Turn turn(core_, connection, deadline);
    turn.open();
    connection.send(kWithoutLetters, pg::Params().number(results_before).column(pg::numbers(pushes)));
    const std::vector<pg::Result> results = turn.trip_opened();
    const std::vector<Push> done = read_pushes(results[Turn::kOpened]);
    if (!done.empty()) erase_pushes(turn, done);
    turn.commit();
    return rows.rows() == kPerStep;
}

void Purge::memories(pg::Connection& connection, int64_t now, pg::Deadline deadline) {
    connection.send(kOldChanges, pg::Params().number(now - kChangeMs));
    connection.send(kOldNodes, pg::Params().number(now - kDayMs));
    connection.trip(deadline);
}

bool Purge::replies(int64_t now) {
    const pg::Deadline deadline = call_deadline();
    return core_.progress.with(deadline, [&](pg::Connection& connection) {
        const pg::Result gone = connection.run(
            kOldReplies, pg::Params().number(now - kReplyMs).number(replies_floor_).number(kRepliesPerStep), deadline);
        const bool more = gone.number(0, 0) == kRepliesPerStep;
        // What lies below is dead; from the bottom again once all was taken, for what came in late.
        replies_floor_ = more ? gone.number(0, 1) : 0;
        return more;
    });
}

bool Purge::app(std::string_view name, uint32_t limit) {
    const pg::Deadline deadline = call_deadline();
    return core_.durable.with(deadline, [&](pg::Connection& connection) {
        const uint32_t app = core_.apps.find(connection, name, deadline);
        if (app == 0) return false;
        if (pushes_of(connection, app, std::clamp<int64_t>(limit, 1, kPerStep), deadline)) return true;
        return members_of(connection, app, deadline);
    });
}

bool Purge::pushes_of(pg::Connection& connection, uint32_t app, int64_t limit, pg::Deadline deadline) {
    Turn turn(core_, connection, deadline);
    turn.open();
    connection.send(kOfApp, pg::Params().number4(static_cast<int32_t>(app)).number(limit));
    const std::vector<pg::Result> rows = turn.trip_opened();
    const std::vector<Push> pushes = read_pushes(rows[Turn::kOpened]);
    for (const Push& push : pushes) {
        if (push.finished_unix_ms == 0) turn.writes().change(turn.now(), push.id, app, BELFRY_PUSH_CANCELLED, push.uid);
    }
    if (!pushes.empty()) erase_pushes(turn, pushes);
    turn.commit();
    return pushes.size() == static_cast<size_t>(limit);
}

bool Purge::members_of(pg::Connection& connection, uint32_t app, pg::Deadline deadline) {
    const auto number = static_cast<int32_t>(app);
    const pg::Result refs = connection.run(kBundlesOf, pg::Params().number4(number).number(kBundlesOfApp), deadline);
    std::vector<int64_t> ids;
    for (int row = 0; row < refs.rows(); ++row) ids.push_back(refs.number(row, 0));
    if (ids.empty()) return false;
    Turn turn(core_, connection, deadline);
    turn.open();
    connection.send(kLockItems, pg::Params().column(pg::numbers(ids)));
    connection.send(kBundles, pg::Params().column(pg::numbers(ids)));
    const std::vector<pg::Result> results = turn.trip_opened();
    const pg::Result& rows = results[Turn::kOpened + 1];
    for (int row = 0; row < rows.rows(); ++row) {
        Bundle bundle = read_bundle(rows, row);
        for (MemberResult& result : bundle.results) {
            if (result.app != app || result.moved_to != 0) continue;
            turn.writes().erase_uid(app, result.uid, bundle.id);
            if (result.finished_unix_ms == 0)
                turn.writes().change(turn.now(), 0, app, BELFRY_PUSH_CANCELLED, result.uid);
            result = {};
            result.app = app;
            result.moved_to = kErased;
        }
        turn.note_marks(bundle);
        turn.writes().update(bundle);
    }
    turn.commit();
    return true;
}

}  // namespace belfry::queue_pg
