// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/intake.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "queue/checks.h"
#include "queue/items.h"
#include "queue_redis/directory.h"

namespace belfry::queue_redis {

namespace {

// More token blobs than this are no push that anybody means.
constexpr uint32_t kBlobsMax = 65'536;

// What a uid stands for at present.
struct Known {
    Ref ref;
    int32_t state = 0;
    int64_t finished_unix_ms = 0;
    Fingerprint fingerprint{};
};

// One try at the transaction of a batch.
class Batch {
public:
    // `tried`: refs that earlier tries stored, if their commit came through though its answer did not.
    Batch(Core& core, Backlog& backlog, redis::Connection& connection, redis::Deadline deadline,
          std::set<int64_t>& tried)
        : core_(core), backlog_(backlog), turn_(core, connection, deadline), tried_(tried) {}

    std::vector<belfry_enqueued> run(Rows<belfry_new_push> pushes);

private:
    struct Entry {
        belfry_new_push push;
        uint32_t app = 0;
        belfry_enqueued answer = sized<belfry_enqueued>();
        Known known;
        bool is_new = false;  // to be stored by this try
    };
    struct OpenBundle {
        int64_t id = 0;
        BundleBuilder builder;
    };
    using BundleKey = std::pair<int32_t, uint32_t>;        // lane, gate
    using UidKey = std::pair<uint32_t, std::string_view>;  // app, uid

    void check_all(Rows<belfry_new_push> pushes);
    // Answers how many pushes are unfinished.
    uint64_t look_up();
    void look_at(const std::vector<size_t>& known);
    bool is_free(Entry& entry);
    void answer_echoes();
    void store_one(Entry& entry);
    Ref store(const Entry& entry);
    void store_items(const belfry_new_push& row, Push& push);
    Ref pack_member(const Entry& entry, const Member& member);
    void write_bundle(const BundleKey& key, OpenBundle& bundle);

