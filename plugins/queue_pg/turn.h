// SPDX-License-Identifier: Apache-2.0
// One transaction, and the transitions of work items and pushes that several calls share:
//
//   later --due--> ready <--claim / release--> held --> gone (finished, or a dead letter)
//   ready, held <--pause / resume--> parked
//   a stopped push (cancelled or expired): its ready and parked items become claimable whatever their gate, flagged;
//   its later items follow by upkeep; items that came with it and were never due vanish.
//
// Two round trips: open() and the caller's reads, then everything that was changed meanwhile, and the commit.
// Threads: one at a time.  Owner: a call.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "queue_pg/core.h"
#include "queue_pg/writes.h"

namespace belfry::queue_pg {

class Turn {
public:
    Turn(Core& core, pg::Connection& connection, pg::Deadline deadline)
        : core_(core), connection_(connection), deadline_(deadline) {}

    // Queues the begin of the transaction; its results are the first kOpened of the next trip.
    void open();
    static constexpr size_t kOpened = 2;
    std::vector<pg::Result> trip_opened();
    // Sends what was changed, commits, and closes pushes of which nothing is left.
    void commit();

    // The answer that an earlier try of this very call stored: its commit was done though nobody heard of it.
    std::optional<std::string> first_answer(uint64_t call);
    void remember_answer(uint64_t call, std::string_view answer) { writes_.reply(0, call, 0, now_, answer); }
    // A number for one call.
    static uint64_t new_call();

    int64_t now() const noexcept { return now_; }
    // The first of so many ids, in order of arrival.
    int64_t take_ids(int64_t n = 1);
    pg::Connection& connection() noexcept { return connection_; }
    pg::Deadline deadline() const noexcept { return deadline_; }
    Core& core() noexcept { return core_; }
    Writes& writes() noexcept { return writes_; }

    Push& add(Push push);
    Push* find(int64_t id);
    // Reads pushes by id and adds them. A page or a mover reads them without a lock, but where it is about to park work
    // the state is read again under one, so that a resume cannot miss it.
    void load_pushes(const std::vector<int64_t>& ids, bool lock);
    void recheck_paused();
    // Something of the push ended: look after the commit whether that was the last of it.
    void may_close(int64_t push) { closable_.insert(push); }

    // Stores new work of a push where its state and `due` put it.
    void place(Push& push, Item item, std::string_view content, int64_t due_unix_ms);
    // Born held. Answers its id.
    int64_t place_held(Push& push, Item item, std::string_view content, uint64_t node, uint32_t epoch);
    // Deletes an item of the push.
    void remove(Push& push, int64_t item);
    // A damaged item: nobody claims it any more, and it stays for whoever mends the database.
    void put_aside(Item item, std::string_view damage);
    void stop(Push& push, int32_t state);
    void pause(Push& push);
    void resume(Push& push);

    // A dead letter; the item it came from is the caller's to remove.
    void bury(const Push& push, Item work, std::string_view content, std::string_view note);
    // Where no host counts it.
    void count_dead(const Push& push, const Item& work, size_t content_bytes);

    // The push that a member of a bundle becomes once it needs items of its own.
    Push& promote(Bundle& bundle, const Member& member, uint32_t index);
    // Promotes and buries every member that is neither stopped nor moved.
    void bury_bundle(Bundle& bundle, const Item& item, std::string_view content, std::string_view note, bool count);
    void finish_bundle(Bundle& bundle);
    // Makes claims see which members of a bundle are stopped or moved.
    void note_marks(const Bundle& bundle);

private:
    Core& core_;
    pg::Connection& connection_;
    pg::Deadline deadline_;
    Writes writes_;
    int64_t now_ = 0, next_id_ = 0, end_of_ids_ = 0;
    std::map<int64_t, Push> pushes_;
    std::set<int64_t> closable_;
};

// The list that a member of a bundle is; `body` is the blob id of the push it became.
Item list_of_member(const Member& member, int64_t body);
std::string_view entries_of_member(const Member& member);

}  // namespace belfry::queue_pg
