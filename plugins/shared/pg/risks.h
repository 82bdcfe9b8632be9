// SPDX-License-Identifier: Apache-2.0
// What a plugin tells the operator about the server it found.
//
// Threads: [control].
#pragma once

#include <belfry/services.hpp>

#include "pg/pool.h"

namespace belfry::pg {

// Logs a warning for a connection that anybody can read and for settings that lose data or speed. `dsn_key` names the
// configuration key of the connection string.
void warn_of_risks(Pool& pool, const Services& services, std::string_view dsn_key, Deadline deadline);

}  // namespace belfry::pg
