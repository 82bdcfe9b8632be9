// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "queue/record_rows.h"
#include "queue_pg/moving.h"
#include "queue_pg/tables.h"
#include "queue_pg/turn.h"

namespace belfry::queue_pg {

namespace {

const std::string kKnownPushes =
    std::string("SELECT ") + kPushColumns + " FROM queue_push p WHERE p.id = ANY ($1::bigint[])";
constexpr const char* kKnownWork =
    "SELECT id FROM queue_item WHERE id = ANY ($1::bigint[]) UNION ALL SELECT id FROM queue_later WHERE id = ANY "
    "($1::bigint[]) UNION ALL SELECT id FROM queue_dead WHERE id = ANY ($1::bigint[]) UNION ALL SELECT id FROM "
    "queue_bundle WHERE id = ANY ($1::bigint[])";
constexpr const char* kKnownBlobs = "SELECT id FROM queue_blob WHERE id = ANY ($1::bigint[])";
// A younger push has the uid of an older one whose time is over.
constexpr const char* kUids =
    "INSERT INTO queue_uid (ref, app, member, uid) SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], "
    "$4::bytea[]) u (ref, app, member, uid) ORDER BY app, uid ON CONFLICT (app, uid) DO UPDATE SET ref = excluded.ref, "
    "member = excluded.member WHERE queue_uid.ref < excluded.ref";
constexpr const char* kDead =
    "INSERT INTO queue_dead (id, replayed, buried, push, gate, after, hi, blob, app, kind, flags, attempt, entries, "
    "note, content) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
    "$6::bigint[], $7::bigint[], $8::bigint[], $9::int[], $10::int[], $11::int[], $12::int[], $13::int[], "
    "$14::bytea[], $15::bytea[])";
constexpr const char* kBlobsOf =
    "UPDATE queue_push p SET blobs = greatest(p.blobs, u.n) FROM unnest($1::bigint[], $2::int[]) u (push, n) "
    "WHERE p.id = u.push";
constexpr const char* kBundleOf =
    "UPDATE queue_push p SET bundle = u.bundle FROM unnest($1::bigint[], $2::bigint[]) u (push, bundle) "
    "WHERE p.id = u.push AND p.finished = 0";
// Ids of the next transactions lie above all that came.
constexpr const char* kAbove =
    "SELECT setval('queue_block', greatest((SELECT last_value FROM queue_block), $1::bigint))";

int32_t bits(uint32_t value) {
    return static_cast<int32_t>(value);
}

// One try at the transaction of a load.
class Batch {
public:
    Batch(Core& core, pg::Connection& connection, pg::Deadline deadline)
        : core_(core), turn_(core, connection, deadline) {}

    void run(const std::vector<Record>& records) {
        look_up(records);
        for (size_t i = 0; i < records.size(); ++i)
            std::visit([&](const auto& record) { load(record, i); }, records[i]);
        write();
    }

private:
    void look_up(const std::vector<Record>& records);
    void note(const PushRecord& push);
    void note(const BlobRecord& blob) { asked_pushes_.insert(blob.push); }
    template <class R>
    void note(const R& work) {
        asked_pushes_.insert(work.push);
        asked_work_.insert(work.id);
    }
    void note(const BundleRecord& bundle);
    void load(const PushRecord& record, size_t index);
    void load(const BlobRecord& record, size_t index);
    void load(const WorkRecord& record, size_t index);
    void load(const DeadRecord& record, size_t index);
    void load(const BundleRecord& record, size_t index);
    void write();
    Push& push_of(int64_t id, size_t index);
    // False: it was there already.
    bool is_new(int64_t id) { return known_.insert(id).second; }
    void use_id(int64_t id) { highest_ = std::max(highest_, id); }
    void file_uid(uint32_t app, std::string_view uid, int64_t ref, int32_t member);

