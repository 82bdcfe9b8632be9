// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "queue/record_rows.h"
#include "queue_redis/directory.h"
#include "queue_redis/moving.h"
#include "queue_redis/turn.h"

namespace belfry::queue_redis {

namespace {

// Scores and Lua's numbers are exact below this.
constexpr int64_t kNumbersMax = int64_t{1} << 53;
constexpr int64_t kIdsPerMs = 100;  // open.lua
constexpr int64_t kIdsMarginMs = 60'000;

// One try at the transaction of a load.
class Batch {
public:
    Batch(Core& core, redis::Connection& connection, redis::Deadline deadline)
        : core_(core), turn_(core, connection, deadline) {}

    void run(const std::vector<Record>& records);

private:
    using UidKey = std::pair<uint32_t, std::string_view>;  // app, uid

    void note(const PushRecord& push);
    void note(const BlobRecord& blob) { asked_pushes_.insert(blob.push); }
    template <class R>
    void note(const R& work) {
        asked_pushes_.insert(work.push);
        asked_work_.insert(work.id);
    }
    void note(const BundleRecord& bundle);
    void look_up();
    void load(const PushRecord& record, size_t index);
    void load(const BlobRecord& record, size_t index);
    void load(const WorkRecord& record, size_t index);
    void load(const DeadRecord& record, size_t index);
    void load(const BundleRecord& record, size_t index);
    void file_uids();
    void raise_numbers();
    Push& push_of(int64_t id, size_t index);
    // False: it was there already.
    bool is_new(int64_t id) { return known_.insert(id).second; }
    void use_id(int64_t id, size_t index);
    void file_uid(uint32_t app, std::string_view uid, int64_t ref, int32_t member);

