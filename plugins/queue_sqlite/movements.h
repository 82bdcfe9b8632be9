// SPDX-License-Identifier: Apache-2.0
// The transitions of work items and pushes that several calls share. Each keeps file, memory and totals in step, inside
// the writer's turn.
//
//   later --due--> ready <--claim / release--> held --> gone (finished, or a dead letter)
//   ready, held <--pause / resume--> parked
//   a stopped push (cancelled or expired): its ready and parked items become claimable whatever their gate, flagged;
//   its later items follow by upkeep; items that came with it and were never due vanish.
//
// Threads: the writer's.
#pragma once

#include <belfry/queue.h>

#include <set>

#include "core.h"

namespace belfry::queue_sqlite {

class Movements {
public:
    explicit Movements(Core& core) : core_(core) {}

    // Stores new work of a push where the push's state and `due` put it. Fills id, lane, virtual time.
    void place(Push& push, Item item, std::string content, int64_t due_unix_ms);
    // What place does with work that is due: `item` has its numbers already.
    void shelve(Push& push, Item item, std::string content);
    // As place, born held by a node. Answers the epoch.
    MineRef place_held(Push& push, Item item, std::string content, uint64_t node);
    // Deletes an item's row and what only it needed.
    void remove(Item& item);
    void park(Item& item);
    // Its entries are part of the push's planned from now on.
    void mark_discovered(Item& item);
    // Deletes a later row whose work was stored elsewhere.
    void remove_later(const Later& row);

    void stop(Push& push, int32_t state);
    void pause(Push& push);
    void resume(Push& push);
    void change_lane(Push& push, int32_t lane);
    // True if the push is stopped; one that expired by now is stopped first.
    bool stopped_now(Push& push);

    // A dead letter; `work` is kept as it is. The item it came from is the caller's to remove.
    void bury(Push& push, const Item& work, std::string_view content, std::string_view note);
    // Puts a dead letter back. False: its push cannot run any more.
    bool replay(const DeadRow& dead, bool ignore_expiry);

    // The push that a member of a bundle becomes once it needs items of its own, made at the first call. The caller
    // calls note_marks when it is done with the row.
    Push& promote(BundleRow& row, const Member& member, uint32_t index);
    // The blob id of a promoted member's tokens; 0 if its list has keys.
    int64_t member_blob(const Push& push, const Member& member);
    // Makes claim see which members of a bundle are stopped or moved.
    void note_marks(const BundleRow& row);
    void finish_bundle(BundleRow& row);
    // Promotes and buries every member that is neither stopped nor moved. `count`: no host counts them as dead.
    void bury_bundle(BundleRow& row, const Item& bundle, std::string_view content, std::string_view note, bool count);
    // Deletes a push, or the members of an app, with everything that is known of them. Owners of their work are fenced,
    // or find the members gone.
    void erase(Push& push);
    void erase_members(BundleRow& row, uint32_t app);
    // The member, or the push it became: an app is purged push by push, its bundles last.
    bool is_erased(const MemberResult& result);
    // Counts buried work as dead where no host does.
    void count_dead(Push& push, const Item& work, uint32_t entries);

private:
    bool is_parked(const ItemTable::Found& found, Item* resident);
    // Of a push that is erased; answer the token blobs they referred to.
    std::set<int64_t> erase_work(Push& push);
    std::set<int64_t> erase_letters(const Push& push);

    Core& core_;
};

// Entries of a list's content.
uint32_t entries_of(const Item& item, size_t content_bytes) noexcept;

}  // namespace belfry::queue_sqlite
