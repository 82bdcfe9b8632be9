// SPDX-License-Identifier: Apache-2.0
#include "schema.h"

#include <array>

#include "schema_v2.h"
#include "sqlite/schema.h"

namespace belfry::queue_sqlite {

namespace {

constexpr sqlite::Component kComponent{"queue_sqlite", 0x42515351};  // "BQSQ"

// Columns that a page changes come first, contents last: SQLite then reads and writes the head of a row only.
//
// push    one row per push that is not in a bundle; finished = 0 while it has items or later rows
// bundle  the packed results of small pushes; the work item of a bundle has the same id
// uid     what every uid stands for: a push, or a member of a bundle
// blob    bodies and token blobs, immutable
// item    the claimable things, and those parked until their push is resumed
// later   items that are not due yet
// dead    dead letters
constexpr const char* kVersion1 = R"sql(
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE app (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE push (
    id INTEGER PRIMARY KEY,
    planned INTEGER NOT NULL, undiscovered INTEGER NOT NULL, tallies BLOB NOT NULL, samples BLOB NOT NULL,
    state INTEGER NOT NULL, lane INTEGER NOT NULL, finished INTEGER NOT NULL, body INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    app INTEGER NOT NULL, weight INTEGER NOT NULL, created INTEGER NOT NULL, send_at INTEGER NOT NULL,
    uid BLOB NOT NULL
) STRICT;
CREATE INDEX push_app ON push(app, id);
CREATE INDEX push_open ON push(state) WHERE finished = 0;
CREATE INDEX push_expiring ON push(expires) WHERE expires > 0 AND state < 4;
CREATE INDEX push_final ON push(finished) WHERE finished > 0;

CREATE TABLE bundle (
    id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, created INTEGER NOT NULL, finished INTEGER NOT NULL,
    open INTEGER NOT NULL, results BLOB NOT NULL
) STRICT;
CREATE INDEX bundle_final ON bundle(finished) WHERE finished > 0;

CREATE TABLE uid (
    key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, ref INTEGER NOT NULL, member INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE blob (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;

CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    after INTEGER NOT NULL, hi INTEGER NOT NULL, vt INTEGER NOT NULL, ready INTEGER NOT NULL,
    crashes INTEGER NOT NULL, parked INTEGER NOT NULL,
    push INTEGER NOT NULL, kind INTEGER NOT NULL, lane INTEGER NOT NULL, gate INTEGER NOT NULL,
    flags INTEGER NOT NULL, attempt INTEGER NOT NULL, blob INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX item_shelf ON item(lane, gate, id) WHERE parked = 0;
CREATE INDEX item_push ON item(push) WHERE push > 0;
CREATE INDEX item_blob ON item(blob) WHERE blob > 0;

CREATE TABLE later (
    id INTEGER PRIMARY KEY, due INTEGER NOT NULL,
    push INTEGER NOT NULL, kind INTEGER NOT NULL, gate INTEGER NOT NULL, flags INTEGER NOT NULL,
    attempt INTEGER NOT NULL, after INTEGER NOT NULL, hi INTEGER NOT NULL, blob INTEGER NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX later_due ON later(due);
CREATE INDEX later_push ON later(push);
CREATE INDEX later_blob ON later(blob) WHERE blob > 0;

CREATE TABLE dead (
    id INTEGER PRIMARY KEY, replayed INTEGER NOT NULL, buried INTEGER NOT NULL,
    app INTEGER NOT NULL, push INTEGER NOT NULL, kind INTEGER NOT NULL, gate INTEGER NOT NULL,
    flags INTEGER NOT NULL, attempt INTEGER NOT NULL, entries INTEGER NOT NULL,
    after INTEGER NOT NULL, hi INTEGER NOT NULL, blob INTEGER NOT NULL, note TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX dead_app ON dead(app, id);
CREATE INDEX dead_push ON dead(push);
CREATE INDEX dead_buried ON dead(buried);
CREATE INDEX dead_blob ON dead(blob) WHERE blob > 0;
)sql";

// uid holds hashes instead of uids, see uid_index.h; fingerprints stand with what they belong to; the results of
// bundles are packed closer.
constexpr const char* kVersion2 = R"sql(
ALTER TABLE uid RENAME TO uid_1;
CREATE TABLE uid (
    hash INTEGER NOT NULL, ref INTEGER NOT NULL, member INTEGER NOT NULL, PRIMARY KEY (hash, ref, member)
) STRICT, WITHOUT ROWID;
ALTER TABLE push ADD COLUMN fingerprint BLOB NOT NULL DEFAULT x'';
)sql";

constexpr std::array kSteps{sqlite::Migration{1, kVersion1}, sqlite::Migration{2, kVersion2, &convert_to_version_2}};

}  // namespace

void prepare_schema(sqlite::Database& database) {
    sqlite::migrate(database, kComponent, kSteps);
}

}  // namespace belfry::queue_sqlite