    Core& core_;
    Backlog& backlog_;
    Turn turn_;
    std::set<int64_t>& tried_;
    std::vector<Entry> entries_;
    std::map<UidKey, const Entry*> taken_;  // in this batch
    std::map<BundleKey, OpenBundle> open_;
};

std::vector<belfry_enqueued> Batch::run(Rows<belfry_new_push> pushes) {
    check_all(pushes);
    const uint64_t open = look_up();
    uint64_t wanted = 0;
    for (Entry& entry : entries_) {
        entry.is_new = entry.answer.code == BELFRY_OK && is_free(entry);
        wanted += entry.is_new ? 1 : 0;
    }
    uint64_t room = wanted > 0 ? backlog_.room(turn_.connection(), open, wanted, turn_.deadline()) : 0;
    for (Entry& entry : entries_) {
        if (!entry.is_new) continue;
        if (room == 0) {
            entry.answer.code = BELFRY_BUSY;
            continue;
        }
        --room;
        store_one(entry);
    }
    answer_echoes();
    for (auto& [key, bundle] : open_) write_bundle(key, bundle);
    turn_.commit(core_.scripts.store);
    std::vector<belfry_enqueued> answers;
    for (const Entry& entry : entries_) answers.push_back(entry.answer);
    return answers;
}

void Batch::check_all(Rows<belfry_new_push> pushes) {
    entries_.reserve(pushes.size());
    for (uint32_t i = 0; i < pushes.size(); ++i) {
        Entry& entry = entries_.emplace_back();
        entry.push = pushes.known(i);
        entry.answer.index = i;
        entry.answer.code = check(entry.push);
        if (entry.answer.code == BELFRY_OK && entry.push.blobs.n > kBlobsMax) entry.answer.code = BELFRY_TOO_LARGE;
        if (entry.answer.code != BELFRY_OK) continue;
        entry.app = core_.apps.make(turn_.connection(), view(entry.push.app), turn_.deadline());
    }
}

uint64_t Batch::look_up() {
    std::vector<std::string> fields;
    std::vector<size_t> asked, known;
    int64_t rows = 0;
    for (size_t i = 0; i < entries_.size(); ++i) {
        const belfry_new_push& push = entries_[i].push;
        if (entries_[i].answer.code != BELFRY_OK) continue;
        fields.push_back(uid_field(entries_[i].app, view(push.uid)));
        asked.push_back(i);
        rows += small_member(push) ? 1 : 2 + int64_t{push.blobs.n} + push.items.n;
    }
    turn_.open(rows);
    turn_.connection().send({"HMGET", core_.keys.of("number"), "running", "delayed", "members"});
    if (!fields.empty()) send_uids(turn_.connection(), core_.keys, fields);
    const std::vector<redis::Reply> replies = turn_.trip_opened();
    for (size_t at = 0; at < asked.size(); ++at) {
        Known& one = entries_[asked[at]].known;
        const std::optional<Ref> ref = intact_ref(replies[Turn::kOpened + 1][at].row());
        // Whether it was sent already cannot be told.
        if (!ref) entries_[asked[at]].answer.code = BELFRY_CORRUPT;
        one.ref = ref.value_or(Ref());
        if (one.ref.ref != 0) known.push_back(asked[at]);
    }
    look_at(known);
    const redis::Value counts = replies[Turn::kOpened];
    return static_cast<uint64_t>(counts[0].number() + counts[1].number() + counts[2].number());
}

// Reads the pushes and members that uids of the batch stand for.
void Batch::look_at(const std::vector<size_t>& known) {
    if (known.empty()) return;
    const Keys& keys = core_.keys;
    for (const size_t i : known) {
        const Ref& ref = entries_[i].known.ref;
        send_rows(turn_.connection(), keys.of(ref.member < 0 ? "push" : "bundle"), {ref.ref});
    }
    const std::vector<redis::Reply> replies = turn_.connection().trip(turn_.deadline());
    for (size_t at = 0; at < known.size(); ++at) {
        Known& one = entries_[known[at]].known;
        const redis::Value row = replies[at][0];
        if (row.is_nil()) continue;
        if (one.ref.member < 0) {
            const std::optional<Push> push = intact_push(one.ref.ref, row.row());
            if (!push) entries_[known[at]].answer.code = BELFRY_CORRUPT;
            if (!push) continue;
            one.state = push->state;
            one.finished_unix_ms = push->finished_unix_ms;
            one.fingerprint = push->fingerprint;
            continue;
        }
        const std::optional<Bundle> bundle = intact_bundle(one.ref.ref, row.row());
        if (!bundle) entries_[known[at]].answer.code = BELFRY_CORRUPT;
        if (!bundle || static_cast<size_t>(one.ref.member) >= bundle->results.size()) continue;
        const MemberResult& result = bundle->results[static_cast<size_t>(one.ref.member)];
        one.state = result.state;
        one.finished_unix_ms = result.finished_unix_ms;
        one.fingerprint = result.fingerprint;
    }
}

// Whether the uid is nobody's yet, or not any more; otherwise the answer says whose.
bool Batch::is_free(Entry& entry) {
    const UidKey key{entry.app, view(entry.push.uid)};
    const Fingerprint fingerprint = queue_parts::fingerprint_of(entry.push);
    const auto answer = [&](const Fingerprint& other, int32_t state) {
        entry.answer.code = other == fingerprint ? BELFRY_DUPLICATE : BELFRY_CONFLICT;
        entry.answer.state = state;
        return false;
    };
    if (const auto taken = taken_.find(key); taken != taken_.end())
        return answer(queue_parts::fingerprint_of(taken->second->push), BELFRY_PUSH_RUNNING);
    const Known& known = entry.known;
    if (known.ref.ref != 0 && known.state != 0) {
        // Stored by an earlier try of this batch: OK stands for whoever did that, others are told as then.
        if (tried_.contains(known.ref.ref) && known.fingerprint == fingerprint) {
            taken_.emplace(key, &entry);
            return false;
        }
        const int64_t window_ms = int64_t{core_.config.uid_window_hours} * 3600 * 1000;
        const bool old = known.finished_unix_ms != 0 && known.finished_unix_ms + window_ms <= turn_.now();
        if (!old) return answer(known.fingerprint, known.state);
    }
    taken_.emplace(key, &entry);
    return true;
}

// Who brought a uid a second time in this batch is told that it is stored only if it was.
void Batch::answer_echoes() {
    for (Entry& entry : entries_) {
        const auto taken = taken_.find({entry.app, view(entry.push.uid)});
        if (entry.answer.code != BELFRY_DUPLICATE || taken == taken_.end() || taken->second == &entry) continue;
        if (taken->second->answer.code == BELFRY_BUSY) entry.answer.code = BELFRY_BUSY;
    }
}

void Batch::store_one(Entry& entry) {
    const std::optional<Member> member = small_member(entry.push);
    const Ref ref = member ? pack_member(entry, *member) : store(entry);
    turn_.writes().set_uid(entry.app, view(entry.push.uid), entry.known.ref, ref);
}

Ref Batch::pack_member(const Entry& entry, const Member& member) {
    const belfry_new_push& row = entry.push;
    const BundleKey key{row.lane, Rows<belfry_new_item>(row.items)[0].gate};
    auto open = open_.find(key);
    if (open != open_.end() && !open->second.builder.has_room_for(member)) {
        write_bundle(key, open->second);
        open_.erase(open);
        open = open_.end();
    }
    if (open == open_.end()) {
        open = open_.try_emplace(key).first;
        open->second.id = turn_.take_ids();
        tried_.insert(open->second.id);
    }
    const uint32_t index = open->second.builder.add(member, entry.app, queue_parts::fingerprint_of(row));
    return {open->second.id, static_cast<int32_t>(index)};
}

void Batch::write_bundle(const BundleKey& key, OpenBundle& bundle) {
    Item item;
    item.id = bundle.id;
    item.kind = BELFRY_WORK_BUNDLE;
    item.lane = key.first;
    item.gate = key.second;
    item.flags = kInitial;
    turn_.release(item, nullptr);
    turn_.add(Bundle{bundle.id, 1, turn_.now(), 0, item.lane, bundle.builder.results()});
    turn_.insert(item, bundle.builder.take_content());
}

Ref Batch::store(const Entry& entry) {
    const belfry_new_push& row = entry.push;
    Push push;
    const int64_t id = turn_.take_ids();
    push.id = id;
    push.app = entry.app;
    push.uid = text(row.uid);
    push.fingerprint = queue_parts::fingerprint_of(row);
    push.lane = row.lane;
    push.weight = std::clamp<uint32_t>(row.weight, 1, kWeightMax);
    push.created_unix_ms = turn_.now();
    push.send_at_unix_ms = row.send_at_unix_ms;
    push.expires_unix_ms = row.expires_unix_ms;
    push.state = row.send_at_unix_ms > turn_.now() ? BELFRY_PUSH_DELAYED : BELFRY_PUSH_RUNNING;
    push.blobs = static_cast<int32_t>(row.blobs.n);
    push.body = turn_.take_ids(1 + push.blobs);
    tried_.insert(id);
    turn_.writes().insert_blob(push.body, view(row.body));
    const Rows<belfry_str> blobs(row.blobs);
    for (size_t i = 0; i < blobs.size(); ++i)
        turn_.writes().insert_blob(push.body + 1 + static_cast<int64_t>(i), view(blobs[i]));
    store_items(row, turn_.add(std::move(push)));
    // A push without items is final at once.
    if (row.items.n == 0) turn_.may_end(id);
    return {id, -1};
}

void Batch::store_items(const belfry_new_push& row, Push& push) {
    const Rows<belfry_new_item> rows(row.items);
    for (size_t i = 0; i < rows.size(); ++i) {
        const belfry_new_item wanted = rows.known(i);
        auto item = item_of<Item>(wanted, has_picks(wanted) ? push.body + 1 + wanted.blob : 0);
        turn_.place(push, item, content_of(wanted), row.send_at_unix_ms);
    }
}

}  // namespace

std::vector<belfry_enqueued> Intake::enqueue(Rows<belfry_new_push> pushes) {
    const redis::Deadline deadline = call_deadline();
    std::set<int64_t> tried;
    std::vector<belfry_enqueued> answers = core_.pool.with(deadline, [&](redis::Connection& connection) {
        return Batch(core_, backlog_, connection, deadline, tried).run(pushes);
    });
    core_.bell.ring();
    return answers;
}

}  // namespace belfry::queue_redis
