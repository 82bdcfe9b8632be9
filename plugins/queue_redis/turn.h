// SPDX-License-Identifier: Apache-2.0
// One optimistic transaction, and the transitions of work items and pushes that several calls share:
//
//   later --due--> ready <--claim / release--> held --> gone (finished, or a dead letter)
//   ready, held <--pause / resume--> parked
//   a stopped push (cancelled or expired): its ready and parked items become claimable whatever their gate, flagged;
//   its later items are due at once; items that came with it and were never due vanish.
//
// open() and reads, then everything that changed in one script, which writes it only if what was read still stands;
// otherwise the pool tries the whole call again. What does not fit its push's state afterwards follows (settling.h).
// Threads: one at a time.  Owner: a call.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "queue_redis/core.h"
#include "queue_redis/writes.h"

namespace belfry::queue_redis {

using Ids = std::vector<int64_t>;

class Turn {
public:
    Turn(Core& core, redis::Connection& connection, redis::Deadline deadline)
        : core_(core), connection_(connection), deadline_(deadline), writes_(core.keys) {}

    // Queues what every turn begins with; its answers are the first kOpened of the next trip. `ids`: how many new rows
    // there will be, about.
    void open(int64_t ids = 0);
    static constexpr size_t kOpened = 2;
    std::vector<redis::Reply> trip_opened();
    void begin(int64_t ids = 0);
    // Writes what changed, and does at once what others would find and do: closes pushes that ended, settles items.
    void commit() { commit(core_.scripts.commit); }
    void commit(const redis::Script& script);

    // For calls whose repetition would answer otherwise: what a call says, kept by the commit until nobody repeats it.
    static uint64_t new_call();
    void remember_answer(uint64_t call, std::string_view answer);
    // If an earlier try of the call was committed though its answer was lost.
    std::optional<std::string> first_answer(uint64_t call);

    int64_t now() const noexcept { return now_; }
    int64_t vt(int32_t lane) const { return vt_.at(static_cast<size_t>(lane)); }
    // The first of so many ids, in order of arrival.
    int64_t take_ids(int64_t n = 1);
    redis::Connection& connection() noexcept { return connection_; }
    redis::Deadline deadline() const noexcept { return deadline_; }
    Core& core() noexcept { return core_; }
    Writes& writes() noexcept { return writes_; }

    // A work item as stored and as it will be.
    struct Work {
        std::optional<Item> was;
        Item is;
        bool is_gone = false;
        std::string content;
    };
    // What is loaded is expected to stand still if it changes; pushes always, since what happens to items depends on
    // them. What does not exist is not there afterwards.
    void load_items(const Ids& ids, bool with_content);
    void load_pushes(const Ids& ids);
    void load_bundles(const Ids& ids);
    Work* item(int64_t id);
    // As it was read.
    uint32_t epoch_of(int64_t item) const { return items_.at(item).is.epoch; }
    Push* find(int64_t push);
    Bundle* bundle(int64_t id);
    Bundle& add(Bundle bundle);
    Push& add(Push push);
    // Dead letters that go; answers the pushes they were of.
    Ids erase_letters(const Ids& ids);
    void erase(int64_t push) { pushes_.at(push).is_gone = true; }
    void erase_bundle(int64_t bundle) { bundles_.at(bundle).is_gone = true; }
    // The pushes that members of these bundles became.
    void load_moved();

    // Something of the push ended: see at the commit whether that was the last of it.
    void may_end(int64_t push) { writes_.changes().may_end(push); }

    // Stores new work of a push where its state and `due` put it.
    void place(Push& push, Item item, std::string_view content, int64_t due_unix_ms);
    // Born held. Answers its id.
    int64_t place_held(Push& push, Item item, std::string_view content, uint64_t node, uint32_t epoch);
    void insert(const Item& item, std::string_view content);
    // Makes an item claimable, or parks it, as its push's state has it. Null: a bundle.
    void release(Item& item, const Push* push) const;
    // A damaged item: nobody claims it any more, and it stays for whoever mends the server.
    void put_aside(Work& work, std::string_view damage);
    // It was loaded, and its row says nothing.
    bool is_damaged(int64_t item) const { return damaged_.contains(item); }
    // The items that are loaded are held by this node: a damaged one is not any more.
    void are_held_by(uint64_t node) { held_by_ = core_.keys.held(node); }
    // Deletes an item of the push.
    void remove(Push& push, Work& work);
    void stop(Push& push, int32_t state);
    void pause(Push& push);
    void change_lane(Push& push, int32_t lane);
    void resume(Push& push);

    // A dead letter; the item it came from is the caller's to remove.
    void bury(const Push& push, Item work, std::string_view content, std::string_view note);
    // Where no host counts it.
    void count_dead(const Push& push, const Item& work, size_t content_bytes);

    // The push that a member of a bundle becomes once it needs items of its own.
    Push& promote(Bundle& bundle, const Member& member, uint32_t index);
    // Promotes and buries every member that is neither stopped nor moved.
    void bury_bundle(Bundle& bundle, const Item& item, std::string_view content, std::string_view note, bool count);
    // Its moved members must be loaded.
    void finish_bundle(Bundle& bundle);

private:
    template <class Row>
    struct Known {
        std::optional<Row> was;
        Row is;
        bool is_gone = false;
    };
    void put_aside(int64_t item);
    void unsettle(const Push& push);
    void save_all();

    Core& core_;
    redis::Connection& connection_;
    const redis::Deadline deadline_;
    Writes writes_;
    int64_t now_ = 0, next_id_ = 0, end_of_ids_ = 0, opening_ids_ = 0;
    std::array<int64_t, kLanes> vt_{};
    std::map<int64_t, Work> items_;
    std::map<int64_t, Known<Push>> pushes_;
    std::map<int64_t, Known<Bundle>> bundles_;
    std::set<int64_t> restless_;
    std::set<int64_t> damaged_;  // items
    std::string held_by_;
};

// The list that a member of a bundle is; `body` is the blob id of the push it became.
Item list_of_member(const Member& member, int64_t body);
std::string_view entries_of_member(const Member& member);

// HMGET of rows by id; ids and answers in the same order. Not for an empty list.
void send_rows(redis::Connection& connection, const std::string& key, const Ids& ids);

}  // namespace belfry::queue_redis
