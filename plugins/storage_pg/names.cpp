// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/names.h"

namespace belfry::storage_pg {

using pg::Params;

namespace {

constexpr const char* kFindApp = "SELECT id, generation FROM app WHERE name = $1";
constexpr const char* kInsertApp = "INSERT INTO app (name) VALUES ($1) ON CONFLICT DO NOTHING";
constexpr const char* kFindTopics =
    "SELECT u.i, t.id FROM unnest($2::text[]) WITH ORDINALITY u (name, i) CROSS JOIN LATERAL "
    "(SELECT id FROM topic WHERE app = $1 AND name = u.name OFFSET 0) t";
// In the order of names, so that nodes that give numbers at once do not lock each other out.
constexpr const char* kInsertTopics =
    "INSERT INTO topic (app, name) SELECT $1, u FROM unnest($2::text[]) u ORDER BY u COLLATE \"C\" "
    "ON CONFLICT DO NOTHING";
constexpr const char* kNames = "SELECT id, name FROM topic WHERE id = ANY ($1::bigint[])";

}  // namespace

// A number that was read before the app was purged is not found under its new generation.
std::string Names::key_of(const App& app, std::string_view name) {
    std::string key = std::to_string(app.number) + '/' + std::to_string(app.generation);
    key += '/';
    key += name;
    return key;
}

// A server with another history (a failover, a restore) may have given the numbers to other names.
void Names::look_at(const pg::Connection& connection) {
    if (connection.history().empty() || connection.history() == history_) return;
    history_ = connection.history();
    apps_.clear();
    numbers_.clear();
    names_.clear();
}

std::optional<Names::App> Names::find_app(pg::Connection& connection, std::string_view name, pg::Deadline deadline) {
    {
        const std::lock_guard hold(mutex_);
        look_at(connection);
        if (const auto known = apps_.find(name); known != apps_.end()) return known->second;
    }
    const pg::Result found = connection.run(kFindApp, Params().text(name), deadline);
    if (found.rows() == 0) return std::nullopt;
    const App app{found.number4(0, 0), found.number(0, 1)};
    const std::lock_guard hold(mutex_);
    return apps_.insert_or_assign(std::string(name), app).first->second;
}

Names::App Names::app(pg::Connection& connection, std::string_view name, pg::Deadline deadline) {
    if (const auto known = find_app(connection, name, deadline)) return *known;
    connection.run(kInsertApp, Params().text(name), deadline);
    return find_app(connection, name, deadline).value();
}

void Names::remember(const App& app, std::string_view name, int64_t number) {
    if (numbers_.size() >= kTopicsMax) numbers_.clear();
    numbers_.insert_or_assign(key_of(app, name), number);
}

Names::Topics Names::topic_numbers(pg::Connection& connection, const App& app,
                                   const std::vector<std::string_view>& names, Unknown what_then,
                                   pg::Deadline deadline) {
    Topics topics;
    std::vector<std::string_view> unknown;
    {
        const std::lock_guard hold(mutex_);
        look_at(connection);
        for (const std::string_view name : names) {
            if (topics.contains(name)) continue;
            const auto known = numbers_.find(key_of(app, name));
            if (known == numbers_.end()) unknown.push_back(name);
            topics.emplace(name, known == numbers_.end() ? 0 : known->second);
        }
    }
    for (int tries = 0; !unknown.empty(); ++tries) {
        const Params params = Params().number4(app.number).column(pg::texts(unknown));
        if (tries > 0 && what_then == Unknown::LeaveOut) break;
        if (tries > 0) connection.run(kInsertTopics, params, deadline);
        const pg::Result found = connection.run(kFindTopics, params, deadline);
        const std::lock_guard hold(mutex_);
        for (int row = 0; row < found.rows(); ++row) {
            const std::string_view name = unknown[static_cast<size_t>(found.number(row, 0) - 1)];
            topics[name] = found.number(row, 1);
            remember(app, name, found.number(row, 1));
        }
        std::erase_if(unknown, [&](std::string_view name) { return topics[name] != 0; });
    }
    for (const std::string_view name : unknown) topics.erase(name);
    return topics;
}

std::unordered_map<int64_t, std::string> Names::topic_names(pg::Connection& connection,
                                                            const std::vector<int64_t>& topics, pg::Deadline deadline) {
    std::unordered_map<int64_t, std::string> names;
    std::vector<int64_t> unknown;
    {
        const std::lock_guard hold(mutex_);
        look_at(connection);
        for (const int64_t topic : topics) {
            if (names.contains(topic)) continue;
            const auto known = names_.find(topic);
            if (known == names_.end()) unknown.push_back(topic);
            names.emplace(topic, known == names_.end() ? std::string() : known->second);
        }
    }
    if (unknown.empty()) return names;
    const pg::Result found = connection.run(kNames, Params().column(pg::numbers(unknown)), deadline);
    const std::lock_guard hold(mutex_);
    if (names_.size() >= kTopicsMax) names_.clear();
    for (int row = 0; row < found.rows(); ++row) {
        names[found.number(row, 0)] = found.bytes(row, 1);
        names_.insert_or_assign(found.number(row, 0), std::string(found.bytes(row, 1)));
    }
    std::erase_if(names, [](const auto& entry) { return entry.second.empty(); });
    return names;
}

void Names::forget(std::string_view app) {
    const std::lock_guard hold(mutex_);
    const auto known = apps_.find(app);
    if (known == apps_.end()) return;
    const std::string prefix = std::to_string(known->second.number) + "/";
    std::erase_if(numbers_, [&](const auto& entry) { return entry.first.starts_with(prefix); });
    apps_.erase(known);
}

}  // namespace belfry::storage_pg
