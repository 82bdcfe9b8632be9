// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/intake.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "queue/checks.h"
#include "queue/items.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

namespace {

// More token blobs than this are no push that anybody means.
constexpr uint32_t kBlobsMax = 65'536;

// 6 columns: place in the batch, ref, member, and of a push its state, end and fingerprint.
constexpr const char* kFind =
    "SELECT a.at, u.ref, u.member, p.state, p.finished, p.fingerprint FROM unnest($1::int[], $2::bytea[]) "
    "WITH ORDINALITY a (app, uid, at) CROSS JOIN LATERAL (SELECT ref, member FROM queue_uid WHERE app = a.app AND "
    "uid = a.uid OFFSET 0) u LEFT JOIN LATERAL (SELECT state, finished, fingerprint FROM queue_push WHERE id = u.ref "
    "AND u.member < 0 OFFSET 0) p ON true";
const std::string kBundles =
    std::string("SELECT ") + kBundleColumns + " FROM queue_bundle b WHERE b.id = ANY ($1::bigint[])";

// What a uid stands for at present.
struct Known {
    int64_t ref = 0;  // 0: nothing
    int32_t member = -1;
    int32_t state = 0;
    int64_t finished_unix_ms = 0;
    Fingerprint fingerprint{};
};

// One try at the transaction of a batch.
class Batch {
public:
    // `tried`: refs that earlier tries stored, if their commit came through though its answer did not.
    Batch(Core& core, Backlog& backlog, pg::Connection& connection, pg::Deadline deadline, std::set<int64_t>& tried)
        : core_(core), backlog_(backlog), turn_(core, connection, deadline), tried_(tried) {}

    std::vector<belfry_enqueued> run(Rows<belfry_new_push> pushes);

private:
    struct Entry {
        belfry_new_push push;
        uint32_t app = 0;
        belfry_enqueued answer = sized<belfry_enqueued>();
        Known known;
        bool is_new = false;  // to be stored
    };
    struct OpenBundle {
        int64_t id = 0;
        BundleBuilder builder;
    };
    using BundleKey = std::pair<int32_t, uint32_t>;        // lane, gate
    using UidKey = std::pair<uint32_t, std::string_view>;  // app, uid

    void check_all(Rows<belfry_new_push> pushes);
    void look_up();
    void look_into_bundles(const std::vector<size_t>& members);
    bool is_free(Entry& entry);
    void answer_echoes();
    void store_one(Entry& entry);
    void store(const belfry_new_push& row, uint32_t app);
    void store_items(const belfry_new_push& row, Push& push);
    void pack(const belfry_new_push& row, uint32_t app, const Member& member);
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
    look_up();
    uint64_t wanted = 0;
    for (Entry& entry : entries_) {
        entry.is_new = entry.answer.code == BELFRY_OK && is_free(entry);
        wanted += entry.is_new ? 1 : 0;
    }
    uint64_t room = wanted > 0 ? backlog_.room(turn_.connection(), wanted, turn_.deadline()) : 0;
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
    turn_.commit();
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

void Batch::look_up() {
    pg::Column apps(pg::Type::Int4);
    pg::Column uids(pg::Type::Bytes);
    std::vector<size_t> asked;
    for (size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].answer.code != BELFRY_OK) continue;
        apps.add4(static_cast<int32_t>(entries_[i].app));
        uids.add(view(entries_[i].push.uid));
        asked.push_back(i);
    }
    turn_.open();
    turn_.connection().send(kFind, pg::Params().column(apps).column(uids));
    const std::vector<pg::Result> results = turn_.trip_opened();
    const pg::Result& found = results.at(Turn::kOpened);
    std::vector<size_t> members;
    for (int row = 0; row < found.rows(); ++row) {
        const size_t i = asked.at(static_cast<size_t>(found.number(row, 0) - 1));
        Known& known = entries_[i].known;
        known.ref = found.number(row, 1);
        known.member = found.number4(row, 2);
        if (known.member >= 0) members.push_back(i);
        if (known.member >= 0 || found.is_null(row, 3)) continue;
        known.state = found.number4(row, 3);
        known.finished_unix_ms = found.number(row, 4);
        known.fingerprint = queue_parts::fingerprint_of(found.bytes(row, 5));
    }
    look_into_bundles(members);
}

