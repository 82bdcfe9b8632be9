// SPDX-License-Identifier: Apache-2.0
// Numbers of apps, which live for ever; so do the copies here.
//
// Threads: [any].  Owner: Core.  Memory: a name for each app.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "pg/connection.h"

namespace belfry::queue_pg {

class Apps {
public:
    // 0: unknown.
    uint32_t find(pg::Connection& connection, std::string_view name, pg::Deadline deadline);
    uint32_t make(pg::Connection& connection, std::string_view name, pg::Deadline deadline);
    std::string name(pg::Connection& connection, uint32_t number, pg::Deadline deadline);

private:
    void remember(uint32_t number, std::string_view name);

    std::mutex mutex_;
    std::map<std::string, uint32_t, std::less<>> numbers_;
    std::map<uint32_t, std::string> names_;
};

}  // namespace belfry::queue_pg
