// SPDX-License-Identifier: Apache-2.0
// The tables about pushes: state and counters, packed or not, uids, bodies, names.
#include <algorithm>

#include "tables.h"

namespace belfry::queue_sqlite {

using sqlite::Blob;
using sqlite::ResetAtEnd;
using sqlite::Statement;

namespace {

#define PUSH_COLUMNS                                                                                            \
    "id, planned, undiscovered, tallies, samples, state, lane, finished, body, expires, app, weight, created, " \
    "send_at, uid, fingerprint"
#define BUNDLE_COLUMNS "id, lane, created, finished, results"

std::string packed_tallies(const Push& push) {
    Packer out;
    pack_tallies(out, push.counters.tallies);
    return out.take();
}

std::string packed_samples(const Push& push) {
    Packer out;
    pack_samples(out, push.counters.samples);
    return out.take();
}

std::vector<int64_t> integers(Statement& rows) {
    const ResetAtEnd reset(rows);
    std::vector<int64_t> found;
    while (rows.step()) found.push_back(rows.integer(0));
    return found;
}

int64_t open_members(const BundleRow& row) {
    if (row.finished_unix_ms != 0) return 0;
    return std::count_if(row.results.begin(), row.results.end(),
                         [](const MemberResult& result) { return result.moved_to == 0; });
}

}  // namespace

PushTable::PushTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO push (" PUSH_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")),
      counters_(db.prepare("UPDATE push SET planned=?2, undiscovered=?3, tallies=?4, samples=?5 WHERE id=?1")),
      state_(db.prepare("UPDATE push SET state=?2, lane=?3, finished=?4, body=?5, expires=?6 WHERE id=?1")),
      erase_(db.prepare("DELETE FROM push WHERE id=?1")),
      find_(db.prepare("SELECT " PUSH_COLUMNS " FROM push WHERE id=?1")),
      of_app_(db.prepare("SELECT " PUSH_COLUMNS " FROM push WHERE app=?1 AND id<?2 ORDER BY id DESC LIMIT ?3")),
      open_below_(db.prepare("SELECT " PUSH_COLUMNS
                             " FROM push WHERE finished=0 AND state=?1 AND id<?2 ORDER BY id DESC LIMIT ?3")),
      above_(db.prepare("SELECT " PUSH_COLUMNS " FROM push WHERE id>?1 ORDER BY id LIMIT ?2")),
      expiring_(
          db.prepare("SELECT id FROM push WHERE expires>0 AND state<4 AND expires<=?1 ORDER BY expires LIMIT ?2")),
      finished_(db.prepare("SELECT id, finished, EXISTS (SELECT 1 FROM dead WHERE dead.push=push.id) FROM push "
                           "WHERE finished>0 AND finished<=?1 AND (finished, id)>(?2, ?3) ORDER BY finished, id "
                           "LIMIT ?4")),
      open_(db.prepare("SELECT id FROM push WHERE finished=0 AND state=?1")),
      count_open_(db.prepare("SELECT count(*) FROM push WHERE finished=0 AND state=?1")),
      uids_(db.prepare("SELECT id, app, uid FROM push WHERE id>?1 ORDER BY id")) {}

void PushTable::insert(const Push& push) {
    const PushFacts& facts = *push.facts;
    const std::string tallies = packed_tallies(push);
    const std::string samples = packed_samples(push);
    insert_
        .with(facts.id, push.counters.planned, push.undiscovered, Blob(tallies), Blob(samples), push.state, push.lane,
              push.finished_unix_ms, push.body, facts.expires_unix_ms, facts.app, facts.weight, facts.created_unix_ms,
              facts.send_at_unix_ms, Blob(facts.uid), Blob(facts.fingerprint.data(), facts.fingerprint.size()))
        .run();
}

void PushTable::update_counters(const Push& push) {
    const std::string tallies = packed_tallies(push);
    const std::string samples = packed_samples(push);
    counters_.with(push.facts->id, push.counters.planned, push.undiscovered, Blob(tallies), Blob(samples)).run();
}

void PushTable::update_state(const Push& push) {
    state_.with(push.facts->id, push.state, push.lane, push.finished_unix_ms, push.body, push.facts->expires_unix_ms)
        .run();
}

void PushTable::erase(int64_t id) {
    erase_.with(id).run();
}

Push PushTable::read(const Statement& row) {
    Push push;
    push.counters.planned = row.integer(1);
    push.undiscovered = static_cast<uint32_t>(row.integer(2));
    Unpacker tallies(row.blob(3));
    push.counters.tallies = unpack_tallies(tallies);
    Unpacker samples(row.blob(4));
    push.counters.samples = unpack_samples(samples);
    push.state = static_cast<int32_t>(row.integer(5));
    push.lane = static_cast<int32_t>(row.integer(6));
    push.finished_unix_ms = row.integer(7);
    push.body = row.integer(8);
    auto facts = std::make_shared<PushFacts>();
    facts->id = row.integer(0);
    facts->body = push.body;
    facts->expires_unix_ms = row.integer(9);
    facts->app = static_cast<uint32_t>(row.integer(10));
    facts->weight = static_cast<uint32_t>(row.integer(11));
    facts->created_unix_ms = row.integer(12);
    facts->send_at_unix_ms = row.integer(13);
    facts->uid = row.blob(14);
    facts->fingerprint = fingerprint_of(row.blob(15));
    push.facts = std::move(facts);
    return push;
}

