// SPDX-License-Identifier: Apache-2.0
// What commit.lua is given: what must still stand, what is written then, what other nodes are told, and which pushes
// may have come to their end.
//
// Threads: one at a time.  Owner: Writes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "queue_redis/keys.h"
#include "redis/connection.h"

namespace belfry::queue_redis {

class Changes {
public:
    explicit Changes(const Keys& keys);

    // The field of the hash begins with `prefix`; empty: it is absent.
    void expect(const std::string& key, std::string_view field, std::string_view prefix);
    void expect_no(const std::string& key);
    void write(std::string_view command, const std::string& key, std::initializer_list<std::string_view> arguments);
    void erase(const std::string& key) { write("DEL", key, {}); }
    void tell(std::string change) { told_.push_back(std::move(change)); }
    void may_end(int64_t push) { may_end_.insert(push); }

    bool empty() const noexcept { return writes_ == 0 && told_.empty() && may_end_.empty(); }
    // Answers the pushes that ended. Throws Failure: LostRace.
    std::vector<int64_t> commit(redis::Connection& connection, const redis::Script& script, redis::Deadline deadline);

private:
    std::string place(const std::string& key);

    const Keys& keys_;
    std::map<std::string, size_t> places_;  // in the script's KEYS, from 1
    std::vector<std::string> named_;        // in that order
    size_t expectations_ = 0, writes_ = 0;
    std::vector<std::string> expected_, written_, told_;
    std::set<int64_t> may_end_;
};

}  // namespace belfry::queue_redis
