// SPDX-License-Identifier: Apache-2.0
// A queue under test as cases use it: values in, values out, through nothing but the C ABI.
//
// Threads: [any], like the interface; a Queue is opened and closed by one thread.
#pragma once

#include <belfry/queue.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/runner/plugin.h"
#include "conformance/runner/runner.h"

namespace belfry::conformance::queue {

inline constexpr int64_t kKeyEnd = int64_t{1} << 56;
inline constexpr uint32_t kNoBlob = UINT32_MAX;

struct NewItem {
    int32_t kind = BELFRY_WORK_SLICE;
    uint32_t gate = 0;
    uint32_t blob = kNoBlob;
    int64_t after = -1, hi = kKeyEnd;
    std::vector<int64_t> keys;
    std::vector<uint32_t> picks;
};

struct NewPush {
    std::string uid;
    std::string app = "default";
    int32_t lane = BELFRY_LANE_NORMAL;
    uint32_t weight = 1;
    uint64_t fingerprint = 1;
    int64_t send_at = 0, expires = 0;
    std::string body = "body";
    std::vector<std::string> blobs;
    std::vector<NewItem> items;
    bool small = false;
};
// A push of one slice over (after, hi).
NewPush slice_push(std::string uid, int64_t after = -1, int64_t hi = kKeyEnd);
// A push of one list of device keys.
NewPush list_push(std::string uid, std::vector<int64_t> keys);
// As list_push, flagged SMALL.
NewPush small_push(std::string uid, std::vector<int64_t> keys = {1});
// A push of one list of `tokens` picks into a blob.
NewPush token_push(std::string uid, uint32_t tokens, std::string blob);

struct Enqueued {
    belfry_code code = BELFRY_OK;
    int32_t state = 0;
};

struct Member {
    uint32_t index = 0, flags = 0, attempt = 0;
    std::string app, uid, body, blob;
    std::vector<int64_t> keys;
    std::vector<uint32_t> picks;
    int64_t expires = 0;
};

struct Claimed {
    int32_t kind = 0, lane = 0, state = 0;
    uint32_t gate = 0, epoch = 0, attempt = 0, crashes = 0, flags = 0, live_items = 0, weight = 0;
    uint64_t item = 0, push = 0, body = 0, blob = 0;
    std::string app, uid;
    int64_t after = 0, hi = 0, expires = 0, ready = 0, created = 0;
    std::vector<int64_t> keys;
    std::vector<uint32_t> picks;
    std::vector<Member> members;
    bool stopped() const { return (flags & BELFRY_CLAIMED_STOPPED) != 0; }
};

struct Owed {
    uint32_t flags = 0, gate = 0, attempt = 2, member = 0;
    int64_t due = 0;
    std::vector<int64_t> keys;
    uint64_t blob = 0;
    std::vector<uint32_t> picks;
    std::string note;
};

struct Count {
    int32_t outcome = 0;
    uint32_t n = 0, gate = 0, member = 0;
};

struct Sample {
    std::string text;
    int32_t outcome = BELFRY_FINAL_REFUSED;
    uint32_t gate = 0, member = 0;
};

struct Checkpoint {
    uint64_t item = 0, request = 0;  // request 0: the driver makes one up
    uint32_t epoch = 0;
    int32_t next = BELFRY_NEXT_FINISH;
    uint32_t cost = 0, planned = 0, split_gate = 0;
    int64_t cursor = 0, split_at = 0, split_hi = 0;
    std::vector<Owed> owed;
    std::vector<Count> tallies;
    std::vector<Sample> samples;
    std::vector<Count> planned_of;
    std::string note;
    int32_t lane = 0;
};
Checkpoint checkpoint_of(const Claimed& claimed, int32_t next);

struct Paged {
    belfry_code code = BELFRY_OK;
    uint32_t live_items = 0;
    std::vector<belfry_ref> mine;
};

struct Steered {
    belfry_code code = BELFRY_OK;
    int32_t state = 0;
    uint64_t push = 0;
    int64_t settled = 0;
};

struct PushView {
    int32_t state = 0, lane = 0;
    bool planned_final = false;
    uint32_t live_items = 0;
    int64_t planned = 0, created = 0, send_at = 0, expires = 0, finished = 0, range_left = 0;
    std::string app, uid;
    uint64_t body = 0;
    std::vector<Count> tallies;
    std::vector<Sample> samples;
    int64_t count(int32_t outcome) const;
    int64_t settled() const;
};

struct Change {
    int32_t state = 0;
    int64_t number = 0;
    uint64_t push = 0;
    std::string app, uid;
};

struct Dead {
    uint32_t attempt = 0, gate = 0, entries = 0;
    uint64_t id = 0;
    int64_t buried = 0, replayed = 0;
    std::string app, uid, note;
};

class Queue {
public:
    // Starts the plugin of the case. Throws Failed.
    explicit Queue(Context& context, std::string config = {}, uint64_t node = 1);
    uint64_t node() const { return node_; }

