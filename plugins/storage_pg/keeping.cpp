// SPDX-License-Identifier: Apache-2.0
// Cluster state, clean-up of inactive devices, dump and load, purge of an app.
#include <algorithm>
#include <charconv>
#include <utility>

#include "storage/checks.h"
#include "storage/dump_page.h"
#include "storage/limits.h"
#include "storage/paging.h"
#include "storage_pg/outgoing.h"
#include "storage_pg/store.h"
#include "storage_pg/tables.h"
#include "storage_pg/text.h"

namespace belfry::storage_pg {

using pg::Params;

namespace {

constexpr const char* kKvGet = "SELECT value, version FROM kv WHERE key = $1";
constexpr const char* kKvInsert =
    "INSERT INTO kv (key, version, value) SELECT $1, 1, $2 WHERE $3 = 0 ON CONFLICT DO NOTHING";
constexpr const char* kKvUpdate = "UPDATE kv SET version = version + 1, value = $2 WHERE key = $1 AND version = $3";
constexpr const char* kKvDelete = "DELETE FROM kv WHERE key = $1 AND version = $2";
constexpr const char* kKvLoad =
    "INSERT INTO kv (key, version, value) VALUES ($1, $2, $3) "
    "ON CONFLICT (key) DO UPDATE SET version = excluded.version, value = excluded.value";
constexpr const char* kSequence = "SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM device_block";
constexpr const char* kKvAfter = "SELECT id, key, version, value FROM kv WHERE id > $1 ORDER BY id LIMIT $2";

// Rows that one step of the clean-up looks at.
constexpr int64_t kLookedAt = 10000;
constexpr const char* kInactive =
    "SELECT key, greatest(registered, updated) FROM device WHERE app = $1 AND key > $2 ORDER BY key LIMIT $3";

const std::string kDevicesAfter =
    std::string("SELECT ") + kFull + " FROM device d WHERE d.app = $1 AND d.key > $2 ORDER BY d.key LIMIT $3";
constexpr const char* kBindingsAfter =
    "SELECT u.id, u.name, t.name FROM (SELECT id, name FROM bound_user u WHERE app = $1 AND "
    "coalesce(name > (SELECT name FROM bound_user WHERE id = $2), true) AND EXISTS (SELECT 1 FROM user_topic b WHERE "
    "b.usr = "
    "u.id) ORDER BY name LIMIT $3) u JOIN user_topic b ON b.usr = u.id JOIN topic t ON t.id = b.topic "
    "ORDER BY u.name, t.name";

constexpr const char* kPurgeUsers =
    "WITH u AS (SELECT id FROM bound_user WHERE app = $1 LIMIT $2), "
    "t AS (DELETE FROM user_topic WHERE usr IN (SELECT id FROM u)) DELETE FROM bound_user WHERE id IN (SELECT id FROM "
    "u)";
// Topics that are in use again stay; the generation tells everybody that the others' numbers are gone.
constexpr const char* kPurgeLock = "SELECT pg_advisory_xact_lock($1, 64)";
constexpr const char* kPurgeTopics =
    "DELETE FROM topic WHERE id IN (SELECT id FROM topic t WHERE app = $1 AND NOT EXISTS (SELECT 1 FROM subscription s "
    "WHERE s.topic = t.id) AND NOT EXISTS (SELECT 1 FROM bound_user u JOIN user_topic b ON b.usr = u.id WHERE "
    "u.app = $1 AND b.topic = t.id) LIMIT $2)";
constexpr const char* kNextGeneration = "UPDATE app SET generation = generation + 1 WHERE id = $1";

Device device_of(const storage::DeviceRecord& record, const Names::Topics& topics) {
    Device device;
    device.key = record.key;
    device.created = record.created;
    device.updated = record.updated;
    device.registered = record.registered;
    device.variant = record.variant;
    device.provider = record.provider;
    device.token = record.token;
    device.data = record.data;
    device.user = record.user;
    device.platform = record.platform;
    device.timezone = record.timezone;
    device.locale = record.locale;
    device.meta = record.meta;
    std::copy(record.token_hash.begin(), record.token_hash.end(), device.token_hash.begin());
    std::copy(record.identity_hash.begin(), record.identity_hash.end(), device.identity.begin());
    for (const auto& [name, origins] : record.topics) storage::add_origin(device.topics, topics.at(name), origins);
    return device;
}

Hash identity_of(const storage::DeviceRecord& record) {
    Hash hash;
    std::copy(record.identity_hash.begin(), record.identity_hash.end(), hash.begin());
    return hash;
}

[[noreturn]] void refuse_record(size_t index, const char* why) {
    throw Refused(BELFRY_BAD_REQUEST, "records[" + std::to_string(index) + "]", why);
}

// Views of the row, and of the hashes.
storage::DeviceRecord record_of(const Row& row, const Hash& token_hash, const Hash& identity, const TopicNames& names) {
    const auto bytes = [](const Hash& hash) {
        return std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size());
    };
    storage::DeviceRecord record;
    record.key = row.key();
    record.created = row.created();
    record.updated = row.updated();
    record.registered = row.registered();
    record.variant = row.variant();
    record.provider = row.provider();
    record.token = row.token();
    record.data = row.data();
    record.user = row.user();
    record.platform = row.platform();
    record.timezone = row.timezone();
    record.locale = row.locale();
    record.meta = row.meta();
    record.token_hash = bytes(token_hash);
    record.identity_hash = bytes(identity);
    for (const auto& [name, origins] : named_topics(row.topics(), names)) record.topics.emplace_back(name, origins);
    return record;
}

constexpr char kDumpDevices = 'd';
constexpr char kDumpBindings = 'b';
constexpr char kDumpStates = 'k';

// Where a dump goes on: behind a device's key, a bound user's number or a state's number.
struct DumpPlace {
    char part = kDumpDevices;
    int64_t after = 0;

