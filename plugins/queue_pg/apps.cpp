// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/apps.h"

namespace belfry::queue_pg {

namespace {

constexpr const char* kFind = "SELECT id FROM queue_app WHERE name = $1";
constexpr const char* kMake = "INSERT INTO queue_app (name) VALUES ($1) ON CONFLICT DO NOTHING";
constexpr const char* kName = "SELECT name FROM queue_app WHERE id = $1";

}  // namespace

void Apps::remember(uint32_t number, std::string_view name) {
    const std::lock_guard lock(mutex_);
    numbers_.emplace(name, number);
    names_.emplace(number, name);
}

uint32_t Apps::find(pg::Connection& connection, std::string_view name, pg::Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        const auto known = numbers_.find(name);
        if (known != numbers_.end()) return known->second;
    }
    const pg::Result rows = connection.run(kFind, pg::Params().text(name), deadline);
    if (rows.rows() == 0) return 0;
    const auto number = static_cast<uint32_t>(rows.number4(0, 0));
    remember(number, name);
    return number;
}

uint32_t Apps::make(pg::Connection& connection, std::string_view name, pg::Deadline deadline) {
    if (const uint32_t known = find(connection, name, deadline)) return known;
    connection.run(kMake, pg::Params().text(name), deadline);
    return find(connection, name, deadline);
}

std::string Apps::name(pg::Connection& connection, uint32_t number, pg::Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        const auto known = names_.find(number);
        if (known != names_.end()) return known->second;
    }
    const pg::Result rows = connection.run(kName, pg::Params().number4(static_cast<int32_t>(number)), deadline);
    if (rows.rows() == 0) return {};
    const std::string name(rows.bytes(0, 0));
    remember(number, name);
    return name;
}

}  // namespace belfry::queue_pg