void Batch::look_into_bundles(const std::vector<size_t>& members) {
    if (members.empty()) return;
    std::vector<int64_t> ids;
    for (const size_t i : members) ids.push_back(entries_[i].known.ref);
    const pg::Result rows = turn_.connection().run(kBundles, pg::Params().column(pg::numbers(ids)), turn_.deadline());
    std::map<int64_t, Bundle> bundles;
    for (int row = 0; row < rows.rows(); ++row) {
        Bundle bundle = read_bundle(rows, row);
        bundles.emplace(bundle.id, std::move(bundle));
    }
    for (const size_t i : members) {
        Known& known = entries_[i].known;
        const auto bundle = bundles.find(known.ref);
        if (bundle == bundles.end() || static_cast<size_t>(known.member) >= bundle->second.results.size()) continue;
        const MemberResult& result = bundle->second.results[static_cast<size_t>(known.member)];
        known.state = result.state;
        known.finished_unix_ms = result.finished_unix_ms;
        known.fingerprint = result.fingerprint;
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
    if (known.ref != 0 && known.state != 0) {
        // Stored by an earlier try of this batch: OK stands for whoever did that, others are told as then.
        if (tried_.contains(known.ref) && known.fingerprint == fingerprint) {
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
    const std::string_view uid = view(entry.push.uid);
    if (entry.known.ref != 0) turn_.writes().erase_uid(entry.app, uid, entry.known.ref);
    if (const std::optional<Member> member = small_member(entry.push)) {
        pack(entry.push, entry.app, *member);
    } else {
        store(entry.push, entry.app);
    }
}

void Batch::pack(const belfry_new_push& row, uint32_t app, const Member& member) {
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
    const uint32_t index = open->second.builder.add(member, app, queue_parts::fingerprint_of(row));
    turn_.writes().insert_uid(app, member.uid, open->second.id, static_cast<int32_t>(index));
}

void Batch::write_bundle(const BundleKey& key, OpenBundle& bundle) {
    Item item;
    item.id = bundle.id;
    item.kind = BELFRY_WORK_BUNDLE;
    item.lane = key.first;
    item.gate = key.second;
    item.flags = kInitial;
    item.vt = core_.lanes.vt(item.lane);
    item.ready_unix_ms = turn_.now();
    turn_.writes().insert(Bundle{bundle.id, turn_.now(), 0, item.lane, bundle.builder.results()});
    turn_.writes().insert(item, int64_t{item.gate}, bundle.builder.take_content());
}

void Batch::store(const belfry_new_push& row, uint32_t app) {
    Push push;
    push.id = turn_.take_ids();
    push.app = app;
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
    tried_.insert(push.id);
    turn_.writes().insert_uid(app, push.uid, push.id, -1);
    turn_.writes().insert(push);
    turn_.writes().insert_blob(push.body, view(row.body));
    const Rows<belfry_str> blobs(row.blobs);
    for (size_t i = 0; i < blobs.size(); ++i)
        turn_.writes().insert_blob(push.body + 1 + static_cast<int64_t>(i), view(blobs[i]));
    store_items(row, push);
    // A push without items is final at once.
    if (row.items.n == 0) turn_.may_close(push.id);
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
    const pg::Deadline deadline = call_deadline();
    std::set<int64_t> tried;
    std::vector<belfry_enqueued> answers = core_.durable.with(deadline, [&](pg::Connection& connection) {
        return Batch(core_, backlog_, connection, deadline, tried).run(pushes);
    });
    core_.bell.ring();
    return answers;
}

}  // namespace belfry::queue_pg
