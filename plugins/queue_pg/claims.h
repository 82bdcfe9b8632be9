// SPDX-License-Identifier: Apache-2.0
// claim: one statement that takes the items with the lowest virtual time off the shelves of open gates, skipping those
// that another claim is just taking.
//
// Threads: [any].  Owner: PgQueue.
#pragma once

#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "queue/claimed_row.h"
#include "queue/quiet.h"
#include "queue_pg/core.h"
#include "queue_pg/rows.h"

namespace belfry::queue_pg {

// A claimed item with all that its row points to.
struct Grant {
    Item item;
    std::string content;
    Push push;  // of what is no bundle
    std::string app;
    std::vector<Mark> marks;
    int64_t now = 0;

    // It outlives the row.
    ClaimedRow claimed() const;
    int64_t was = 0, shelf = 0;  // its virtual time and place before the claim
};

class Claims {
public:
    explicit Claims(Core& core) : core_(core) {}

    // Waits up to wait_ms if there is nothing.
    std::vector<Grant> claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms);
    // Back on their shelves, as if they had never been claimed.
    void give_back(uint64_t node, const std::vector<Grant>& grants, size_t from);

private:
    std::vector<Grant> take(uint64_t node, int32_t lane, const std::set<int64_t>& shelves, uint32_t n, bool whole);
    void add_marks(pg::Connection& connection, std::vector<Grant>& grants, pg::Deadline deadline);
    // Takes out what cannot be worked on, so that the others can.
    void put_aside(pg::Connection& connection, std::vector<Grant>& grants, uint64_t node, pg::Deadline deadline);
    void park(pg::Connection& connection, std::vector<Grant>& grants, uint64_t node, pg::Deadline deadline);

    Core& core_;
    Quiet quiet_;
};

}  // namespace belfry::queue_pg