std::optional<Push> PushTable::find(int64_t id) {
    const ResetAtEnd reset(find_);
    if (!find_.with(id).step()) return std::nullopt;
    return read(find_);
}

std::vector<Push> PushTable::of_app(uint32_t app, int64_t below, size_t limit) {
    const ResetAtEnd reset(of_app_);
    of_app_.with(app, below, limit);
    std::vector<Push> found;
    while (of_app_.step()) found.push_back(read(of_app_));
    return found;
}

// Those of an open state are few among all of an app, and have an index.
PushTable::Look PushTable::in_state(uint32_t app, int32_t state, int64_t below, size_t limit) {
    Statement& rows = state <= BELFRY_PUSH_PAUSED ? open_below_.with(state, below, kRowsPerLook)
                                                  : of_app_.with(app, below, kRowsPerLook);
    const ResetAtEnd reset(rows);
    Look look;
    for (size_t seen = 1; rows.step(); ++seen) {
        if (rows.integer(5) == state && rows.integer(10) == app) look.found.push_back(read(rows));
        if (seen < kRowsPerLook && look.found.size() < limit) continue;
        look.looked_to = rows.integer(0);
        break;
    }
    return look;
}

std::vector<Push> PushTable::above(int64_t id, size_t limit) {
    const ResetAtEnd reset(above_);
    std::vector<Push> found;
    above_.with(id, limit);
    while (above_.step()) found.push_back(read(above_));
    return found;
}

std::vector<int64_t> PushTable::expiring(int64_t now, size_t limit) {
    return integers(expiring_.with(now, limit));
}
std::vector<PushTable::Finished> PushTable::finished_before(int64_t t, const Finished& after, size_t limit) {
    const ResetAtEnd reset(finished_);
    finished_.with(t, after.unix_ms, after.id, limit);
    std::vector<Finished> found;
    while (finished_.step()) found.push_back({finished_.integer(1), finished_.integer(0), finished_.integer(2) != 0});
    return found;
}
std::vector<int64_t> PushTable::open_in_state(int32_t state) {
    return integers(open_.with(state));
}

int64_t PushTable::count_open(int32_t state) {
    const ResetAtEnd reset(count_open_);
    count_open_.with(state).step();
    return count_open_.integer(0);
}

void PushTable::each_uid_above(int64_t id,
                               const std::function<void(int64_t id, uint32_t app, std::string_view uid)>& fn) {
    const ResetAtEnd reset(uids_);
    uids_.with(id);
    while (uids_.step()) fn(uids_.integer(0), static_cast<uint32_t>(uids_.integer(1)), uids_.blob(2));
}

BundleTable::BundleTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO bundle (id, lane, created, finished, open, results) VALUES (?,?,?,?,?,?)")),
      update_(db.prepare("UPDATE bundle SET finished=?2, open=?3, results=?4 WHERE id=?1")),
      erase_(db.prepare("DELETE FROM bundle WHERE id=?1")),
      find_(db.prepare("SELECT " BUNDLE_COLUMNS " FROM bundle WHERE id=?1")),
      below_(db.prepare("SELECT " BUNDLE_COLUMNS " FROM bundle WHERE id<?1 ORDER BY id DESC LIMIT ?2")),
      above_(db.prepare("SELECT " BUNDLE_COLUMNS " FROM bundle WHERE id>?1 ORDER BY id LIMIT ?2")),
      finished_(db.prepare("SELECT id FROM bundle WHERE finished>0 AND finished<=?1 ORDER BY finished LIMIT ?2")),
      open_(db.prepare("SELECT sum(b.open) FROM item i JOIN bundle b ON b.id=i.id WHERE i.kind=3")) {}

void BundleTable::insert(const BundleRow& row) {
    const std::string results = pack_results(row.results);
    insert_.with(row.id, row.lane, row.created_unix_ms, row.finished_unix_ms, open_members(row), Blob(results)).run();
}

void BundleTable::update(const BundleRow& row) {
    const std::string results = pack_results(row.results);
    update_.with(row.id, row.finished_unix_ms, open_members(row), Blob(results)).run();
}

void BundleTable::erase(int64_t id) {
    erase_.with(id).run();
}

BundleRow BundleTable::read(const Statement& row) {
    BundleRow bundle;
    bundle.id = row.integer(0);
    bundle.lane = static_cast<int32_t>(row.integer(1));
    bundle.created_unix_ms = row.integer(2);
    bundle.finished_unix_ms = row.integer(3);
    bundle.results = unpack_results(row.blob(4));
    return bundle;
}