    std::string text() const {
        char number[20];
        const auto end = std::to_chars(number, number + sizeof number, static_cast<uint64_t>(after), 16).ptr;
        return part + std::string(number, end);
    }
};

DumpPlace place_of(std::string_view cursor, char first) {
    // Keys begin with 0, numbers with 1.
    DumpPlace place{first, first == kDumpDevices ? -1 : 0};
    if (cursor.empty()) return place;
    place.part = cursor.front();
    const bool known = place.part == first || (first == kDumpDevices && place.part == kDumpBindings);
    const auto read = std::from_chars(cursor.data() + 1, cursor.data() + cursor.size(), place.after, 16);
    if (!known || read.ec != std::errc{} || read.ptr != cursor.data() + cursor.size()) storage::refuse_cursor();
    return place;
}

// One bad text would make the server refuse all records of its transaction.
bool are_texts(const storage::DeviceRecord& device) {
    for (const std::string_view text :
         {device.provider, device.user, device.platform, device.timezone, device.locale, device.meta}) {
        if (!is_text(text)) return false;
    }
    return std::all_of(device.topics.begin(), device.topics.end(),
                       [](const auto& topic) { return is_text(topic.first); });
}
bool are_texts(const storage::BindingRecord& binding) {
    return is_text(binding.user) && std::all_of(binding.topics.begin(), binding.topics.end(), is_text);
}

// Whether a row of kKvGet is what this change leaves.
bool is_stored(const pg::Result& rows, const belfry_kv& kv) {
    if (kv.value.p == nullptr) return rows.rows() == 0;
    return rows.rows() == 1 && rows.bytes(0, 0) == view(kv.value) && rows.number(0, 1) == kv.version + 1;
}

}  // namespace

void Store::kv_get(std::string_view key, const Emit<belfry_kv>& emit) {
    const pg::Deadline deadline = until();
    const pg::Result rows = reads_->primary().with(
        deadline, [&](pg::Connection& connection) { return connection.run(kKvGet, Params().text(key), deadline); });
    if (rows.rows() == 0) return;
    belfry_kv kv = sized<belfry_kv>();
    kv.key = str(key);
    kv.value = str(rows.bytes(0, 0));
    kv.version = rows.number(0, 1);
    emit(kv);
}

