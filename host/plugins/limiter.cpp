// SPDX-License-Identifier: Apache-2.0
#include "plugins/limiter.h"

#include "plugins/missing.h"

namespace belfry::plugins {

std::string Limiter::missing(const belfry_limiter& table) {
    return join_missing({{"charge", table.charge != nullptr}});
}

Limiter::Limiter(const belfry_limiter* table, belfry_instance* instance, Faults& faults)
    : table_(known_part<belfry_limiter>(table)), door_(instance, faults, table_.concurrency) {}

belfry_charged Limiter::sound(belfry_charged row) {
    const bool denied = row.code == BELFRY_BUSY;
    const bool known = denied || row.code == BELFRY_OK || row.code == BELFRY_DUPLICATE;
    if (known && denied == (row.wait_ms > 0)) return row;
    // A charge that was left out is counted as missing already.
    if (row.code != BELFRY_INTERNAL) door_.faults().add(Fault::BadRow, kCharge);
    row.code = BELFRY_INTERNAL;
    row.wait_ms = 0;
    return row;
}

}  // namespace belfry::plugins
