// SPDX-License-Identifier: Apache-2.0
#include "pg/risks.h"

#include <string>

namespace belfry::pg {

void warn_of_way(const Address& address, const Services& services, std::string_view dsn_key) {
    if (address.is_safe()) return;
    services.warning(
        "the certificate of the PostgreSQL server is not checked, so others on the network may read along "
        "or stand in for it; set sslmode=verify-full in " +
            std::string(dsn_key),
        {{"server", address.name()}});
}

void warn_of_risks(Pool& pool, const Services& services, std::string_view dsn_key, Deadline deadline) {
    warn_of_way(pool.address(), services, dsn_key);
    pool.with(deadline, [&](Connection& connection) {
        const std::string server = pool.address().name();
        const Result settings = connection.run(
            "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'autovacuum') AND setting = "
            "'off'",
            {}, deadline);
        for (int row = 0; row < settings.rows(); ++row)
            services.warning("PostgreSQL runs with a setting that loses data or speed; turn it on",
                             {{"setting", settings.bytes(row, 0)}, {"server", server}});
    });
}

}  // namespace belfry::pg