void Store::kv_cas(const belfry_kv& kv) {
    const std::string_view key = view(kv.key);
    if (key.empty() || key.size() > storage::kKvKeyBytesMax)
        throw Refused(BELFRY_BAD_REQUEST, "key", "a key has 1 to 512 bytes");
    if (kv.value.n > storage::kKvValueBytesMax) throw Refused(BELFRY_TOO_LARGE, "value", "a value has at most 1 MiB");
    const pg::Deadline deadline = until();
    bool is_again = false;
    const int64_t touched = writes_->with(deadline, [&](pg::Connection& connection) {
        const bool again = std::exchange(is_again, true);
        int64_t done = 0;
        if (kv.value.p == nullptr) {
            done = connection.run(kKvDelete, Params().text(key).number(kv.version), deadline).touched();
        } else {
            const Params params = Params().text(key).bytes(view(kv.value)).number(kv.version);
            done = connection.run(kv.version == 0 ? kKvInsert : kKvUpdate, params, deadline).touched();
        }
        if (done > 0 || !again) return done;
        // The first try may have been done though nobody heard of it.
        return is_stored(connection.run(kKvGet, Params().text(key), deadline), kv) ? int64_t{1} : int64_t{0};
    });
    if (touched == 0 && !(kv.value.p == nullptr && kv.version == 0))
        throw Refused(BELFRY_CONFLICT, "version", "the stored version is another one; read it again");
}

bool Store::expire(App app, int64_t before, uint32_t limit, uint32_t& removed) {
    removed = 0;
    int64_t after = -1;
    {
        const std::lock_guard hold(mutex_);
        if (const auto at = expired_to_.find(app); at != expired_to_.end()) after = at->second;
    }
    const pg::Deadline deadline = until();
    std::vector<int64_t> keys;
    bool more = false;
    reads_->primary().with(deadline, [&](pg::Connection& connection) {
        keys.clear();
        const auto number = names_.find_app(connection, app, deadline);
        if (!number) return;
        const pg::Result rows =
            connection.run(kInactive, Params().number4(number->number).number(after).number(kLookedAt), deadline);
        const uint32_t most = std::clamp(limit, 1U, storage::kRowsPerTransaction);
        int row = 0;
        for (; row < rows.rows() && keys.size() < most; ++row) {
            if (rows.number(row, 1) < before) keys.push_back(rows.number(row, 0));
            after = rows.number(row, 0);
        }
        more = row < rows.rows() || rows.rows() == kLookedAt;
    });
    if (!keys.empty()) {
        edit(
            app, Again::SaysOtherwise, [&](pg::Connection&, const Names::App&, Scope& scope) { scope.keys = keys; },
            [&](Edit& edit) {
                removed = 0;
                for (const int64_t key : keys) {
                    // It may have been seen since.
                    const Device* device = edit.find(key);
                    if (device == nullptr || std::max(device->registered, device->updated) >= before) continue;
                    edit.erase(key);
                    ++removed;
                }
            });
    }
    const std::lock_guard hold(mutex_);
    if (more) {
        expired_to_.insert_or_assign(std::string(app), after);
    } else {
        expired_to_.erase(std::string(app));
    }
    return more;
}

void Store::dump(App app, const belfry_paging& paging, const Emit<belfry_str>& emit, belfry_page_end& end) {
    storage::start_page(paging, &end);
    end.total = -1;
    const uint32_t limit = std::min(paging.limit, storage::kRowsPerSnapshot);
    storage::DumpPage page(limit, emit.raw(), emit.ctx());
    DumpPlace place = place_of(view(paging.cursor), app.empty() ? kDumpStates : kDumpDevices);
    bool more = false;
    if (place.part == kDumpDevices) {
        more = dump_devices(app, limit, place.after, page);
        if (!more) place = {kDumpBindings, 0};
    }
    if (place.part == kDumpBindings) more = dump_bindings(app, limit, place.after, page);
    if (place.part == kDumpStates) more = dump_states(limit, place.after, page);
    page.flush();
    if (more) storage::put_cursor(place.text(), &end);
}