    Core& core_;
    Turn turn_;
    std::set<int64_t> asked_pushes_, asked_work_;
    std::map<std::string_view, uint32_t> apps_;
    std::set<int64_t> known_;  // items, later rows, dead letters, bundles
    std::map<std::pair<uint32_t, std::string_view>, std::pair<int64_t, int32_t>> uids_;
    std::vector<std::pair<DeadRecord, const Push*>> dead_;
    std::map<int64_t, int32_t> blobs_of_;
    std::map<int64_t, std::string_view> new_blobs_;
    std::vector<std::pair<int64_t, int64_t>> bundle_of_;
    int64_t highest_ = 0;
};

void Batch::note(const PushRecord& push) {
    asked_pushes_.insert(push.id);
    apps_[push.app] = 0;
}

void Batch::note(const BundleRecord& bundle) {
    asked_work_.insert(bundle.id);
    for (const MemberRecord& member : bundle.members) apps_[member.app] = 0;
}

void Batch::look_up(const std::vector<Record>& records) {
    for (const Record& record : records) std::visit([&](const auto& one) { note(one); }, record);
    for (auto& [name, number] : apps_) number = core_.apps.make(turn_.connection(), name, turn_.deadline());
    turn_.open();
    const std::vector<int64_t> pushes(asked_pushes_.begin(), asked_pushes_.end());
    const std::vector<int64_t> work(asked_work_.begin(), asked_work_.end());
    turn_.connection().send(kKnownPushes, pg::Params().column(pg::numbers(pushes)));
    turn_.connection().send(kKnownWork, pg::Params().column(pg::numbers(work)));
    const std::vector<pg::Result> results = turn_.trip_opened();
    const pg::Result& found = results.at(Turn::kOpened);
    for (int row = 0; row < found.rows(); ++row) turn_.add(read_push(found, row));
    const pg::Result& ids = results.at(Turn::kOpened + 1);
    for (int row = 0; row < ids.rows(); ++row) known_.insert(ids.number(row, 0));
}

Push& Batch::push_of(int64_t id, size_t index) {
    Push* push = turn_.find(id);
    if (push == nullptr) refuse_record(index, "belongs to a push that was not loaded before it; keep the dump's order");
    return *push;
}

void Batch::file_uid(uint32_t app, std::string_view uid, int64_t ref, int32_t member) {
    std::pair<int64_t, int32_t>& filed = uids_[{app, uid}];
    filed = std::max(filed, {ref, member});
}

void Batch::load(const PushRecord& record, size_t index) {
    const uint32_t app = apps_.at(record.app);
    if (const Push* known = turn_.find(record.id)) {
        if (known->app == app && known->uid == record.uid) return;
        throw Refused(BELFRY_CONFLICT, "records[" + std::to_string(index) + "]",
                      "its number belongs to another push; load into an empty queue");
    }
    Push push = push_of_record<Push>(record, app);
    Writes& writes = turn_.writes();
    writes.insert(push);
    if (record.body != 0) new_blobs_[record.body] = record.body_bytes;
    writes.count(push.id, 0, kPlanned, record.counters.planned);
    for (const Tally& tally : record.counters.tallies) writes.count(push.id, tally.gate, tally.outcome, tally.n);
    for (const Sample& sample : record.counters.samples)
        writes.sample(push.id, sample.gate, sample.outcome, sample.text);
    file_uid(app, record.uid, record.id, -1);
    use_id(std::max(record.id, record.body));
    turn_.add(std::move(push));
}

void Batch::load(const BlobRecord& record, size_t index) {
    const Push& push = push_of(record.push, index);
    if (push.body == 0) return;
    const int64_t id = push.body + record.ordinal;
    new_blobs_[id] = record.bytes;
    int32_t& blobs = blobs_of_[push.id];
    blobs = std::max(blobs, static_cast<int32_t>(record.ordinal));
    use_id(id);
}

void Batch::load(const WorkRecord& record, size_t index) {
    Push& push = push_of(record.push, index);
    if (push.finished_unix_ms != 0 || !is_new(record.id)) return;
    Item item = work_of_record<Item>(record, push);
    item.vt = core_.lanes.vt(push.lane);
    item.ready_unix_ms = record.ready_unix_ms;
    item.crashes = record.crashes;
    use_id(record.id);
    if (record.due_unix_ms != 0) return turn_.writes().insert_later(item, record.due_unix_ms, record.content);
    Shelf shelf = int64_t{item.gate};
    if (is_stopped(push.state)) shelf = kStoppedShelf;
    if (push.state == BELFRY_PUSH_PAUSED) shelf.reset();
    turn_.writes().insert(item, shelf, record.content);
}

void Batch::load(const DeadRecord& record, size_t index) {
    const Push& push = push_of(record.push, index);
    if (!is_new(record.id)) return;
    dead_.emplace_back(record, &push);
    use_id(record.id);
}

void Batch::load(const BundleRecord& record, size_t) {
    if (!is_new(record.id)) return;
    use_id(record.id);
    const auto number_of = [&](std::string_view app) { return apps_.at(app); };
    const auto bundle = bundle_of_record<Bundle>(record, number_of);
    for (size_t i = 0; i < bundle.results.size(); ++i) {
        const MemberResult& result = bundle.results[i];
        if (result.moved_to == 0)
            file_uid(result.app, record.members[i].result.uid, record.id, static_cast<int32_t>(i));
        if (result.moved_to > 0 && record.finished_unix_ms == 0) bundle_of_.emplace_back(result.moved_to, record.id);
    }
    turn_.writes().insert(bundle);
    if (record.finished_unix_ms != 0) return;
    Item item = bundle_item_of_record<Item>(record);
    item.vt = core_.lanes.vt(item.lane);
    turn_.writes().insert(item, int64_t{item.gate}, content_of(record, number_of).take_content());
}

void Batch::write() {
    pg::Connection& connection = turn_.connection();
    std::vector<int64_t> blob_ids;
    for (const auto& [id, bytes] : new_blobs_) blob_ids.push_back(id);
    const pg::Result there = connection.run(kKnownBlobs, pg::Params().column(pg::numbers(blob_ids)), turn_.deadline());
    for (int row = 0; row < there.rows(); ++row) new_blobs_.erase(there.number(row, 0));
    for (const auto& [id, bytes] : new_blobs_) turn_.writes().insert_blob(id, bytes);
    turn_.writes().send(connection);

    pg::Column refs(pg::Type::Int8), apps(pg::Type::Int4), members(pg::Type::Int4), uids(pg::Type::Bytes);
    for (const auto& [key, ref] : uids_) {
        refs.add(ref.first);
        apps.add4(bits(key.first));
        members.add4(ref.second);
        uids.add(key.second);
    }
    if (!refs.empty()) connection.send(kUids, pg::Params().column(refs).column(apps).column(members).column(uids));

    if (!dead_.empty()) {
        std::vector<pg::Column> c(8, pg::Column(pg::Type::Int8));
        for (int i = 0; i < 5; ++i) c.emplace_back(pg::Type::Int4);
        for (int i = 0; i < 2; ++i) c.emplace_back(pg::Type::Bytes);
        for (const auto& [row, push] : dead_) {
            const int64_t blob = row.ordinal == 0 ? 0 : push->body + row.ordinal;
            size_t at = 0;
            for (const int64_t n : {row.id, row.replayed_unix_ms, row.buried_unix_ms, row.push, int64_t{row.gate},
                                    row.after, row.hi, blob})
                c[at++].add(n);
            for (const int32_t n : {bits(push->app), row.kind, bits(row.flags), bits(row.attempt), bits(row.entries)})
                c[at++].add4(n);
            c[at++].add(row.note);
            c[at++].add(row.content);
        }
        pg::Params params;
        for (const pg::Column& column : c) params.column(column);
        connection.send(kDead, params);
    }

    pg::Column owners(pg::Type::Int8), counts(pg::Type::Int4);
    for (const auto& [push, n] : blobs_of_) {
        owners.add(push);
        counts.add4(n);
    }
    if (!owners.empty()) connection.send(kBlobsOf, pg::Params().column(owners).column(counts));
    pg::Column moved(pg::Type::Int8), bundles(pg::Type::Int8);
    for (const auto& [push, bundle] : bundle_of_) {
        moved.add(push);
        bundles.add(bundle);
    }
    if (!moved.empty()) connection.send(kBundleOf, pg::Params().column(moved).column(bundles));
    connection.send(kAbove, pg::Params().number(highest_ / kIdsPerBlock));
    connection.send("COMMIT");
    connection.trip(turn_.deadline());
}

}  // namespace

void Moving::load(Rows<belfry_str> rows) {
    std::vector<Record> records;
    for (size_t i = 0; i < rows.size(); ++i) records.push_back(decode_record(view(rows[i]), i));
    if (records.empty()) return;
    const pg::Deadline deadline = call_deadline();
    core_.durable.with(deadline, [&](pg::Connection& connection) { Batch(core_, connection, deadline).run(records); });
    core_.bell.ring();
}

}  // namespace belfry::queue_pg
