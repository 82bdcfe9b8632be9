// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/tables.h"

#include <array>

namespace belfry::queue_pg {

namespace {

// queue_now    the clock that counts, for every node: the database's. Tests put another function in its place.
// queue_block  blocks of ids; all rows but counters take theirs from it, so ids are in order of arrival.
// queue_push   one row per push that is in no bundle; finished = 0 while it has items. body and the `blobs` ids behind
//              it are its blobs. bundle: the unfinished bundle it was a member of.
// queue_bundle the packed results of small pushes (queue/bundle.h); its work item has the same id.
// queue_uid    what a uid stands for: a push (member -1), or a member of a bundle.
// queue_item   the claimable things. shelf: the gate while claimable, kStoppedShelf, or null; owner: the node that
// holds
//              it, or 0; neither: parked until its push is resumed. serial counts its pages.
// queue_later  items that are not due yet. queue_dead: dead letters.
// queue_tally  counters, by outcome (queue_delta: what upkeep has not added to them yet, so that pages of a push never
//              wait for each other). queue_sample: error samples.
// queue_reply  answers of the latest checkpoints, for repetitions after a lost reply.
// queue_change what was stopped, paused or resumed, numbered in order of commit (writes.cpp; the identity is not used).
// queue_node   signs of life, and each node's virtual time by lane.
// Hot tables are vacuumed early and whole; their indexes never hold a row's past for long that way.
constexpr const char* kVersion1 = R"sql(
CREATE SEQUENCE queue_block;
CREATE FUNCTION queue_now() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
    AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint';

CREATE TABLE queue_app (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE);

CREATE TABLE queue_push (
    id bigint PRIMARY KEY, created bigint NOT NULL, send_at bigint NOT NULL, expires bigint NOT NULL,
    finished bigint NOT NULL, body bigint NOT NULL, bundle bigint NOT NULL,
    app int NOT NULL, state int NOT NULL, lane int NOT NULL, weight int NOT NULL, blobs int NOT NULL,
    uid bytea NOT NULL, fingerprint uuid NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX queue_push_app ON queue_push (app, id);
CREATE INDEX queue_push_open ON queue_push (state, id) WHERE finished = 0;
CREATE INDEX queue_push_expiring ON queue_push (expires) WHERE finished = 0 AND expires > 0 AND state < 4;
CREATE INDEX queue_push_final ON queue_push (finished) WHERE finished > 0;
CREATE INDEX queue_push_bundle ON queue_push (bundle) WHERE bundle > 0;

CREATE TABLE queue_bundle (
    id bigint PRIMARY KEY, created bigint NOT NULL, finished bigint NOT NULL, lane int NOT NULL, open int NOT NULL,
    results bytea NOT NULL
);
CREATE INDEX queue_bundle_open ON queue_bundle (id) INCLUDE (open) WHERE finished = 0;
CREATE INDEX queue_bundle_final ON queue_bundle (finished) WHERE finished > 0;

CREATE TABLE queue_uid (
    ref bigint NOT NULL, app int NOT NULL, member int NOT NULL, uid bytea NOT NULL, PRIMARY KEY (app, uid)
);

CREATE TABLE queue_blob (id bigint PRIMARY KEY, bytes bytea NOT NULL);

CREATE TABLE queue_item (
    id bigint PRIMARY KEY, push bigint NOT NULL, gate bigint NOT NULL, shelf bigint, vt bigint NOT NULL,
    after bigint NOT NULL, hi bigint NOT NULL, blob bigint NOT NULL, ready bigint NOT NULL, owner bigint NOT NULL,
    kind int NOT NULL, lane int NOT NULL, flags int NOT NULL, attempt int NOT NULL, crashes int NOT NULL,
    epoch int NOT NULL, serial int NOT NULL, content bytea NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE INDEX queue_item_shelf ON queue_item (lane, shelf, vt, id) WHERE shelf IS NOT NULL;
CREATE INDEX queue_item_owner ON queue_item (owner) WHERE owner <> 0;
CREATE INDEX queue_item_push ON queue_item (push) WHERE push > 0;

CREATE TABLE queue_later (
    id bigint PRIMARY KEY, due bigint NOT NULL, push bigint NOT NULL, gate bigint NOT NULL, after bigint NOT NULL,
    hi bigint NOT NULL, blob bigint NOT NULL, kind int NOT NULL, flags int NOT NULL, attempt int NOT NULL,
    content bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_later_due ON queue_later (due, id);
CREATE INDEX queue_later_push ON queue_later (push);

CREATE TABLE queue_dead (
    id bigint PRIMARY KEY, replayed bigint NOT NULL, buried bigint NOT NULL, push bigint NOT NULL, gate bigint NOT NULL,
    after bigint NOT NULL, hi bigint NOT NULL, blob bigint NOT NULL, app int NOT NULL, kind int NOT NULL,
    flags int NOT NULL, attempt int NOT NULL, entries int NOT NULL, note bytea NOT NULL,
    content bytea NOT NULL
);
CREATE INDEX queue_dead_app ON queue_dead (app, id);
CREATE INDEX queue_dead_push ON queue_dead (push, id);
CREATE INDEX queue_dead_buried ON queue_dead (buried);

CREATE TABLE queue_tally (
    push bigint NOT NULL, gate bigint NOT NULL, outcome int NOT NULL, n bigint NOT NULL,
    PRIMARY KEY (push, gate, outcome)
) WITH (fillfactor = 80);
CREATE TABLE queue_delta (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, push bigint NOT NULL, gate bigint NOT NULL,
    n bigint NOT NULL, outcome int NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_delta_push ON queue_delta (push);
CREATE TABLE queue_sample (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, push bigint NOT NULL, gate bigint NOT NULL,
    outcome int NOT NULL, text bytea NOT NULL
);
CREATE INDEX queue_sample_push ON queue_sample (push, id);

CREATE TABLE queue_reply (
    node bigint NOT NULL, request bigint NOT NULL, item bigint NOT NULL, at bigint NOT NULL, answer bytea NOT NULL,
    PRIMARY KEY (node, request, item)
) WITH (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_reply_at ON queue_reply (at);

CREATE TABLE queue_change (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at bigint NOT NULL, push bigint NOT NULL,
    app int NOT NULL, state int NOT NULL, uid bytea NOT NULL
);

CREATE TABLE queue_node (
    id bigint PRIMARY KEY, home bigint NOT NULL, seen bigint NOT NULL, vt1 bigint NOT NULL, vt2 bigint NOT NULL,
    vt3 bigint NOT NULL, dead boolean NOT NULL
) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- Keys, tokens and bodies are not worth the time to compress.
ALTER TABLE queue_bundle ALTER results SET STORAGE EXTERNAL;
ALTER TABLE queue_blob ALTER bytes SET STORAGE EXTERNAL;
ALTER TABLE queue_item ALTER content SET STORAGE EXTERNAL;
ALTER TABLE queue_later ALTER content SET STORAGE EXTERNAL;
ALTER TABLE queue_dead ALTER content SET STORAGE EXTERNAL;
)sql";

// Lists of an app's pushes in one state.
constexpr const char* kVersion2 = "CREATE INDEX queue_push_state ON queue_push (app, state, id)";

// Buckets of rate limits. A crash of the server empties it, which lets a few deliveries too many through. Sweeping
// finds its rows by id: an index on full_ms would make every charge write that, too.
constexpr const char* kVersion3 = R"sql(
CREATE UNLOGGED TABLE queue_limit (
    id uuid PRIMARY KEY, full_ms bigint NOT NULL, parts int NOT NULL, stamps bytea NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_cost_delay = 0);
)sql";

constexpr std::array kSteps{pg::Migration{1, kVersion1}, pg::Migration{2, kVersion2}, pg::Migration{3, kVersion3}};

}  // namespace

std::span<const pg::Migration> migrations() {
    return kSteps;
}

}  // namespace belfry::queue_pg
