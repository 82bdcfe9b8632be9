// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/tables.h"

#include <array>

namespace belfry::storage_pg {

namespace {

// app          numbers of apps, never taken away; generation grows when numbers of its topics are (purge).
// topic        numbers of topic names, never given twice.
// device       one row per device. topics: its subscriptions with their origins (storage/packing.h). No index holds a
//              column that an ordinary re-registration changes, so that one stays a heap-only update. Only the primary
//              key begins with app, and only statements about keys say app = $1 (others say app + 0 = $1): a planner
//              without statistics would otherwise take any index with app and filter.
// subscription fan-out: one index holds all that a page needs, in key order. Derived from device, always in the same
//              transaction. token is null where token and data are too long together: joined with device then.
// bound_user   users that have topics of their own, "" being everybody; user_topic: which.
// kv           cluster state; id gives a dump its order.
// device_block blocks of device sequences.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE app (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, generation bigint NOT NULL DEFAULT 0,
    name text COLLATE "C" NOT NULL UNIQUE);
CREATE TABLE topic (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, app int NOT NULL, name text COLLATE "C" NOT NULL,
    UNIQUE (app, name));
CREATE TABLE device (
    key bigint NOT NULL, created bigint NOT NULL, updated bigint NOT NULL, registered bigint NOT NULL,
    identity uuid NOT NULL, token_hash uuid NOT NULL, app int NOT NULL, variant int NOT NULL,
    provider text COLLATE "C" NOT NULL, platform text COLLATE "C" NOT NULL, timezone text COLLATE "C" NOT NULL,
    locale text COLLATE "C" NOT NULL, usr text COLLATE "C" NOT NULL, token bytea NOT NULL, data bytea NOT NULL,
    topics bytea NOT NULL, meta text COLLATE "C" NOT NULL,
    PRIMARY KEY (app, key))
    WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE UNIQUE INDEX device_identity ON device (identity, app);
CREATE INDEX device_usr ON device (usr, app) WHERE usr <> '';
CREATE TABLE subscription (
    topic bigint NOT NULL, key bigint NOT NULL, variant int NOT NULL, provider text COLLATE "C" NOT NULL,
    platform text COLLATE "C" NOT NULL, timezone text COLLATE "C" NOT NULL, locale text COLLATE "C" NOT NULL,
    token bytea, data bytea NOT NULL,
    PRIMARY KEY (topic, key) INCLUDE (variant, provider, platform, timezone, locale, token, data))
    WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
          autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE subscription ALTER COLUMN token SET STORAGE PLAIN, ALTER COLUMN data SET STORAGE PLAIN;
CREATE TABLE bound_user (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, app int NOT NULL, name text COLLATE "C" NOT NULL,
    UNIQUE (app, name));
CREATE TABLE user_topic (usr bigint NOT NULL, topic bigint NOT NULL, PRIMARY KEY (usr, topic));
CREATE TABLE kv (
    id bigint GENERATED ALWAYS AS IDENTITY UNIQUE, key text COLLATE "C" PRIMARY KEY, version bigint NOT NULL,
    value bytea NOT NULL);
CREATE SEQUENCE device_block MINVALUE 0 START 0 MAXVALUE 1099511626;
)sql";

constexpr std::array<pg::Migration, 1> kSteps{{{1, kVersion1}}};

}  // namespace

std::span<const pg::Migration> migrations() {
    return kSteps;
}

}  // namespace belfry::storage_pg
