// SPDX-License-Identifier: Apache-2.0
#include "core.h"

#include <utility>

#include "schema.h"

namespace belfry::queue_sqlite {

namespace {

std::unique_ptr<sqlite::Database> open_file(const Config& config) {
    sqlite::WriterOptions options;
    options.cache_kib = config.cache_mib * 1024;
    options.exclusive = true;
    options.checkpoint_in_commit = false;
    options.incremental_vacuum = true;
    std::unique_ptr<sqlite::Database> database = sqlite::Database::open_writer(config.path, options);
    prepare_schema(*database);
    return database;
}

Board::Bounds bounds_of(const Config& config) {
    Board::Bounds bounds;
    bounds.shelf_items = config.shelf_items;
    return bounds;
}

}  // namespace

Core::Core(const belfry_host* host_table, Config configuration)
    : config(std::move(configuration)),
      host(host_table),
      database(open_file(config)),
      tables(*database),
      ledger(config.path + ".held"),
      board(ledger, bounds_of(config)),
      book(tables, board),
      uids(tables),
      directory(uids, book) {}

}  // namespace belfry::queue_sqlite
