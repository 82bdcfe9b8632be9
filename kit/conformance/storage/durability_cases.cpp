// SPDX-License-Identifier: Apache-2.0
// What survives: kill -9, restarts, backups, a full disk.
#include <belfry/abi.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <set>
#include <thread>

#include "conformance/runner/elsewhere.h"
#include "conformance/storage/cases.h"
#include "conformance/storage/world.h"

namespace belfry::conformance {

namespace {

// Devices, subscriptions and every way to a device must tell the same story.
void require_consistent(World& world) {
    const std::vector<Row> rows = world.list();
    std::map<std::string, std::vector<int64_t>> members;
    std::set<std::string> tokens;
    for (const Row& row : rows) {
        require(tokens.insert(row.provider + "/" + row.token).second, "no token on two devices");
        for (const auto& topic : row.topics) members[topic].push_back(row.key);
        const auto found = world.fetch_identities({identity_hash(row.provider, row.token)});
        require(found.size() == 1 && found[0].key == row.key, "a device is found by its token");
    }
    for (const auto& [topic, keys] : members) {
        const std::vector<Row> scanned = world.scan_all(topic);
        require(keys_of(scanned) == keys, "members of " + topic + " are the devices that have it");
        for (const Row& row : scanned) require_equal(row.token, world.at(row.key).token, "token in a topic");
    }
}

Phone numbered(int64_t i, uint64_t round) {
    Phone phone;
    phone.token = "t" + std::to_string(i);
    phone.prefix = static_cast<uint32_t>(i % 256);
    phone.user = "u" + std::to_string(i % 50);
    phone.topics = {"all", "topic" + std::to_string(i % 5), "round" + std::to_string(round % 3)};
    return phone;
}

void survives_kills(Context& context) {
    std::set<std::string> answered;
    int killed = 0;
    for (uint64_t round = 0; round < 12; ++round) {
        const uint64_t seed = context.random();
        const size_t kill_after = context.below(60) + 5;
        std::vector<int64_t> reported;
        const bool was_killed = run_and_kill(
            [&](const std::function<void(int64_t)>& report) {
                World world(context);
                std::mt19937_64 random(seed);
                for (int batch = 0; batch < 400; ++batch) {
                    std::vector<Phone> phones;
                    std::vector<int64_t> numbers;
                    for (int i = 0; i < 20; ++i) {
                        numbers.push_back(static_cast<int64_t>(random() % 2000));
                        phones.push_back(numbers.back() % 10 == 0 ? numbered(numbers.back() + 5000, round)
                                                                  : numbered(numbers.back(), round));
                    }
                    world.register_all(phones);
                    for (const Phone& phone : phones) report(std::stoll(phone.token.substr(1)));
                    if (batch % 7 == 0)
                        world.bind(batch % 2 == 0 ? BELFRY_TOPICS_ADD : BELFRY_TOPICS_REMOVE, "u1", {"bound"});
                }
            },
            [&](const std::vector<int64_t>& seen) { return seen.size() >= kill_after * 20; }, &reported);
        killed += was_killed ? 1 : 0;
        for (const int64_t number : reported) answered.insert("t" + std::to_string(number));
        World world(context);
        std::set<std::string> stored;
        for (const Row& row : world.list({}, BELFRY_FIELD_TOKEN)) stored.insert(row.token);
        require(std::includes(stored.begin(), stored.end(), answered.begin(), answered.end()),
                "every answered registration is there");
        require_consistent(world);
        const auto bound = world.device_topics({.users = {"u1"}, .topics = {"bound"}}).size();
        require(bound == 0 || bound == world.list({.users = {"u1"}}).size(),
                "a binding reached all of a user's devices or none");
    }
    require(killed >= 10, "kills fell into the work: " + std::to_string(killed));
}

void survives_a_restart(Context& context) {
    std::vector<int64_t> keys;
    {
        World world(context);
        std::vector<Phone> phones = some_phones(2000, "t", {"x"});
        for (auto& phone : phones) phone.timezone = "Europe/Paris";
        keys = world.register_all(phones);
        world.bind(BELFRY_TOPICS_ADD, "ann", {"bound"});
    }
    World world(context);
    require(world.scan_keys("x") == sorted(keys), "members after a restart");
    require_equal(world.scan_all("x").at(7).timezone, "Europe/Paris", "timezone after a restart");
    require_equal(world.user_topics().size(), 1U, "bound topics after a restart");
    const std::set<int64_t> before(keys.begin(), keys.end());
    for (const int64_t key : world.register_all(some_phones(100, "later"))) {
        require(!before.contains(key), "a key is not given a second time after a restart");
    }
}

// A file to restore to, and the configuration of a storage that finds it there.
struct Restored {
    std::string path, config;
};
Restored place_to_restore(Context& context) {
    if (context.config.find("storage.db") == std::string::npos)
        skip("the configuration names no file storage.db to restore to");
    return {context.directory + "/restored/storage.db", config_elsewhere(context)};
}

void backs_up(Context& context) {
    const Restored restored = place_to_restore(context);
    std::vector<Row> rows;
    {
        World world(context);
        world.need(BELFRY_STORAGE_BACKUP, "BACKUP");
        world.register_all(some_phones(20000, "t", {"x"}));
        world.bind(BELFRY_TOPICS_ADD, "ann", {"bound"});
        rows = world.list();
        belfry_why why{};
        const auto back_up = [&] {
            return world.table.backup(world.instance.get(), str(std::string_view(restored.path)), &why);
        };
        const belfry_code code = back_up();
        require(code == BELFRY_OK, "backup answered " + said(code, why));
        require(back_up() != BELFRY_OK, "an existing file is not overwritten");
        world.register_all(some_phones(100, "later"));
    }
    World copy(context, restored.config);
    const std::vector<Row> back = copy.list();
    require_equal(back.size(), rows.size(), "devices of the copy");
    for (size_t i = 0; i < rows.size(); ++i) {
        require(back[i].key == rows[i].key && back[i].token == rows[i].token && back[i].topics == rows[i].topics &&
                    back[i].registered == rows[i].registered,
                "a device of the copy");
    }
    require_equal(copy.scan_keys("x").size(), 20000U, "members in the copy");
    require_equal(copy.user_topics().size(), 1U, "bound topics of the copy");
}

void backs_up_under_writes(Context& context) {
    const Restored restored = place_to_restore(context);
    std::set<std::string> answered;
    {
        World world(context);
        world.need(BELFRY_STORAGE_BACKUP, "BACKUP");
        for (const Phone& phone : some_phones(5000, "before", {"x"})) answered.insert(phone.token);
        world.register_all(some_phones(5000, "before", {"x"}));
        std::atomic<int> batches{0};
        Background writer([&](const std::atomic<bool>& stop) {
            for (int i = 0; !stop; ++i) {
                world.bind(i % 2 == 0 ? BELFRY_TOPICS_ADD : BELFRY_TOPICS_REMOVE, "u1", {"bound"});
                world.register_all({numbered(2 * i, 0), numbered(2 * i + 1, 0)});
                ++batches;
            }
        });
        while (batches < 3) std::this_thread::yield();
        const int before = batches;
        belfry_why why{};
        const belfry_code code = world.table.backup(world.instance.get(), str(std::string_view(restored.path)), &why);
        require(code == BELFRY_OK, "backup answered " + said(code, why));
        writer.finish();
        for (int64_t i = 0; i < 2 * before; ++i) answered.insert(numbered(i, 0).token);
    }
    World copy(context, restored.config);
    std::set<std::string> stored;
    for (const Row& row : copy.list({}, BELFRY_FIELD_TOKEN)) stored.insert(row.token);
    require(std::includes(stored.begin(), stored.end(), answered.begin(), answered.end()),
            "everything answered before the backup is in it");
    require_consistent(copy);
    const auto bound = copy.device_topics({.users = {"u1"}, .topics = {"bound"}}).size();
    require(bound == 0 || bound == copy.list({.users = {"u1"}}).size(), "a binding is in it for all devices or none");
    copy.register_all(some_phones(100, "after"));
}

using Records = std::vector<std::string>;

Records dumped(World& world, std::string_view app, uint32_t limit) {
    Records records;
    belfry_paging paging = sized<belfry_paging>();
    paging.limit = limit;
    std::string cursor;
    for (bool more = true; more;) {
        paging.cursor = str(std::string_view(cursor));
        belfry_page_end end = sized<belfry_page_end>();
        belfry_why why{};
        size_t rows = 0;
        const belfry_code code = collect<belfry_str>(
            [&](belfry_emit emit, void* ctx) {
                return world.table.dump(world.instance.get(), str(app), &paging, emit, ctx, &end, &why);
            },
            [&](const belfry_str& record) {
                records.push_back(text(record));
                ++rows;
            });
        require(code == BELFRY_OK, "dump answered " + said(code, why));
        require(rows <= limit, "no more records than the limit");
        more = end.more != 0;
        require(!more || end.cursor != cursor, "the cursor of a dump moves");
        cursor = static_cast<const char*>(end.cursor);
    }
    return records;
}

belfry_code load(World& world, std::string_view app, const Records& records, belfry_why* why) {
    const Strings rows(records);
    return world.table.load(world.instance.get(), str(app), rows.list(), why);
}

void set_state(World& world, const std::string& key, int64_t version) {
    belfry_kv kv = sized<belfry_kv>();
    kv.key = str(std::string_view(key));
    kv.value = str(std::string_view(key));
    kv.version = version;
    belfry_why why{};
    require_equal(world.table.kv_cas(world.instance.get(), &kv, &why), BELFRY_OK, "code of kv_cas");
}

int64_t sequence_of(int64_t key) {
    return key & ((int64_t{1} << BELFRY_KEY_SEQUENCE_BITS) - 1);
}

// Answers the sequences of all keys, also of those whose devices are removed again; the highest is one of them.
std::set<int64_t> fill_for_a_dump(World& world) {
    for (int i = 0; i < 20; ++i) set_state(world, "key" + std::to_string(i), 0);
    set_state(world, "key7", 1);
    world.bind(BELFRY_TOPICS_ADD, "u3", {"bound", "topic3"});
    world.bind(BELFRY_TOPICS_ADD, "u4", {"bound"});
    world.bind(BELFRY_TOPICS_ADD, "", {"everybody"});
    world.bind(BELFRY_TOPICS_ADD, "u5", {"bound"});
    world.bind(BELFRY_TOPICS_REMOVE, "u5", {"bound"});
    std::vector<Phone> phones;
    for (int64_t i = 0; i < 1201; ++i) {
        phones.push_back(numbered(i, 0));
        phones.back().meta = "{\"i\":\"" + std::to_string(i) + "\"}";
        phones.back().data = std::string("\0d", 2);
        phones.back().variant = static_cast<uint32_t>(i) * 1000003U;
        phones.back().timezone = "Europe/Paris";
    }
    const std::vector<int64_t> keys = world.register_all(phones);
    world.host.advance_ms(1000);
    world.update({.keys = {keys[5]}}, {.flags = BELFRY_PATCH_LOCALE, .locale = "fr"});
    const int64_t latest = *std::max_element(keys.begin(), keys.end(),
                                             [](int64_t a, int64_t b) { return sequence_of(a) < sequence_of(b); });
    world.remove({.keys = {keys[6], latest}});
    std::set<int64_t> sequences;
    for (const int64_t key : keys) sequences.insert(sequence_of(key));
    return sequences;
}

// How far the sequence of keys is may differ.
Records without_sequence(Records records) {
    std::erase_if(records, [](const std::string& record) { return record.starts_with('N'); });
    return records;
}

void dumps_and_loads(Context& context) {
    World world(context);
    world.need(BELFRY_STORAGE_DUMP, "DUMP");
    const std::string elsewhere = config_elsewhere(context);
    const std::set<int64_t> minted = fill_for_a_dump(world);
    const Records records = dumped(world, world.app, 1000);
    // 1,199 devices: pages of 11 and 1,199 end right behind the last one.
    for (const uint32_t limit : {7U, 11U, 601U, 1199U})
        require(dumped(world, world.app, limit) == records, "the same records whatever the page size");
    const Records state = dumped(world, "", 3);
    require_equal(without_sequence(state).size(), 20U, "records of the cluster's state");
    for (const uint32_t limit : {1U, 20U, 1000U})
        require(dumped(world, "", limit) == state, "the same state whatever the page size");
    World copy(context, elsewhere);
    belfry_why why{};
    // A second time, and over devices that are in the way.
    copy.register_all({numbered(3, 1), numbered(9000, 1)});
    for (int i = 0; i < 2; ++i) {
        require(load(copy, copy.app, records, &why) == BELFRY_OK, std::string("loaded: ") + why.text);
        require(load(copy, "", state, &why) == BELFRY_OK, std::string("loaded: ") + why.text);
    }
    copy.remove({.keys = keys_of(copy.fetch_identities({identity_hash("fcm", "t9000")}))});
    require(dumped(copy, copy.app, 500) == records, "a dump of the copy is the same");
    require(without_sequence(dumped(copy, "", 500)) == without_sequence(state), "and of its state");
    require(copy.device_topics() == world.device_topics(), "topics with their origins");
    require(copy.user_topics() == world.user_topics(), "users' topics");
    require_consistent(copy);
    const Row row = world.list().at(17);
    require_equal(copy.invalidate(fact_of(row.key, row.token)).code, BELFRY_OK, "code: token hashes came along");
    for (const belfry_registered& fresh : copy.try_register(copy.app, some_phones(50, "fresh"))) {
        require(!world.exists(fresh.key), "new devices get keys of their own");
        require(!minted.contains(sequence_of(fresh.key)),
                "not even those of devices that were removed before the dump");
    }
    require_equal(load(copy, copy.app, {records[0], "no record"}, &why), BELFRY_BAD_REQUEST, "code for a bad record");
    require(why.text[0] != '\0', "and a reason");
}

void a_second_instance(Context& context) {
    World world(context);
    const std::vector<int64_t> keys = world.register_all(some_phones(100, "t", {"x"}));
    FakeHost other(context, "other");
    belfry_why why{};
    const belfry_code code = Instance::try_start(other, context.plugin, context.config, &why);
    if ((world.table.flags & BELFRY_STORAGE_MULTI_NODE) != 0) {
        require(code == BELFRY_OK, "a second host starts: " + said(code, why));
    } else {
        require(code != BELFRY_OK, "a second host on a store for one is refused");
        require(why.text[0] != '\0', "with a reason");
    }
    world.register_all(some_phones(10, "later", {"x"}));
    require_equal(world.scan_keys("x").size(), keys.size() + 10, "members, the first host being undisturbed");
}

void limit_files_to(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = std::min(bytes, limit.rlim_max);
    ::setrlimit(RLIMIT_FSIZE, &limit);
}

void full_disk(Context& context) {
    World world(context);
    const std::vector<int64_t> keys = world.register_all(some_phones(1000, "t", {"x"}));
    limit_files_to(3 << 20);
    belfry_code code = BELFRY_OK;
    belfry_why why{};
    size_t stored = keys.size();
    for (int i = 0; code == BELFRY_OK && i < 300; ++i) {
        belfry_registration row = sized<belfry_registration>();
        const std::string token = "filler" + std::to_string(i);
        const std::string meta(16000, 'm');
        std::vector<belfry_registration> rows;
        std::vector<std::string> tokens;
        for (int k = 0; k < 20; ++k) tokens.push_back(token + "-" + std::to_string(k));
        for (const auto& one : tokens) {
            row.key = -1;
            row.provider = belfry_str{"fcm", 3};
            row.token = str(std::string_view(one));
            row.meta = str(std::string_view(meta));
            const Hash16 hash = identity_hash("fcm", one);
            std::memcpy(row.identity_hash, hash.bytes, sizeof hash.bytes);
            rows.push_back(row);
        }
        size_t done = 0;
        code = collect<belfry_registered>(
            [&](belfry_emit emit, void* ctx) {
                return world.table.register_devices(world.instance.get(), str(std::string_view(world.app)),
                                                    list_of(rows), emit, ctx, &why);
            },
            [&](const belfry_registered& result) { done += result.code == BELFRY_OK ? 1 : 0; });
        stored += done;
    }
    if (code == BELFRY_OK) skip("the storage keeps nothing in files of this process");
    require_equal(code, BELFRY_STORE_FULL, "code when no more can be written: " + said(code, why));
    require(why.text[0] != '\0', "a reason that says so");
    require_equal(world.list({}, 0).size(), stored, "what was answered is there, what was refused is not");
    require(world.scan_keys("x") == sorted(keys), "reads go on");
    limit_files_to(RLIM_INFINITY);
    world.register_all(some_phones(100, "after"));
    require_equal(world.list({}, 0).size(), stored + 100, "writes go on as soon as there is room");
    require_consistent(world);
}

constexpr std::array kCases{
    Case{"S24", "after kill -9 every answered registration is there and subscriptions fit their devices", 240,
         survives_kills},
    Case{"S30", "everything is there after a restart, and no key is given twice", 60, survives_a_restart},
    Case{"S31", "a backup made while in use holds the same devices, keys and topics", 120, backs_up},
    Case{"S31b", "a backup made during writes is consistent and holds everything answered before it", 120,
         backs_up_under_writes},
    Case{"S40", "a full disk is STORE_FULL with a reason, loses nothing and passes", 120, full_disk},
    Case{"S41",
         "a dump, in pages of any size, loaded into another storage makes the same devices, keys, topics and state",
         120, dumps_and_loads},
    Case{"S43", "a second host starts on a store for many and is refused, with a reason, on a store for one", 60,
         a_second_instance},
};

}  // namespace

std::span<const Case> durability_cases() {
    return kCases;
}

}  // namespace belfry::conformance