pg::Result Store::rows_after(App app, std::string_view sql, int64_t after, int64_t most) {
    const pg::Deadline deadline = until();
    return reads_->primary().with(deadline, [&](pg::Connection& connection) {
        Params params;
        if (!app.empty()) {
            const auto number = names_.find_app(connection, app, deadline);
            if (!number) return pg::Result();
            params.number4(number->number);
        }
        return connection.run(sql, params.number(after).number(most), deadline);
    });
}

// Each of these adds what comes after `after` until the page is full, and moves `after` along. True: there is more.
bool Store::dump_devices(App app, uint32_t limit, int64_t& after, storage::DumpPage& page) {
    const pg::Result rows = rows_after(app, kDevicesAfter, after, int64_t{limit} + 1);
    const TopicNames names = names_in(rows, 0, until());
    for (int i = 0; i < rows.rows(); ++i) {
        if (page.is_full()) return true;
        const Row row(rows, i);
        const Hash token_hash = row.token_hash();
        const Hash identity = row.identity();
        page.add(record_of(row, token_hash, identity, names));
        after = row.key();
    }
    return false;
}

bool Store::dump_bindings(App app, uint32_t limit, int64_t& after, storage::DumpPage& page) {
    const pg::Result rows = rows_after(app, kBindingsAfter, after, int64_t{limit} + 1);
    for (int row = 0; row < rows.rows();) {
        if (page.is_full()) return true;
        storage::BindingRecord binding{rows.bytes(row, 1), {}};
        after = rows.number(row, 0);
        for (; row < rows.rows() && rows.number(row, 0) == after; ++row) binding.topics.push_back(rows.bytes(row, 2));
        page.add(binding);
    }
    return false;
}

bool Store::dump_states(uint32_t limit, int64_t& after, storage::DumpPage& page) {
    const pg::Result rows = rows_after({}, kKvAfter, after, int64_t{limit} + 1);
    for (int row = 0; row < rows.rows(); ++row) {
        if (page.is_full()) return true;
        after = rows.number(row, 0);
        page.add(storage::StateRecord{rows.bytes(row, 1), rows.bytes(row, 3), rows.number(row, 2)});
    }
    if (page.is_full()) return true;
    const pg::Deadline deadline = until();
    const pg::Result block = reads_->primary().with(
        deadline, [&](pg::Connection& connection) { return connection.run(kSequence, {}, deadline); });
    page.add(storage::SequenceRecord{block.number(0, 0) * kSequenceBlock});
    return false;
}

void Store::load(App app, Rows<belfry_str> records) {
    for (size_t at = 0; at < records.size(); at += storage::kRowsPerTransaction) {
        std::vector<storage::DeviceRecord> devices;
        std::vector<storage::BindingRecord> bindings;
        std::vector<storage::StateRecord> states;
        int64_t sequence = 0;
        for (size_t i = at; i < std::min(records.size(), at + storage::kRowsPerTransaction); ++i) {
            storage::Record record = storage::decode_record(view(records[i]));
            if (auto* device = std::get_if<storage::DeviceRecord>(&record)) {
                if (app.empty() || !storage::fits(*device) || !are_texts(*device))
                    refuse_record(i, "a device that this storage does not take");
                devices.push_back(std::move(*device));
            } else if (auto* binding = std::get_if<storage::BindingRecord>(&record)) {
                if (!are_texts(*binding)) refuse_record(i, "a binding that this storage does not take");
                bindings.push_back(std::move(*binding));
            } else if (auto* state = std::get_if<storage::StateRecord>(&record)) {
                if (!is_text(state->key)) refuse_record(i, "a state that this storage does not take");
                states.push_back(*state);
            } else if (auto* next = std::get_if<storage::SequenceRecord>(&record); next != nullptr && app.empty()) {
                sequence = std::max(sequence, next->next);
            } else {
                refuse_record(i, "not a record of a dump");
            }
        }
        if (!devices.empty() || !bindings.empty()) load_app(app, devices, bindings);
        if (!states.empty()) load_states(states);
        if (sequence > 0) load_sequence(sequence);
    }
}