    Core& core_;
    Turn turn_;
    std::set<int64_t> asked_pushes_, asked_work_;
    std::map<std::string_view, uint32_t> apps_;
    std::set<int64_t> known_;  // items, dead letters, bundles
    std::map<UidKey, std::pair<int64_t, int32_t>> uids_;
    int64_t highest_ = 0;
};

void Batch::run(const std::vector<Record>& records) {
    for (const Record& record : records) std::visit([&](const auto& one) { note(one); }, record);
    look_up();
    for (size_t i = 0; i < records.size(); ++i) std::visit([&](const auto& record) { load(record, i); }, records[i]);
    file_uids();
    raise_numbers();
    turn_.commit(core_.scripts.store);
}

void Batch::note(const PushRecord& push) {
    asked_pushes_.insert(push.id);
    apps_[push.app] = 0;
}

void Batch::note(const BundleRecord& bundle) {
    asked_work_.insert(bundle.id);
    for (const MemberRecord& member : bundle.members) {
        apps_[member.app] = 0;
        if (member.result.moved_to > 0) asked_pushes_.insert(member.result.moved_to);
    }
}

void Batch::look_up() {
    redis::Connection& connection = turn_.connection();
    for (auto& [name, number] : apps_) number = core_.apps.make(connection, name, turn_.deadline());
    turn_.begin();
    turn_.load_pushes({asked_pushes_.begin(), asked_pushes_.end()});
    const Ids works(asked_work_.begin(), asked_work_.end());
    if (works.empty()) return;
    for (const char* key : {"item", "dead", "bundle"}) send_rows(connection, core_.keys.of(key), works);
    for (const redis::Reply& rows : connection.trip(turn_.deadline())) {
        for (size_t i = 0; i < works.size(); ++i) {
            if (!rows[i].is_nil()) known_.insert(works[i]);
        }
    }
}

Push& Batch::push_of(int64_t id, size_t index) {
    Push* push = turn_.find(id);
    if (push == nullptr) refuse_record(index, "belongs to a push that was not loaded before it; keep the dump's order");
    return *push;
}

void Batch::use_id(int64_t id, size_t index) {
    if (id >= kNumbersMax) refuse_record(index, "has a number above 2^53, which Redis cannot order by");
    highest_ = std::max(highest_, id);
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
    use_id(std::max(record.id, record.body), index);
    Writes& writes = turn_.writes();
    if (record.body != 0) writes.insert_blob(record.body, record.body_bytes);
    writes.count(record.id, 0, kPlanned, record.counters.planned);
    for (const Tally& tally : record.counters.tallies) writes.count(record.id, tally.gate, tally.outcome, tally.n);
    for (const Sample& sample : record.counters.samples)
        writes.sample(record.id, sample.gate, sample.outcome, sample.text);
    file_uid(app, record.uid, record.id, -1);
    turn_.add(push_of_record<Push>(record, app));
}

void Batch::load(const BlobRecord& record, size_t index) {
    Push& push = push_of(record.push, index);
    if (push.body == 0) return;
    use_id(push.body + record.ordinal, index);
    turn_.writes().insert_blob(push.body + record.ordinal, record.bytes);
    push.blobs = std::max(push.blobs, static_cast<int32_t>(record.ordinal));
}

void Batch::load(const WorkRecord& record, size_t index) {
    const Push& push = push_of(record.push, index);
    if (push.finished_unix_ms != 0 || !is_new(record.id)) return;
    use_id(record.id, index);
    Item item = work_of_record<Item>(record, push);
    if (record.due_unix_ms != 0) {
        item.place = Place::Later;
        item.due_unix_ms = record.due_unix_ms;
    } else {
        turn_.release(item, &push);
        item.ready_unix_ms = record.ready_unix_ms;
        item.crashes = record.crashes;
    }
    turn_.insert(item, record.content);
}

void Batch::load(const DeadRecord& record, size_t index) {
    const Push& push = push_of(record.push, index);
    if (!is_new(record.id)) return;
    use_id(record.id, index);
    Letter letter;
    letter.work = work_of_record<Item>(record, push);
    letter.app = push.app;
    letter.entries = record.entries;
    letter.buried_unix_ms = record.buried_unix_ms;
    letter.replayed_unix_ms = record.replayed_unix_ms;
    letter.note = record.note;
    turn_.writes().save(nullptr, &letter);
    turn_.writes().set_content(record.id, record.content);
}

void Batch::load(const BundleRecord& record, size_t index) {
    if (!is_new(record.id)) return;
    use_id(record.id, index);
    const auto number_of = [&](std::string_view app) { return apps_.at(app); };
    const Bundle& bundle = turn_.add(bundle_of_record<Bundle>(record, number_of));
    for (size_t i = 0; i < bundle.results.size(); ++i) {
        const MemberResult& result = bundle.results[i];
        if (result.moved_to == 0)
            file_uid(result.app, record.members[i].result.uid, bundle.id, static_cast<int32_t>(i));
        Push* moved = result.moved_to > 0 && bundle.finished_unix_ms == 0 ? turn_.find(result.moved_to) : nullptr;
        if (moved != nullptr && moved->finished_unix_ms == 0) moved->bundle = bundle.id;
    }
    if (bundle.finished_unix_ms != 0) return;
    Item item = bundle_item_of_record<Item>(record);
    turn_.release(item, nullptr);
    item.ready_unix_ms = record.ready_unix_ms;
    turn_.insert(item, content_of(record, number_of).take_content());
}

// A younger push has the uid of an older one whose time is over.
void Batch::file_uids() {
    if (uids_.empty()) return;
    std::vector<std::string> fields;
    for (const auto& [key, ref] : uids_) fields.push_back(uid_field(key.first, key.second));
    send_uids(turn_.connection(), core_.keys, fields);
    const std::vector<redis::Reply> replies = turn_.connection().trip(turn_.deadline());
    size_t at = 0;
    for (const auto& [key, ref] : uids_) {
        const Ref was = unpack_ref(replies[0][at++].text());
        if (was.ref < ref.first) turn_.writes().set_uid(key.first, key.second, was, {ref.first, ref.second});
    }
}

// New numbers begin above all that came, also those of a server that forgets its latest ones.
void Batch::raise_numbers() {
    const std::string key = core_.keys.of("number");
    const redis::Reply now = turn_.connection().run({"HMGET", key, "id", "id_ahead"}, turn_.deadline());
    const int64_t ahead = highest_ - turn_.now() * kIdsPerMs;
    Changes& changes = turn_.writes().changes();
    if (highest_ > now[0].number()) changes.write("HSET", key, {"id", std::to_string(highest_)});
    if (ahead > now[1].number())
        changes.write("HSET", key, {"id_ahead", std::to_string(ahead + kIdsMarginMs * kIdsPerMs)});
}

}  // namespace

void Moving::load(Rows<belfry_str> rows) {
    std::vector<Record> records;
    for (size_t i = 0; i < rows.size(); ++i) records.push_back(decode_record(view(rows[i]), i));
    if (records.empty()) return;
    const redis::Deadline deadline = call_deadline();
    core_.pool.with(deadline, [&](redis::Connection& connection) { Batch(core_, connection, deadline).run(records); });
    core_.bell.ring();
}

}  // namespace belfry::queue_redis
