// SPDX-License-Identifier: Apache-2.0
// The names of the queue's keys. All of a queue share one hash tag, so that a script may touch any of them.
//
// item      hash   id -> row of a work item (rows.h); content: id -> its entries, or a bundle's members
// shelf     zset   by lane and gate: ids of claimable items by virtual time; "stopped": those of stopped pushes
// age       zset   by lane: the same ids by when they became claimable
// held      set    by node: ids it holds.   later: zset of ids by when they are due
// of, owed  set    by push: ids of its items that are not later ones, and that are
// push      hash   id -> row; count: by push, hash of gate:outcome; sample: by push, list; pushes: by app, zset of ids
// bundle    hash   id -> row with the packed results; bundles: by app, zset of ids
// uid       hash   app, uid -> push, or bundle and member.   blob: hash id -> bytes
// dead      hash   id -> row of a dead letter; letters, waiting: by push, all ids and those not replayed; graves: by
// app,
//                  zset of ids; buried: zset of ids by time
// expiring, final, gone   zset  unfinished pushes by expiry, final pushes and final bundles by their end
// closing, restless       set   pushes to close, and whose items do not fit their state yet
// node      hash   signs of life.   time: hash lane -> virtual time.   change: zset of what was steered, by number
// number    hash   the last id, app and change; how many there are of what
// aside     hash   ids of items whose rows say nothing: counted as parked, until somebody mends or deletes them
// reply     hash   by node and time: answers of the latest checkpoints, for repetitions after a lost reply
// limit:POLICY:SHARD:PARITY  hash  buckets of rate limits (limit.lua)
// call      hash   by call: the answer of a steer or a replay, likewise
//
// Threads: [any]; immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace belfry::queue_redis {

// 16 digits, in the order of the numbers.
std::string hex(uint64_t number);

class Keys {
public:
    explicit Keys(std::string_view prefix) : tag_("{" + std::string(prefix) + "}:") {}

    std::string of(std::string_view name) const { return tag_ + std::string(name); }
    std::string of(std::string_view name, int64_t id) const { return of(name) + ":" + std::to_string(id); }
    std::string shelf(int32_t lane, uint32_t gate) const { return of("shelf", lane) + ":" + std::to_string(gate); }
    std::string stopped_shelf(int32_t lane) const { return of("shelf", lane) + ":stopped"; }
    std::string held(uint64_t node) const { return of("held:") + hex(node); }
    // A repetition comes within seconds: it looks into this slot of time and the one before.
    std::string reply(uint64_t node, int64_t unix_ms) const {
        return of("reply:") + hex(node) + ":" + std::to_string(unix_ms / kReplySlotMs);
    }
    static constexpr int64_t kReplySlotMs = 300'000;
    std::string call(uint64_t call) const { return of("call:") + hex(call); }

private:
    std::string tag_;
};

}  // namespace belfry::queue_redis
