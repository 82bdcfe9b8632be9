// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/closing.h"

#include <vector>

namespace belfry::queue_pg {

namespace {

constexpr const char* kBegin = "BEGIN";
// Rows first, so that the next statement sees what whoever held them did.
constexpr const char* kLock =
    "SELECT id FROM queue_push WHERE id = ANY ($1::bigint[]) AND finished = 0 ORDER BY id FOR UPDATE";
// 4, 5, 6: done, cancelled, expired.
constexpr const char* kClose =
    "WITH old AS MATERIALIZED (SELECT p.id, p.body, p.blobs, EXISTS (SELECT FROM queue_dead d WHERE d.push = p.id AND "
    "d.replayed = 0) AS letters FROM queue_push p WHERE p.id = ANY ($1::bigint[]) AND p.finished = 0 AND p.bundle = 0 "
    "AND NOT EXISTS (SELECT FROM queue_item i WHERE i.push = p.id AND i.push > 0) "
    "AND NOT EXISTS (SELECT FROM queue_later l WHERE l.push = p.id)), "
    "closed AS (UPDATE queue_push p SET finished = queue_now(), body = CASE WHEN old.letters THEN p.body ELSE 0 END, "
    "state = CASE WHEN p.state IN (5, 6) THEN p.state WHEN p.expires > 0 AND p.expires <= queue_now() THEN 6 ELSE 4 "
    "END FROM old WHERE p.id = old.id RETURNING old.body, old.blobs, old.letters) "
    "DELETE FROM queue_blob WHERE id = ANY (ARRAY(SELECT g.id FROM closed c CROSS JOIN LATERAL "
    "generate_series(c.body, c.body + c.blobs) g (id) WHERE NOT c.letters AND c.body > 0))";
constexpr const char* kCommit = "COMMIT";

}  // namespace

void close_finished(pg::Connection& connection, const std::set<int64_t>& pushes, pg::Deadline deadline) {
    if (pushes.empty()) return;
    const std::vector<int64_t> ids(pushes.begin(), pushes.end());
    connection.send(kBegin);
    connection.send(kLock, pg::Params().column(pg::numbers(ids)));
    connection.send(kClose, pg::Params().column(pg::numbers(ids)));
    connection.send(kCommit);
    connection.trip(deadline);
}

}  // namespace belfry::queue_pg
