// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/tables.h"

#include <array>

#include "sqlite/schema.h"

namespace belfry::storage {

namespace {

constexpr sqlite::Component kComponent{"storage_sqlite", 0x42465354};  // "BFST"

// app          numbers of apps; everything else is inside one of them.
// word         dictionary behind `traits` (traits.h).
// device       one row per device. topics: its subscriptions with their origins (codec.h). labels: only where traits is
// -1.
//              meta last, so that overflow pages are not read for what comes before.
// subscription fan-out: everything a page needs beside the key, in key order. Derived from device, always in the same
// transaction.
//              token is empty where it is too long: joined with device then.
// topic        numbers of topic names; gone with the last subscription and binding.
// bound_user   users that have topics of their own, "" being everybody; user_topic: which.
// kv, counter  cluster state; the sequence of device keys.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE app (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE word (
    kind INTEGER NOT NULL, id INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
CREATE TABLE topic (id INTEGER PRIMARY KEY, app INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (app, name)) STRICT;
CREATE TABLE device (
    app INTEGER NOT NULL, key INTEGER NOT NULL, traits INTEGER NOT NULL, token BLOB NOT NULL, data BLOB NOT NULL,
    labels BLOB NOT NULL, user TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    registered INTEGER NOT NULL, topics BLOB NOT NULL, token_hash BLOB NOT NULL, identity_hash BLOB NOT NULL,
    meta TEXT NOT NULL,
    PRIMARY KEY (app, key)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_identity ON device (app, identity_hash);
CREATE INDEX device_user ON device (app, user, key) WHERE user <> '';
CREATE TABLE subscription (
    topic INTEGER NOT NULL, key INTEGER NOT NULL, traits INTEGER NOT NULL, token BLOB NOT NULL,
    PRIMARY KEY (topic, key)) STRICT, WITHOUT ROWID;
CREATE TABLE bound_user (id INTEGER PRIMARY KEY, app INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (app, name)) STRICT;
CREATE TABLE user_topic (
    user INTEGER NOT NULL, topic INTEGER NOT NULL,
    PRIMARY KEY (user, topic)) STRICT, WITHOUT ROWID;
CREATE INDEX user_topic_topic ON user_topic (topic);
CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counter VALUES ('sequence', 0);
)sql";

constexpr std::array<sqlite::Migration, 1> kSteps{{{1, kVersion1}}};

}  // namespace

void prepare_tables(sqlite::Database& database) {
    sqlite::migrate(database, kComponent, kSteps);
}

}  // namespace belfry::storage
