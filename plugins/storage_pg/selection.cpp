// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/selection.h"

#include <belfry/abi.hpp>

namespace belfry::storage_pg {

namespace {

// $1 app, $2 after, $3 limit, $4 keys, $5 users, $6 topics, $7 providers, $8 platforms; all are sent whatever is used.
constexpr const char* kTopicNumbers = "SELECT id FROM topic WHERE app = $1 AND name = ANY ($6::text[])";

constexpr const char* kPairs =
    "FROM bound_user u JOIN user_topic b ON b.usr = u.id JOIN topic t ON t.id = b.topic WHERE u.app = $1 "
    "AND ($2 = 0 OR (u.name, t.name) > ($3, $4)) AND u.name >= $3 "
    "AND (cardinality($5::text[]) = 0 OR u.name = ANY ($5)) AND (cardinality($6::text[]) = 0 OR t.name = ANY ($6)) "
    "AND starts_with(t.name, $7)";

void add(belfry_list names, pg::Column& column) {
    for (const belfry_str& name : Rows<belfry_str>(names)) column.add(view(name));
}

}  // namespace

Selection::Selection(const belfry_selection& which)
    : lead_(which.keys.n > 0     ? Lead::Keys
            : which.users.n > 0  ? Lead::Users
            : which.topics.n > 0 ? Lead::Topics
                                 : Lead::App),
      has_users_(which.users.n > 0),
      has_topics_(which.topics.n > 0),
      has_providers_(which.providers.n > 0),
      has_platforms_(which.platforms.n > 0),
      has_one_topic_(which.topics.n == 1),
      prefix_(view(which.topic_prefix)) {
    for (const int64_t& key : Rows<int64_t>(which.keys)) keys_.add(key);
    add(which.users, users_);
    add(which.topics, topics_);
    add(which.providers, providers_);
    add(which.platforms, platforms_);
    for (const belfry_str& topic : Rows<belfry_str>(which.topics)) topic_names_.insert(view(topic));
}

// What a subscription row knows as well as a device.
std::string Selection::labels(const char* table) const {
    std::string sql;
    if (has_providers_) sql += std::string(" AND ") + table + ".provider = ANY ($7::text[])";
    if (has_platforms_) sql += std::string(" AND ") + table + ".platform = ANY ($8::text[])";
    return sql;
}

// LATERAL with OFFSET 0: as in edit.cpp.
std::string Selection::devices() const {
    std::string sql;
    if (lead_ == Lead::Keys) {
        sql =
            "(SELECT DISTINCT v FROM unnest($4::bigint[]) v) a CROSS JOIN LATERAL "
            "(SELECT * FROM device WHERE app = $1 AND key = a.v AND key > $2 OFFSET 0) d WHERE true";
        if (has_users_) sql += " AND d.usr = ANY ($5::text[])";
    } else if (lead_ == Lead::Users) {
        sql =
            "(SELECT DISTINCT v FROM unnest($5::text[]) v) a CROSS JOIN LATERAL "
            "(SELECT * FROM device WHERE usr = a.v AND usr <> '' AND app + 0 = $1 AND key > $2 OFFSET 0) d WHERE true";
    } else {
        sql = "device d WHERE d.app = $1 AND d.key > $2";
    }
    if (has_topics_) {
        sql += std::string(" AND EXISTS (SELECT 1 FROM subscription s WHERE s.topic = ANY (ARRAY(") + kTopicNumbers +
               ")) AND s.key = d.key OFFSET 0)";
    }
    return sql + labels("d");
}

std::string Selection::page_sql(const char* columns) const {
    if (lead_ != Lead::Topics)
        return std::string("SELECT ") + columns + " FROM " + devices() + " ORDER BY d.key LIMIT $3";
    return std::string("SELECT ") + columns + " FROM (SELECT DISTINCT k.key FROM (" + kTopicNumbers +
           ") t CROSS JOIN LATERAL (SELECT s.key FROM subscription s WHERE s.topic = t.id AND s.key > $2" +
           labels("s") +
           " ORDER BY s.key LIMIT $3) k ORDER BY 1 LIMIT $3) c CROSS JOIN LATERAL "
           "(SELECT * FROM device WHERE app = $1 AND key = c.key OFFSET 0) d ORDER BY d.key";
}

std::string Selection::count_sql() const {
    if (lead_ != Lead::Topics) return "SELECT count(*) FROM " + devices();
    return std::string("SELECT ") + (has_one_topic_ ? "count(*)" : "count(DISTINCT s.key)") +
           " FROM subscription s WHERE s.topic = ANY (ARRAY(" + kTopicNumbers + ")) AND s.key > $2" + labels("s");
}

pg::Params Selection::params(int32_t app, int64_t after, int64_t limit) const {
    return pg::Params()
        .number4(app)
        .number(after)
        .number(limit)
        .column(keys_)
        .column(users_)
        .column(topics_)
        .column(providers_)
        .column(platforms_);
}

std::string Selection::pairs_sql() {
    return std::string("SELECT u.id, t.id, u.name, t.name ") + kPairs + " ORDER BY u.name, t.name LIMIT $8";
}

std::string Selection::pair_count_sql() {
    return std::string("SELECT count(*) ") + kPairs + " AND $8 > 0";
}

pg::Params Selection::pair_params(int32_t app, bool behind, std::string_view user, std::string_view topic,
                                  int64_t limit) const {
    return pg::Params()
        .number4(app)
        .number4(behind ? 1 : 0)
        .text(user)
        .text(topic)
        .column(users_)
        .column(topics_)
        .text(prefix_)
        .number(limit);
}

bool Selection::is_wanted_topic(std::string_view name) const {
    return (topic_names_.empty() || topic_names_.contains(name)) && name.starts_with(prefix_);
}

}  // namespace belfry::storage_pg