// As it was dumped, whatever was there under its key or its identity.
void Store::load_app(App app, const std::vector<storage::DeviceRecord>& devices,
                     const std::vector<storage::BindingRecord>& bindings) {
    Names::Topics topics;
    const auto prepare = [&](pg::Connection& connection, const Names::App& number, Scope& scope) {
        std::vector<std::string_view> names;
        for (const storage::DeviceRecord& device : devices) {
            scope.keys.push_back(device.key);
            scope.identities.push_back(identity_of(device));
            for (const auto& [name, origins] : device.topics) names.push_back(name);
        }
        for (const storage::BindingRecord& binding : bindings) {
            scope.bound_of.insert(binding.user);
            names.insert(names.end(), binding.topics.begin(), binding.topics.end());
        }
        scope.changes_bound = true;
        topics = names_.topic_numbers(connection, number, names, Names::Unknown::Number, until());
    };
    edit(app, Again::SaysTheSame, prepare, [&](Edit& edit) {
        for (const storage::DeviceRecord& record : devices) {
            const auto holder = edit.holder_of(identity_of(record));
            if (holder && *holder != record.key) edit.erase(*holder);
            edit.put(device_of(record, topics));
        }
        for (const storage::BindingRecord& binding : bindings) {
            std::vector<int64_t> numbers;
            for (const std::string_view name : binding.topics) numbers.push_back(topics.at(name));
            std::sort(numbers.begin(), numbers.end());
            numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
            edit.bind(binding.user, numbers);
        }
    });
}

void Store::load_states(const std::vector<storage::StateRecord>& states) {
    const pg::Deadline deadline = until();
    writes_->with(deadline, [&](pg::Connection& connection) {
        for (const storage::StateRecord& state : states)
            connection.send(kKvLoad, Params().text(state.key).number(state.version).bytes(state.value));
        connection.trip(deadline);
    });
}

void Store::load_sequence(int64_t next) {
    const pg::Deadline deadline = until();
    writes_->with(deadline, [&](pg::Connection& connection) { sequence_.begin_at(connection, next, deadline); });
}

bool Store::purge_app(App app, uint32_t limit) {
    const pg::Deadline deadline = until();
    const uint32_t step = std::clamp(limit, 1U, storage::kRowsPerTransaction);
    std::vector<int64_t> keys;
    std::optional<Names::App> number;
    reads_->primary().with(deadline, [&](pg::Connection& connection) {
        keys.clear();
        number = names_.find_app(connection, app, deadline);
        if (!number) return;
        const pg::Result rows =
            connection.run(kInactive, Params().number4(number->number).number(-1).number(step), deadline);
        for (int row = 0; row < rows.rows(); ++row) keys.push_back(rows.number(row, 0));
    });
    if (!number) return false;
    if (!keys.empty()) {
        edit(
            app, Again::SaysOtherwise, [&](pg::Connection&, const Names::App&, Scope& scope) { scope.keys = keys; },
            [&](Edit& edit) {
                for (const int64_t key : keys) edit.erase(key);
            });
        return true;
    }
    const int64_t gone = writes_->with(deadline, [&](pg::Connection& connection) {
        const Params bounded = Params().number4(number->number).number(step);
        connection.send("BEGIN");
        connection.send(kPurgeLock, Params().number4(number->number));
        connection.send(kPurgeUsers, bounded);
        connection.send(kPurgeTopics, bounded);
        connection.send(kNextGeneration, Params().number4(number->number));
        connection.send("COMMIT");
        const std::vector<pg::Result> results = connection.trip(deadline);
        return results[2].touched() + results[3].touched();
    });
    names_.forget(app);
    return gone > 0;
}

}  // namespace belfry::storage_pg