    FakeHost& host() { return *host_; }
    int64_t now() const { return host_->unix_ms(); }
    uint32_t flags() const { return table_->flags; }
    const belfry_queue& table() const { return *table_; }
    belfry_instance* instance() const { return instance_->get(); }
    // Null if the plugin does not offer it.
    const void* other_interface(std::string_view id) const { return instance_->other_interface(id); }

    std::vector<Enqueued> enqueue(const std::vector<NewPush>& pushes);
    Enqueued enqueue(const NewPush& push) { return enqueue(std::vector<NewPush>{push}).at(0); }
    // As enqueue, but a failure of the call itself is its answer.
    belfry_code try_enqueue(const std::vector<NewPush>& pushes, std::vector<Enqueued>* answers, belfry_why* why);
    void must_enqueue(const std::vector<NewPush>& pushes);
    void must_enqueue(const NewPush& push) { must_enqueue(std::vector<NewPush>{push}); }

    std::vector<Claimed> claim(int32_t lane, uint32_t n, const std::vector<uint32_t>& gates = {}, uint32_t wait_ms = 0);
    std::vector<Claimed> claim_as(uint64_t node, int32_t lane, uint32_t n, const std::vector<uint32_t>& gates = {},
                                  uint32_t wait_ms = 0);
    // The only item of the lane. Throws Failed if there is none.
    Claimed claim_one(int32_t lane = BELFRY_LANE_NORMAL, const std::vector<uint32_t>& gates = {});
    std::optional<std::string> blob(uint64_t id);

    std::vector<Paged> page(const std::vector<Checkpoint>& checkpoints);
    Paged page(const Checkpoint& checkpoint) { return page(std::vector<Checkpoint>{checkpoint}).at(0); }
    std::vector<Paged> page_as(uint64_t node, const std::vector<Checkpoint>& checkpoints);
    belfry_code try_page(uint64_t node, const std::vector<Checkpoint>& checkpoints, std::vector<Paged>* answers,
                         belfry_why* why);
    // Ends an item with every entry accepted.
    Paged finish(const Claimed& claimed);

    Steered steer(std::string_view uid, int32_t verb, std::string_view app = "default");
    std::vector<Change> changes(int64_t since);
    belfry_code beat(uint64_t node, belfry_pulse* pulse);
    // Runs upkeep until it has nothing to do at this moment; answers when it wants to be called again.
    uint32_t upkeep();
    std::optional<PushView> lookup(std::string_view uid, std::string_view app = "default");
    std::vector<PushView> list(std::string_view app, int32_t state, uint32_t limit, std::string* cursor);
    std::vector<Dead> dead(std::string_view uid = {}, uint64_t after = 0, uint32_t limit = 100,
                           std::string_view app = "default");
    uint32_t replay(const std::vector<uint64_t>& ids, bool ignore_expiry = false, std::string_view app = "default");
    belfry_queue_stats stats();
    belfry_code backup(const std::string& path, belfry_why* why);
    // Until there is nothing more of the app; answers how many calls it took.
    uint32_t purge_app(std::string_view app, uint32_t limit);

    // Stops the instance and starts it again on the same files, as a new node.
    void reopen();
    void close() { instance_.reset(); }

private:
    void open();

    Context& context_;
    std::string config_;
    uint64_t node_;
    std::unique_ptr<FakeHost> host_;
    std::unique_ptr<Instance> instance_;
    const belfry_queue* table_ = nullptr;
    std::atomic<uint64_t> requests_{0};
};

// Throws Failed unless a call succeeded.
void must(belfry_code code, const belfry_why& why, std::string_view call);

// What a page of a slice or list of this driver's pushes would deliver: keys in (after, hi) up to `limit`, or the
// entries of a list.
std::vector<int64_t> keys_in(int64_t after, int64_t hi, size_t limit);

}  // namespace belfry::conformance::queue
