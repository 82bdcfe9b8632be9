// SPDX-License-Identifier: Apache-2.0
// Numbers of apps and topics, remembered: an app keeps its number for ever, a topic until its app is purged, and no
// number is given twice.
//
// Threads: [any].  Owner: Store.  Memory: at most kTopicsMax names each way, about 100 bytes each.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pg/connection.h"

namespace belfry::storage_pg {

class Names {
public:
    struct App {
        int32_t number = 0;
        // What the numbers of its topics were read under; writers compare it inside their transaction.
        int64_t generation = 0;
    };
    using Topics = std::unordered_map<std::string_view, int64_t>;  // views of what was asked for

    std::optional<App> find_app(pg::Connection& connection, std::string_view name, pg::Deadline deadline);
    // Gives it a number if it has none. Outside of transactions, as topic_numbers.
    App app(pg::Connection& connection, std::string_view name, pg::Deadline deadline);
    // Numbers of the names; one that has none is given one, or left out.
    enum class Unknown { Number, LeaveOut };
    Topics topic_numbers(pg::Connection& connection, const App& app, const std::vector<std::string_view>& names,
                         Unknown unknown, pg::Deadline deadline);
    // Names by number; a number without name is left out.
    std::unordered_map<int64_t, std::string> topic_names(pg::Connection& connection, const std::vector<int64_t>& topics,
                                                         pg::Deadline deadline);
    // Another node has purged the app.
    void forget(std::string_view app);

private:
    static constexpr size_t kTopicsMax = 50000;
    static std::string key_of(const App& app, std::string_view name);
    void look_at(const pg::Connection& connection);
    void remember(const App& app, std::string_view name, int64_t number);

    std::mutex mutex_;
    std::string history_;  // of the server that all this is from
    std::map<std::string, App, std::less<>> apps_;
    std::unordered_map<std::string, int64_t> numbers_;
    std::unordered_map<int64_t, std::string> names_;
};

}  // namespace belfry::storage_pg
