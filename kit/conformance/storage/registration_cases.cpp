// SPDX-License-Identifier: Apache-2.0
// How devices come to be: the table of device_register in terms of keys and identities.
#include <algorithm>
#include <array>
#include <atomic>
#include <set>

#include "conformance/storage/cases.h"
#include "conformance/storage/world.h"

namespace belfry::conformance {

namespace {

Phone full_phone() {
    Phone phone;
    phone.token = "token-1";
    phone.prefix = 0x1234;
    phone.user = "ann";
    phone.platform = "android";
    phone.timezone = "Europe/Berlin";
    phone.locale = "de-DE";
    phone.meta = R"({"a":"b"})";
    phone.data = std::string("\0keys", 5);
    phone.topics = {"news", "sport"};
    phone.variant = 3;
    return phone;
}

void require_same(const Row& row, const Phone& phone) {
    require_equal(row.provider, phone.provider, "provider");
    require_equal(row.token, phone.token, "token");
    require_equal(row.data, phone.data, "data");
    require_equal(row.user, phone.user, "user");
    require_equal(row.platform, phone.platform, "platform");
    require_equal(row.timezone, phone.timezone, "timezone");
    require_equal(row.locale, phone.locale, "locale");
    require_equal(row.meta, phone.meta, "meta");
    require_equal(row.variant, phone.variant, "variant");
    require(row.topics == phone.topics, "topics sorted by bytes");
}

void registers_and_replaces(Context& context) {
    World world(context);
    Phone phone = full_phone();
    const belfry_registered first = world.register_one(phone);
    require_equal(first.flags, BELFRY_REGISTERED_CREATED, "flags of a new device");
    require_equal(first.key >> BELFRY_KEY_SEQUENCE_BITS, phone.prefix, "prefix of the key");
    require_same(world.at(first.key), phone);
    phone.key = first.key;
    phone.token = "token-2";
    phone.user = "bob";
    phone.topics = {"weather"};
    phone.prefix = 0x4321;
    const belfry_registered second = world.register_one(phone);
    require_equal(second.flags, BELFRY_REGISTERED_CHANGED, "flags of a replaced device");
    require_equal(second.key, first.key, "key over a token rotation");
    require_same(world.at(first.key), phone);
    require(world.fetch_identities({identity_hash("fcm", "token-1")}).empty(), "the old token leads nowhere");
    require(world.scan_keys("news").empty() && world.scan_keys("sport").empty(), "the old topics are gone");
    require_equal(world.scan_all("weather").at(0).token, "token-2", "token in the topic after rotation");
    phone.key = -1;
    require_equal(world.register_one(phone).key, first.key, "key of a known token without id");
    phone.provider = "apns";
    phone.key = first.key;
    require_equal(world.register_one(phone).key, first.key, "key when the provider changes");
    require_equal(world.scan_all("weather").at(0).provider, "apns", "provider in the topic");
}

void missing_fields_reset(Context& context) {
    World world(context);
    const Phone phone = full_phone();
    const int64_t key = world.register_one(phone).key;
    Phone bare;
    bare.token = phone.token;
    world.register_one(bare);
    require_same(world.at(key), bare);
    require(world.list({.users = {"ann"}}).empty(), "the old user leads nowhere");
}

void refuses_bad_rows_alone(Context& context) {
    World world(context);
    std::vector<Phone> phones = some_phones(6);
    phones[1].token = "";
    phones[2].provider = "";
    phones[3].key = BELFRY_KEY_END;
    phones[4].topics = {""};
    const auto results = world.try_register(world.app, phones);
    for (size_t i = 0; i < phones.size(); ++i) {
        const bool good = i == 0 || i == 5;
        require_equal(results[i].code, good ? BELFRY_OK : BELFRY_BAD_REQUEST, "code of row " + std::to_string(i));
    }
    require_equal(world.list().size(), 2U, "stored devices");
}

void concurrent_first_registrations(Context& context) {
    World world(context);
    constexpr size_t kThreads = 8;
    for (int round = 0; round < 20; ++round) {
        Phone phone = full_phone();
        phone.token = "round-" + std::to_string(round);
        std::array<int64_t, kThreads> keys{};
        run_together(kThreads, [&](size_t t) {
            auto result = world.try_register(world.app, {phone}).front();
            if (result.code == BELFRY_CONFLICT) result = world.try_register(world.app, {phone}).front();
            keys[t] = result.code == BELFRY_OK ? result.key : -1;
        });
        for (const int64_t key : keys) require_equal(key, keys[0], "everybody's key");
        require(keys[0] >= 0, "one of them succeeds");
    }
    require_equal(world.list().size(), 20U, "one device a token");
}

void token_moves_to_another_device(Context& context) {
    World world(context);
    Phone a = full_phone();
    Phone b = full_phone();
    b.token = "token-b";
    b.user = "bob";
    b.topics = {"bobs"};
    a.key = world.register_one(a).key;
    b.key = world.register_one(b).key;
    a.token = b.token;
    const belfry_registered result = world.register_one(a);
    require_equal(result.key, a.key, "key");
    require_equal(result.flags, BELFRY_REGISTERED_CHANGED | BELFRY_REGISTERED_EVICTED, "flags");
    require_equal(result.evicted_key, b.key, "evicted key");
    require(!world.exists(b.key), "the other device is gone");
    require(world.scan_keys("bobs").empty() && world.list({.users = {"bob"}}).empty(), "and so is all that led to it");
    require_equal(world.fetch_identities({identity_hash("fcm", "token-b")}).at(0).key, a.key, "key behind the token");
    // Nobody may see the token twice while it goes to and fro.
    std::atomic<int> seen_twice{0};
    Background watcher([&](const std::atomic<bool>& stop) {
        while (!stop) {
            std::set<std::string> tokens;
            for (const Row& row : world.list({}, BELFRY_FIELD_TOKEN)) {
                if (!tokens.insert(row.token).second) ++seen_twice;
            }
        }
    });
    for (int i = 0; i < 300; ++i) {
        Phone& holder = i % 2 == 0 ? b : a;
        holder.token = "moving";
        world.register_one(holder);
    }
    watcher.finish();
    require_equal(seen_twice.load(), 0, "times a token was seen on two devices");
}

void comes_back_under_its_key(Context& context) {
    World world(context);
    Phone phone = full_phone();
    phone.key = world.register_one(phone).key;
    world.remove({.keys = {phone.key}});
    require(!world.exists(phone.key), "removed");
    const belfry_registered back = world.register_one(phone);
    require_equal(back.key, phone.key, "key of the device that came back");
    require_equal(back.flags, BELFRY_REGISTERED_CREATED, "flags");
    require_same(world.at(phone.key), phone);
    // A key from before a restore must not be given to somebody else later.
    Phone restored = full_phone();
    restored.token = "restored";
    restored.key = phone.key + 5;
    world.register_one(restored);
    std::set<int64_t> keys{phone.key, restored.key};
    for (Phone& other : some_phones(20)) {
        other.prefix = phone.prefix;
        require(keys.insert(world.register_one(other).key).second, "a new key is not in use");
    }
}

void mixed_batch(Context& context) {
    World world(context);
    std::vector<Phone> phones = some_phones(5000, "t", {"news"});
    const std::vector<int64_t> keys = world.register_all(phones);
    const int64_t before = world.at(keys[0]).updated;
    world.host.advance_ms(60000);
    for (size_t i = 0; i < phones.size(); i += 2) phones[i].locale = "fr";
    const std::vector<Phone> fresh = some_phones(5000, "new", {"news"});
    phones.insert(phones.end(), fresh.begin(), fresh.end());
    const auto results = world.try_register(world.app, phones);
    for (size_t i = 0; i < results.size(); ++i) {
        const uint32_t wanted = i >= 5000    ? uint32_t{BELFRY_REGISTERED_CREATED}
                                : i % 2 == 0 ? uint32_t{BELFRY_REGISTERED_CHANGED}
                                             : 0;
        require_equal(results[i].code, BELFRY_OK, "code");
        require_equal(results[i].flags, wanted, "flags of row " + std::to_string(i));
        if (i < 5000) require_equal(results[i].key, keys[i], "key");
    }
    const Row unchanged = world.at(keys[1]);
    require_equal(unchanged.updated, before, "updated of an unchanged row");
    require(unchanged.registered >= before + 60000, "registered of an unchanged row moves");
    require(world.at(keys[0]).updated >= before + 60000, "updated of a changed row moves");
    require_equal(unchanged.created, world.at(keys[1]).created, "created");
    require_equal(world.scan_keys("news").size(), 10000U, "members");
}

void same_identity_twice_in_a_batch(Context& context) {
    World world(context);
    Phone phone = full_phone();
    Phone later = phone;
    later.user = "bob";
    const auto results = world.try_register(world.app, {phone, later});
    require_equal(results[0].key, results[1].key, "one device");
    require_equal(world.at(results[0].key).user, "bob", "the later row holds");
    require_equal(world.list().size(), 1U, "devices");
}

void opposite_batches_do_not_block(Context& context) {
    World world(context);
    const std::vector<Phone> phones = some_phones(300, "t", {"news"});
    const std::vector<Phone> backwards(phones.rbegin(), phones.rend());
    std::atomic<int> failures{0};
    run_together(4, [&](size_t t) {
        for (int i = 0; i < 10; ++i) {
            for (const auto& result : world.try_register(world.app, t % 2 == 0 ? phones : backwards)) {
                if (result.code != BELFRY_OK && result.code != BELFRY_CONFLICT) ++failures;
            }
        }
    });
    require_equal(failures.load(), 0, "failed rows");
    require_equal(world.list().size(), phones.size(), "devices");
}

void keys_keep_their_prefix(Context& context) {
    World world(context);
    std::map<int64_t, int64_t> wanted;
    const std::vector<Phone> phones = some_phones(50000);
    for (const Phone& phone : phones) ++wanted[phone.prefix];
    const std::vector<int64_t> keys = world.register_all(phones);
    require_equal(std::set<int64_t>(keys.begin(), keys.end()).size(), keys.size(), "different keys");
    for (size_t i = 0; i < keys.size(); ++i) {
        require_equal(keys[i] >> BELFRY_KEY_SEQUENCE_BITS, phones[i].prefix, "prefix of a key");
    }
    std::map<int64_t, int64_t> found;
    for (const int64_t key : world.scan_keys("")) ++found[key >> BELFRY_KEY_SEQUENCE_BITS];
    require(found == wanted, "every bucket holds the devices that were put there");
    for (const auto& [bucket, n] : found) {
        const int64_t after = (bucket << BELFRY_KEY_SEQUENCE_BITS) - 1;
        const int64_t hi = (bucket + 1) << BELFRY_KEY_SEQUENCE_BITS;
        require_equal(world.scan_keys("", after, hi).size(), static_cast<size_t>(n), "rows in the range of a bucket");
    }
}

void long_and_odd_values(Context& context) {
    World world(context);
    Phone phone = full_phone();
    phone.token = std::string(4096, 'T');
    phone.user = "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80'\"%_";
    phone.topics = {"a\xc3\xbc'b\"%_\\", "z" + std::string(254, 'x')};
    phone.meta = "{\"k\":\"" + std::string(16000, 'm') + "\"}";
    phone.data = std::string(1024, '\xff');
    phone.key = world.register_one(phone).key;
    require_same(world.at(phone.key), phone);
    for (const auto& topic : phone.topics) {
        const auto rows = world.scan_all(topic);
        require_equal(rows.size(), 1U, "members of an odd topic");
        require_equal(rows[0].token, phone.token, "a 4 KiB token in a topic");
        require_equal(rows[0].data, phone.data, "1 KiB of data in a topic");
    }
    require_equal(world.fetch_users({phone.user}, 10).size(), 1U, "devices of an odd user");
    for (const size_t length : {199U, 200U, 201U, 202U}) {
        Phone edge = full_phone();
        edge.token = std::string(length, 'e');
        edge.data = "dd";
        edge.topics = {"edges"};
        world.register_one(edge);
    }
    for (const Row& row : world.scan_all("edges"))
        require_equal(row.data, "dd", "data beside a token of " + std::to_string(row.token.size()));
    Phone too_long = full_phone();
    too_long.key = -1;
    too_long.token = "limits";
    too_long.meta = std::string(65536, 'm');
    const belfry_registered result = world.try_register(world.app, {too_long}).front();
    require(result.code == BELFRY_TOO_LARGE || (result.code == BELFRY_OK && world.at(result.key).meta == too_long.meta),
            "64 KiB of meta are refused as TOO_LARGE or stored whole");
}

constexpr std::array kCases{
    Case{"S1", "registering creates a device; registering its key again replaces it and keeps the key", 30,
         registers_and_replaces},
    Case{"S2", "fields that a registration leaves out are empty afterwards", 30, missing_fields_reset},
    Case{"S3", "a row without token or provider, with an impossible key or an empty topic is refused alone", 30,
         refuses_bad_rows_alone},
    Case{"S4", "first registrations of one token at once make one device and tell everybody its key", 60,
         concurrent_first_registrations},
    Case{"S5", "a token that moves to another device takes the old one away in the same instant", 60,
         token_moves_to_another_device},
    Case{"S5b", "a device that is gone comes back under the key it names, and that key is never given twice", 30,
         comes_back_under_its_key},
    Case{"S6", "a batch of 10,000 mixed rows answers each and leaves unchanged ones as they were", 60, mixed_batch},
    Case{"S6b", "one identity twice in a batch is one device, the later row holds", 30, same_identity_twice_in_a_batch},
    Case{"S7", "overlapping batches in opposite order finish", 60, opposite_batches_do_not_block},
    Case{"S19", "keys carry the prefix they were registered with and are all different", 120, keys_keep_their_prefix},
    Case{"S27", "4 KiB tokens, 1 KiB of data, 16 KiB of meta and any UTF-8 come back byte for byte", 30,
         long_and_odd_values},
};

}  // namespace

std::span<const Case> registration_cases() {
    return kCases;
}

}  // namespace belfry::conformance
