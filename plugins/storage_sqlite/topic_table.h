// SPDX-License-Identifier: Apache-2.0
// Numbers of topics, and the topics bound to users.
//
// Threads: the writer's.  Owner: Writer.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sqlite/database.h"

namespace belfry::storage {

class TopicTable {
public:
    explicit TopicTable(sqlite::Database& database);
    TopicTable(const TopicTable&) = delete;
    TopicTable& operator=(const TopicTable&) = delete;

    // The number of a topic, given now if it has none.
    int64_t number_of(int64_t app, std::string_view name);
    std::optional<int64_t> find(int64_t app, std::string_view name);

    // Topics bound to a user, ascending; "" is everybody.
    const std::vector<int64_t>& bound_to(int64_t app, std::string_view user);
    // Replaces the topics bound to a user; ascending.
    void bind(int64_t app, std::string_view user, const std::vector<int64_t>& topics);
    // Forgets up to `limit` users with their topics; how many rows went.
    uint32_t purge_bound(int64_t app, uint32_t limit);

    // A topic lost a subscription or binding: drop_unused looks at it at the end of the transaction.
    void left(int64_t topic) { left_.insert(topic); }
    void drop_unused();
    // After a rollback, or when apps were purged: what this object remembers may be wrong.
    void forget();

private:
    std::string& cache_key(int64_t app, std::string_view name);
    bool has_bound_users(int64_t app);

    sqlite::Database& database_;
    sqlite::Statement find_, insert_, drop_, is_subscribed_, is_bound_;
    sqlite::Statement user_, insert_user_, bound_, bind_, unbind_, some_user_, drop_user_;
    std::unordered_map<std::string, int64_t> numbers_;                      // bounded by kNumbersMax
    std::unordered_map<int64_t, std::vector<int64_t>> bound_to_everybody_;  // by app
    std::unordered_map<int64_t, bool> has_bound_users_;                     // by app
    std::vector<int64_t> bound_now_;
    std::set<int64_t> left_;
    std::string key_;
};

}  // namespace belfry::storage
