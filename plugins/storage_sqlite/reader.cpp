// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/reader.h"

#include <belfry/abi.hpp>

#include <algorithm>

#include "storage/limits.h"

namespace belfry::storage {

namespace {

std::unique_ptr<sqlite::Database> open(const std::string& path, uint32_t cache_kib) {
    sqlite::ReaderOptions options;
    options.cache_kib = cache_kib;
    return sqlite::Database::open_reader(path, options);
}

std::string select(const char* columns, const char* rest) {
    return std::string("SELECT ") + columns + " FROM device " + rest;
}

constexpr const char* kInRange = "WHERE app = ?1 AND key > ?2 AND key < ?3 ORDER BY key LIMIT ?4";

}  // namespace

Reader::Reader(const std::string& path, uint32_t cache_kib)
    : database_(open(path, cache_kib)),
      words_(*database_, Words::Use::Read),
      app_(database_->prepare("SELECT id FROM app WHERE name = ?1")),
      topic_(database_->prepare("SELECT id FROM topic WHERE app = ?1 AND name = ?2")),
      topic_name_(database_->prepare("SELECT name FROM topic WHERE id = ?1")),
      kv_(database_->prepare("SELECT value, version FROM kv WHERE key = ?1")),
      kv_keys_(database_->prepare("SELECT key FROM kv WHERE key >= '' ORDER BY key LIMIT ?2 OFFSET ?1")),
      kv_from_(
          database_->prepare("SELECT key, value, version FROM kv WHERE key >= '' ORDER BY key LIMIT -1 OFFSET ?1")),
      sequence_(database_->prepare("SELECT value FROM counter WHERE name = 'sequence'")),
      inactive_(database_->prepare(
          "SELECT key, max(registered, updated) FROM device WHERE app = ?1 AND key > ?2 ORDER BY key LIMIT ?3")),
      narrow_by_key_(database_->prepare(select(kNarrowColumns, "WHERE app = ?1 AND key = ?2"))),
      wide_by_key_(database_->prepare(select(kWideColumns, "WHERE app = ?1 AND key = ?2"))),
      key_by_identity_(database_->prepare("SELECT key FROM device WHERE app = ?1 AND identity_hash = ?2")),
      scan_topic_(database_->prepare("SELECT key, traits, token FROM subscription WHERE topic = ?1 AND key > ?2 AND "
                                     "key < ?3 ORDER BY key LIMIT ?4")),
      scan_narrow_(database_->prepare(select(kNarrowColumns, kInRange))),
      scan_wide_(database_->prepare(select(kWideColumns, kInRange))),
      app_keys_(database_->prepare(select("key, traits", "WHERE app = ?1 AND key > ?2 ORDER BY key LIMIT ?3"))),
      user_keys_(database_->prepare(
          select("key, traits", "WHERE app = ?1 AND user = ?2 AND user <> '' AND key > ?3 ORDER BY key LIMIT ?4"))),
      topic_keys_(database_->prepare(
          "SELECT key, traits FROM subscription WHERE topic = ?1 AND key > ?2 ORDER BY key LIMIT ?3")),
      first_of_topic_(
          database_->prepare("SELECT min(key) FROM subscription WHERE topic = ?1 AND key > ?2 AND key < ?3")),
      last_of_topic_(
          database_->prepare("SELECT max(key) FROM subscription WHERE topic = ?1 AND key > ?2 AND key < ?3")),
      first_of_app_(database_->prepare("SELECT min(key) FROM device WHERE app = ?1 AND key > ?2 AND key < ?3")),
      last_of_app_(database_->prepare("SELECT max(key) FROM device WHERE app = ?1 AND key > ?2 AND key < ?3")),
      keys_of_topic_(database_->prepare(
          "SELECT key FROM subscription WHERE topic = ?1 AND key > ?2 AND key < ?3 ORDER BY key LIMIT ?4")),
      keys_of_app_(database_->prepare(select("key", kInRange))),
      users_after_(
          database_->prepare("SELECT id, name FROM bound_user WHERE app = ?1 AND name >= ?2 ORDER BY name LIMIT ?3")),
      user_number_(database_->prepare("SELECT id FROM bound_user WHERE app = ?1 AND name = ?2")),
      user_name_(database_->prepare("SELECT name FROM bound_user WHERE app = ?1 AND id = ?2")),
      user_topics_(
          database_->prepare("SELECT t.name FROM user_topic u JOIN topic t ON t.id = u.topic WHERE u.user = ?1")) {}

std::optional<int64_t> Reader::app_number(std::string_view name) {
    const sqlite::ResetAtEnd reset(app_);
    if (!app_.with(name).step()) return std::nullopt;
    return app_.integer(0);
}

std::optional<int64_t> Reader::topic_number(int64_t app, std::string_view name) {
    const sqlite::ResetAtEnd reset(topic_);
    if (!topic_.with(app, name).step()) return std::nullopt;
    return topic_.integer(0);
}

bool Reader::row(int64_t app, int64_t key, Columns columns, DeviceView* view) {
    sqlite::Statement& statement = columns == Columns::Narrow ? narrow_by_key_ : wide_by_key_;
    // Not reset here, for the view must stay; Snapshot does it.
    if (!statement.with(app, key).step()) return false;
    *view = view_of(statement, columns, words_);
    return true;
}

const std::string& Reader::topic_name(int64_t number) {
    const auto known = topic_names_.find(number);
    if (known != topic_names_.end()) return known->second;
    const sqlite::ResetAtEnd reset(topic_name_);
    if (!topic_name_.with(number).step()) {
        throw sqlite::Failure(BELFRY_CORRUPT,
                              "a device refers to a topic that is not stored; restore the file from a backup");
    }
    return topic_names_.emplace(number, std::string(topic_name_.text(0))).first->second;
}

const std::vector<std::string_view>& Reader::names_of(std::string_view packed_topics) {
    decode_topics(packed_topics, refs_);
    named_.clear();
    for (const TopicRef& ref : refs_) named_.emplace_back(topic_name(ref.topic), ref.origins);
    std::sort(named_.begin(), named_.end());
    names_.clear();
    origins_.clear();
    for (const auto& [name, origins] : named_) {
        names_.push_back(name);
        origins_.push_back(origins);
    }
    return names_;
}

bool Reader::add_row(const DeviceView& view, uint32_t index) {
    static const std::vector<std::string_view> kNone;
    return batch_.add(view, index, (batch_.fields() & BELFRY_FIELD_TOPICS) != 0 ? names_of(view.topics) : kNone);
}

bool Reader::is_narrow(uint32_t fields) const noexcept {
    return (fields & (BELFRY_FIELD_USER | BELFRY_FIELD_META | BELFRY_FIELD_TOPICS | BELFRY_FIELD_TIMES)) == 0;
}

void Reader::kv_get(std::string_view key, belfry_emit emit, void* ctx) {
    const sqlite::ResetAtEnd reset(kv_);
    if (!kv_.with(key).step()) return;
    belfry_kv row = sized<belfry_kv>();
    row.key = str(key);
    row.value = str(kv_.blob(0));
    row.version = kv_.integer(1);
    emit(ctx, one_row(row));
}

std::vector<int64_t> Reader::inactive(int64_t app, int64_t before, uint32_t limit, int64_t* after) {
    std::vector<int64_t> keys;
    uint32_t looked_at = 0;
    const sqlite::ResetAtEnd reset(inactive_);
    inactive_.with(app, *after, kRowsPerSnapshot);
    while (keys.size() < limit && inactive_.step()) {
        *after = inactive_.integer(0);
        ++looked_at;
        if (inactive_.integer(1) < before) keys.push_back(*after);
    }
    if (looked_at < kRowsPerSnapshot && keys.size() < limit) *after = -1;
    return keys;
}

}  // namespace belfry::storage
