// SPDX-License-Identifier: Apache-2.0
// Rows as they were read and as they will be, and what follows for everything that finds and counts them: each index is
// derived from the row before and the row after, so that none is forgotten.
//
// Threads: one at a time.  Owner: Turn.  Not here: which rows change, and why (turn.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "queue_redis/changes.h"
#include "queue_redis/rows.h"

namespace belfry::queue_redis {

class Writes {
public:
    explicit Writes(const Keys& keys) : keys_(keys), changes_(keys) {}

    // Null: there was none; there is none any more. What was read is expected to stand still.
    void save(const Item* was, const Item* is);
    void save(const Push* was, const Push* is);
    void save(const Bundle* was, const Bundle* is);
    void save(const Letter* was, const Letter* is);
    // Only expected to stand still: what was done depends on its state.
    void rely_on(const Push& push);

    void set_content(int64_t id, std::string_view bytes);
    void erase_content(int64_t id);
    void insert_blob(int64_t id, std::string_view bytes);
    void erase_blobs(const Push& push);
    // The uid stands for `was` until now; {}: for nothing, or no more.
    void set_uid(uint32_t app, std::string_view uid, const Ref& was, const Ref& is);
    void count(int64_t push, uint32_t gate, int32_t outcome, int64_t n);
    void sample(int64_t push, uint32_t gate, int32_t outcome, std::string_view text);
    void tell(int64_t now, int64_t push, uint32_t app, int32_t state, std::string_view uid);
    void reply(const std::string& key, std::string_view field, std::string_view answer);
    // Of a call that repeats itself within its own deadline.
    void answer(const std::string& key, std::string_view answer);
    // An item whose row says nothing: counted among the parked, and found by nobody any more. `held_by`: the set of the
    // node that holds it; empty: none.
    void put_aside(int64_t item, const std::string& held_by);
    void erase_damaged(int64_t item);
    // A row that is gone or says nothing, and its place in the set that it was found in.
    void erase_damaged(std::string_view rows, std::string_view set, int64_t id);
    // To one of the numbers that are counted.
    void add(std::string_view number, int64_t n) { numbers_[std::string(number)] += n; }
    // The push's items have to follow its state.
    void unsettle(int64_t push);

    Changes& changes() noexcept { return changes_; }
    std::vector<int64_t> commit(redis::Connection& connection, const redis::Script& script, redis::Deadline deadline);

private:
    void index(const Item& item, bool add);
    void index(const Push& push, bool add);
    void enlist(const Item& item, bool add);
    std::string shelf_of(const Item& item) const;

    const Keys& keys_;
    Changes changes_;
    std::map<std::string, int64_t> numbers_;
    std::map<std::tuple<int64_t, uint32_t, int32_t>, int64_t> counts_;
};

// How changes are packed for other nodes.
struct Told {
    int64_t number = 0, at_unix_ms = 0, push = 0;
    uint32_t app = 0;
    int32_t state = 0;
    std::string uid;
};
// Nothing where it is damaged.
std::optional<Told> intact_told(std::string_view member);

}  // namespace belfry::queue_redis