std::optional<BundleRow> BundleTable::find(int64_t id) {
    const ResetAtEnd reset(find_);
    if (!find_.with(id).step()) return std::nullopt;
    return read(find_);
}

std::vector<BundleRow> BundleTable::read_all(sqlite::Statement& rows) {
    const ResetAtEnd reset(rows);
    std::vector<BundleRow> found;
    while (rows.step()) found.push_back(read(rows));
    return found;
}

std::vector<BundleRow> BundleTable::below(int64_t id, size_t limit) {
    return read_all(below_.with(id, limit));
}
std::vector<BundleRow> BundleTable::above(int64_t id, size_t limit) {
    return read_all(above_.with(id, limit));
}

std::vector<int64_t> BundleTable::finished_before(int64_t t, size_t n) {
    return integers(finished_.with(t, n));
}

int64_t BundleTable::count_open_members() {
    const ResetAtEnd reset(open_);
    open_.with().step();
    return open_.integer(0);
}

UidTable::UidTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO uid (hash, ref, member) VALUES (?,?,?) ON CONFLICT DO NOTHING")),
      erase_(db.prepare("DELETE FROM uid WHERE hash=?1 AND ref=?2 AND member=?3")),
      find_(db.prepare("SELECT ref, member FROM uid WHERE hash=?1")) {}

void UidTable::insert(const UidEntry& entry) {
    insert_.with(entry.hash, entry.ref.ref, entry.ref.member).run();
}

void UidTable::erase(const UidEntry& entry) {
    erase_.with(entry.hash, entry.ref.ref, entry.ref.member).run();
}

void UidTable::find(int64_t hash, std::vector<UidRef>& found) {
    const ResetAtEnd reset(find_);
    find_.with(hash);
    while (find_.step()) found.push_back({find_.integer(0), static_cast<int32_t>(find_.integer(1))});
}

BlobTable::BlobTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO blob (id, bytes) VALUES (?,?)")),
      find_(db.prepare("SELECT bytes FROM blob WHERE id=?1")),
      erase_(db.prepare("DELETE FROM blob WHERE id=?1")),
      erase_unused_(db.prepare("DELETE FROM blob WHERE id=?1 "
                               "AND NOT EXISTS (SELECT 1 FROM item WHERE blob=?1 AND blob>0) "
                               "AND NOT EXISTS (SELECT 1 FROM later WHERE blob=?1 AND blob>0) "
                               "AND NOT EXISTS (SELECT 1 FROM dead WHERE blob=?1 AND blob>0)")),
      above_(db.prepare("SELECT id FROM blob WHERE id>?1 ORDER BY id LIMIT ?2")),
      push_of_(db.prepare("SELECT push FROM item WHERE blob=?1 AND blob>0 "
                          "UNION ALL SELECT push FROM later WHERE blob=?1 AND blob>0 "
                          "UNION ALL SELECT push FROM dead WHERE blob=?1 AND blob>0 LIMIT 1")) {}

void BlobTable::insert(int64_t id, std::string_view bytes) {
    insert_.with(id, Blob(bytes)).run();
}

std::optional<std::string> BlobTable::find(int64_t id) {
    const ResetAtEnd reset(find_);
    if (!find_.with(id).step()) return std::nullopt;
    return std::string(find_.blob(0));
}

void BlobTable::erase(int64_t id) {
    erase_.with(id).run();
}
void BlobTable::erase_if_unused(int64_t id) {
    erase_unused_.with(id).run();
}

std::vector<int64_t> BlobTable::above(int64_t id, size_t limit) {
    return integers(above_.with(id, limit));
}

int64_t BlobTable::push_of(int64_t id) {
    const ResetAtEnd reset(push_of_);
    return push_of_.with(id).step() ? push_of_.integer(0) : 0;
}

AppTable::AppTable(sqlite::Database& db)
    : insert_(db.prepare("INSERT INTO app (id, name) VALUES (?,?)")),
      all_(db.prepare("SELECT name FROM app ORDER BY id")) {}

void AppTable::insert(uint32_t id, std::string_view name) {
    insert_.with(id, name).run();
}

std::vector<std::string> AppTable::all() {
    const ResetAtEnd reset(all_);
    std::vector<std::string> names;
    all_.with();
    while (all_.step()) names.emplace_back(all_.text(0));
    return names;
}

CounterTable::CounterTable(sqlite::Database& db)
    : get_(db.prepare("SELECT value FROM counter WHERE name=?1")),
      set_(db.prepare("INSERT INTO counter (name, value) VALUES (?1,?2) ON CONFLICT DO UPDATE SET value=?2")) {}

int64_t CounterTable::get(std::string_view name) {
    const ResetAtEnd reset(get_);
    return get_.with(name).step() ? get_.integer(0) : 0;
}

void CounterTable::set(std::string_view name, int64_t value) {
    set_.with(name, value).run();
}

Tables::Tables(sqlite::Database& db)
    : items(db), laters(db), dead(db), pushes(db), bundles(db), uids(db), blobs(db), apps(db), counters(db) {}

}  // namespace belfry::queue_sqlite
