// SPDX-License-Identifier: Apache-2.0
// A belfry_selection as SQL: the narrowest of keys, users, topics or the whole app leads, the rest filters.
//
// Threads: those of the call.  The selection outlives it.
#pragma once

#include <belfry/storage.h>

#include <string>
#include <string_view>
#include <unordered_set>

#include "pg/values.h"

namespace belfry::storage_pg {

class Selection {
public:
    explicit Selection(const belfry_selection& which);

    // Devices `d` behind a key, in key order, at most so many. One text for each combination of conditions.
    std::string page_sql(const char* columns) const;
    std::string count_sql() const;
    pg::Params params(int32_t app, int64_t after, int64_t limit) const;

    // Bound topics: user's number, topic's number, user, topic; ordered by the names, behind a pair of them.
    static std::string pairs_sql();
    static std::string pair_count_sql();
    pg::Params pair_params(int32_t app, bool behind, std::string_view user, std::string_view topic,
                           int64_t limit) const;

    bool is_wanted_topic(std::string_view name) const;

private:
    enum class Lead { Keys, Users, Topics, App };
    std::string labels(const char* table) const;
    // FROM and WHERE of all leads but Topics.
    std::string devices() const;

    Lead lead_;
    bool has_users_, has_topics_, has_providers_, has_platforms_, has_one_topic_;
    pg::Column keys_{pg::Type::Int8}, users_{pg::Type::Text}, topics_{pg::Type::Text}, providers_{pg::Type::Text},
        platforms_{pg::Type::Text};
    std::unordered_set<std::string_view> topic_names_;
    std::string_view prefix_;
};

}  // namespace belfry::storage_pg
