// SPDX-License-Identifier: Apache-2.0
// What a plugin tells the operator about the server it found.
//
// Threads: [control].
#pragma once

#include <belfry/services.hpp>

#include "pg/pool.h"

namespace belfry::pg {

// Logs a warning for a server that others could read along with or stand in for, `dsn_key` naming the configuration key
// of its connection string.
void warn_of_way(const Address& address, const Services& services, std::string_view dsn_key);
// Also for settings that lose data or speed.
void warn_of_risks(Pool& pool, const Services& services, std::string_view dsn_key, Deadline deadline);

}  // namespace belfry::pg
