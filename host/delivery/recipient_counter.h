// SPDX-License-Identifier: Apache-2.0
// How many devices a recipient would reach: reads rows as a page does, with the same filter, and only counts them.
//
// The storage's own count is not asked: it cannot say platforms without being told them, and reads the same rows.
// Threads: [any], blocks for storage reads. Owner: the delivery core.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "delivery/delivery.h"
#include "delivery/gates.h"
#include "plugins/storage.h"

namespace belfry::delivery {

class RecipientCounter {
public:
    RecipientCounter(plugins::Storage& storage, Gates& gates, const Clock& clock)
        : storage_(storage), gates_(gates), clock_(clock) {}
    Result<RecipientCount> count(const std::string& app, const Recipient& recipient, int64_t budget_ms) const;

private:
    class Sums;
    Result<RecipientCount> count_tokens(const RawTokens& tokens) const;
    Status count_named(const std::string& app, const Filter& filter, int64_t deadline, Sums& sums) const;
    Status count_range(const std::string& app, const Filter& filter, int64_t deadline, Sums& sums) const;
    Status count_union(const std::string& app, const Filter& filter, int64_t deadline, Sums& sums) const;

    plugins::Storage& storage_;
    Gates& gates_;
    const Clock& clock_;
};

}  // namespace belfry::delivery
