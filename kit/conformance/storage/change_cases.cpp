// SPDX-License-Identifier: Apache-2.0
// Changes of devices that exist: patches, removals, users' topics, compare-and-delete, apps, cluster state.
#include <belfry/abi.hpp>

#include <algorithm>
#include <array>
#include <atomic>

#include "conformance/storage/cases.h"
#include "conformance/storage/world.h"

namespace belfry::conformance {

namespace {

constexpr uint32_t kDevice = BELFRY_ORIGIN_DEVICE;
constexpr uint32_t kUser = BELFRY_ORIGIN_USER;
constexpr uint32_t kGlobal = BELFRY_ORIGIN_GLOBAL;

Phone phone_of(const std::string& user, const std::string& token, const std::vector<std::string>& topics = {}) {
    Phone phone;
    phone.token = token;
    phone.user = user;
    phone.topics = topics;
    return phone;
}

std::vector<Pair> topics_of(World& world, int64_t key) {
    return world.device_topics({.keys = {key}});
}

void patches(Context& context) {
    World world(context);
    const int64_t a = world.register_one(phone_of("ann", "a", {"x"})).key;
    const int64_t b = world.register_one(phone_of("ann", "b")).key;
    const int64_t c = world.register_one(phone_of("bob", "c")).key;
    const int64_t before = world.at(a).updated;
    world.host.advance_ms(1000);
    Change change;
    change.flags = BELFRY_PATCH_META | BELFRY_PATCH_TIMEZONE | BELFRY_PATCH_LOCALE;
    change.meta = "{}";
    change.timezone = "Asia/Tokyo";
    change.locale = "ja";
    const auto by_key = world.update({.keys = {a, c + 1000}}, change);
    require_equal(by_key[0].code, BELFRY_OK, "code of a device");
    require_equal(by_key[0].changed, 1, "changed");
    require_equal(by_key[1].code, BELFRY_NOT_FOUND, "code of an unknown key");
    const Row patched = world.at(a);
    require(patched.timezone == "Asia/Tokyo" && patched.locale == "ja" && patched.meta == "{}", "the patch holds");
    require(patched.user == "ann" && patched.token == "a", "what the patch does not name stays");
    require(patched.updated >= before + 1000 && patched.registered == before, "updated moves, registered stays");
    require_equal(world.scan_all("x").at(0).timezone, "Asia/Tokyo", "timezone in the topic");
    change = {};
    change.flags = BELFRY_PATCH_LOCALE;
    change.locale = "fr";
    require_equal(world.update({.users = {"ann"}}, change)[0].changed, 2, "devices of the user");
    require(world.at(a).locale == "fr" && world.at(b).locale == "fr" && world.at(c).locale.empty(),
            "only the user's devices change");
    change.locale = "it";
    world.update({.keys = {a, c}, .users = {"bob"}}, change);
    require(world.at(a).locale == "fr" && world.at(c).locale == "it", "with keys and users a device must match both");
}

void topic_patches(Context& context) {
    World world(context);
    const int64_t key = world.register_one(phone_of("ann", "a", {"x", "y"})).key;
    const auto patch = [&](int32_t op, const std::vector<std::string>& topics) {
        Change change;
        change.flags = BELFRY_PATCH_TOPICS;
        change.topic_op = op;
        change.topics = topics;
        return world.update({.keys = {key}}, change)[0].code;
    };
    patch(BELFRY_TOPICS_ADD, {"y", "z"});
    require(world.at(key).topics == std::vector<std::string>{"x", "y", "z"}, "added topics");
    patch(BELFRY_TOPICS_REMOVE, {"x", "unknown"});
    require(world.at(key).topics == std::vector<std::string>{"y", "z"}, "removed topics");
    patch(BELFRY_TOPICS_SET, {"w", "z"});
    require(world.at(key).topics == std::vector<std::string>{"w", "z"}, "set topics");
    require(world.scan_keys("y").empty() && world.scan_keys("w") == std::vector<int64_t>{key}, "fan-out follows");
    Change guarded;
    guarded.flags = BELFRY_PATCH_TOPICS | BELFRY_PATCH_GUARD_USER;
    guarded.topic_op = BELFRY_TOPICS_SET;
    guarded.guard = "bob";
    require_equal(world.update({.keys = {key}}, guarded)[0].code, BELFRY_CONFLICT,
                  "code when the device has changed hands");
    require_equal(world.at(key).topics.size(), 2U, "topics after a refused patch");
    guarded.guard = "ann";
    require_equal(world.update({.keys = {key}}, guarded)[0].code, BELFRY_OK, "code when the guard holds");
    require(world.at(key).topics.empty() && world.scan_keys("w").empty(), "set to nothing");
}

void removes(Context& context) {
    World world(context);
    const int64_t a = world.register_one(phone_of("ann", "a", {"x"})).key;
    const int64_t b = world.register_one(phone_of("ann", "b", {"x"})).key;
    const int64_t c = world.register_one(phone_of("bob", "c", {"x"})).key;
    const auto both = world.remove({.keys = {a, c}, .users = {"bob"}});
    require_equal(both[0].code, BELFRY_NOT_FOUND, "a key whose user differs");
    require(world.exists(a) && !world.exists(c), "with keys and users a device must match both");
    require_equal(world.remove({.keys = {a, a}})[0].code, BELFRY_OK, "code");
    require(world.scan_keys("x") == std::vector<int64_t>{b}, "subscriptions go with their device");
    require_equal(world.remove({.users = {"ann", "nobody"}})[0].changed, 1, "devices of a user");
    require(world.list().empty() && world.device_topics().empty() && world.scan_keys("").empty(), "nothing is left");
    require(world.fetch_identities({identity_hash("fcm", "a")}).empty(), "tokens are free");
}

void user_topics_reach_devices(Context& context) {
    World world(context);
    const int64_t a = world.register_one(phone_of("ann", "a", {"own", "both"})).key;
    const int64_t b = world.register_one(phone_of("bob", "b")).key;
    require_equal(world.bind(BELFRY_TOPICS_ADD, "ann", {"both", "bound"}).changed, 1, "devices changed by a binding");
    const std::vector<Pair> bound{
        {a, "ann", "both", kDevice | kUser}, {a, "ann", "bound", kUser}, {a, "ann", "own", kDevice}};
    require(topics_of(world, a) == bound, "bound topics are added with their origin");
    require(topics_of(world, b).empty(), "other users' devices stay");
    require(world.scan_keys("bound") == std::vector<int64_t>{a}, "fan-out follows");
    const int64_t a2 = world.register_one(phone_of("ann", "a2", {"own2"})).key;
    require(
        topics_of(world, a2) ==
            std::vector<Pair>{{a2, "ann", "both", kUser}, {a2, "ann", "bound", kUser}, {a2, "ann", "own2", kDevice}},
        "a device registered later gets them too");
    world.bind(BELFRY_TOPICS_SET, "ann", {"new"});
    require(topics_of(world, a) ==
                std::vector<Pair>{{a, "ann", "both", kDevice}, {a, "ann", "new", kUser}, {a, "ann", "own", kDevice}},
            "what the device chose itself survives");
    require(world.scan_keys("bound").empty(), "what only the user had is gone");
    // Logging out: the same token without a user.
    world.register_one(phone_of("", "a", {"own"}));
    require(topics_of(world, a) == std::vector<Pair>{{a, "", "own", kDevice}}, "a logout drops the user's topics");
    world.bind(BELFRY_TOPICS_REMOVE, "ann", {"new"});
    require(world.user_topics().empty(), "no binding is left");
    require(topics_of(world, a2) == std::vector<Pair>{{a2, "ann", "own2", kDevice}},
            "nor a subscription of origin user");
}

void global_topics_at_registration(Context& context) {
    World world(context);
    Phone phone = phone_of("ann", "a", {"own"});
    const int64_t key = world.register_one(phone).key;
    require_equal(world.bind(BELFRY_TOPICS_ADD, "", {"all", "own"}).changed, 0, "devices changed by a global binding");
    require_equal(topics_of(world, key).size(), 1U, "topics before the next registration");
    world.register_one(phone);
    require(topics_of(world, key) ==
                std::vector<Pair>{{key, "ann", "all", kGlobal}, {key, "ann", "own", kDevice | kGlobal}},
            "the next registration brings them");
    world.bind(BELFRY_TOPICS_ADD, "ann", {"all"});
    require(topics_of(world, key)[0].origins == (kGlobal | kUser), "origins add up");
    world.bind(BELFRY_TOPICS_REMOVE, "ann", {"all"});
    require(topics_of(world, key)[0].origins == kGlobal, "and are taken away one by one");
    world.bind(BELFRY_TOPICS_SET, "", {});
    require_equal(topics_of(world, key).size(), 2U, "topics before the next registration");
    world.register_one(phone);
    require(topics_of(world, key) == std::vector<Pair>{{key, "ann", "own", kDevice}},
            "the next registration drops them");
}

void user_patch_keeps_or_switches_topics(Context& context) {
    World world(context);
    world.bind(BELFRY_TOPICS_ADD, "ann", {"anns"});
    world.bind(BELFRY_TOPICS_ADD, "bob", {"bobs"});
    const int64_t key = world.register_one(phone_of("ann", "a", {"own"})).key;
    Change change;
    change.flags = BELFRY_PATCH_USER;
    change.user = "bob";
    world.update({.keys = {key}}, change);
    require(topics_of(world, key) == std::vector<Pair>{{key, "bob", "anns", kUser}, {key, "bob", "own", kDevice}},
            "without sync only the field changes");
    require(world.fetch_users({"bob"}, 10).size() == 1 && world.fetch_users({"ann"}, 10).empty(),
            "the device has changed hands");
    change.flags |= BELFRY_PATCH_SYNC_TOPICS;
    world.update({.keys = {key}}, change);
    require(topics_of(world, key) == std::vector<Pair>{{key, "bob", "bobs", kUser}, {key, "bob", "own", kDevice}},
            "with sync the user's topics are switched");
    change.user = "";
    world.update({.keys = {key}}, change);
    require(topics_of(world, key) == std::vector<Pair>{{key, "", "own", kDevice}}, "and dropped without a user");
}

void user_topics_are_atomic(Context& context) {
    World world(context);
    world.need(BELFRY_STORAGE_ATOMIC_USER_TOPICS, "ATOMIC_USER_TOPICS");
    for (int i = 0; i < 200; ++i) world.register_one(phone_of("ann", "t" + std::to_string(i)));
    std::atomic<int> torn{0};
    Background watcher([&](const std::atomic<bool>& stop) {
        while (!stop) {
            const size_t n = world.scan("bound", -1, BELFRY_KEY_END, 1000).rows.size();
            if (n != 0 && n != 200) ++torn;
        }
    });
    for (int i = 0; i < 30; ++i) world.bind(i % 2 == 0 ? BELFRY_TOPICS_ADD : BELFRY_TOPICS_REMOVE, "ann", {"bound"});
    watcher.finish();
    require_equal(torn.load(), 0, "pages that saw some devices of the user with and some without the topic");
}

void many_topics(Context& context) {
    World world(context);
    std::vector<std::string> bound;
    for (int i = 0; i < 10000; ++i) bound.push_back("bound-" + std::to_string(i));
    std::vector<std::string> own;
    for (int i = 0; i < 1000; ++i) own.push_back("own-" + std::to_string(i));
    world.bind(BELFRY_TOPICS_SET, "ann", bound);
    Phone phone = phone_of("ann", "a", own);
    const int64_t key = world.register_one(phone).key;
    require_equal(world.at(key).topics.size(), 11000U, "topics of the device");
    require_equal(world.user_topics({.users = {"ann"}}, 700).size(), 10000U, "topics of the user");
    require_equal(world.device_topics({}, 999).size(), 11000U, "pairs");
    phone.token = "rotated";
    phone.key = key;
    world.register_one(phone);
    require_equal(world.scan_all("own-999").at(0).token, "rotated", "token in the last topic after rotation");
    require_equal(world.scan_all("bound-9999").at(0).token, "rotated", "token in the last bound topic after rotation");
    Change more;
    more.flags = BELFRY_PATCH_TOPICS;
    more.topic_op = BELFRY_TOPICS_ADD;
    more.topics = {"one too many"};
    const belfry_item_result kept = world.update({.users = {"ann"}}, more)[0];
    require(kept.code == BELFRY_TOO_LARGE && kept.changed == 0, "a user's device that stays as it was is said");
    world.remove({.keys = {key}});
    require(world.scan_keys("own-0").empty() && world.device_topics().empty(), "nothing is left");
    Phone over = phone_of("", "b", own);
    over.topics.push_back("one too many");
    require_equal(world.try_register(world.app, {over})[0].code, BELFRY_TOO_LARGE, "code for 1,001 topics of a device");
}

void invalidates_only_what_it_means(Context& context) {
    World world(context);
    Phone phone = phone_of("ann", "old", {"x"});
    phone.key = world.register_one(phone).key;
    phone.token = "fresh";
    world.register_one(phone);
    require_equal(world.invalidate(fact_of(phone.key, "old")).code, BELFRY_CONFLICT, "code for a stale token");
    require(world.exists(phone.key), "a fresh token survives a stale verdict");
    belfry_fact fact = fact_of(phone.key, "fresh");
    fact.unless_registered_after_ms = world.at(phone.key).registered - 1;
    require_equal(world.invalidate(fact).code, BELFRY_CONFLICT, "code for a verdict from before the registration");
    require(world.exists(phone.key), "a later registration survives");
    fact.unless_registered_after_ms = world.at(phone.key).registered;
    const belfry_fact_result done = world.invalidate(fact);
    require_equal(done.code, BELFRY_OK, "code");
    require_equal(done.key, phone.key, "key");
    require(!world.exists(phone.key) && world.scan_keys("x").empty(), "the device is gone");
    require_equal(world.invalidate(fact).code, BELFRY_NOT_FOUND, "code the second time");
    const int64_t other = world.register_one(phone_of("", "raw")).key;
    require_equal(world.invalidate(fact_of_identity("apns", "raw")).code, BELFRY_NOT_FOUND,
                  "code for an unknown identity");
    const belfry_fact_result by_identity = world.invalidate(fact_of_identity("fcm", "raw"));
    require(by_identity.code == BELFRY_OK && by_identity.key == other, "found by identity");
    const int64_t a = world.register_one(phone_of("", "a")).key;
    const int64_t b = world.register_one(phone_of("", "b")).key;
    const auto many = world.settle(false, world.app, {fact_of(a, "a"), fact_of(b, "stale"), fact_of(12345, "c")});
    require(many[0].code == BELFRY_OK && many[1].code == BELFRY_CONFLICT && many[2].code == BELFRY_NOT_FOUND,
            "each fact by itself");
    require(!world.exists(a) && world.exists(b), "each fact by itself");
}

void amends_the_variant(Context& context) {
    World world(context);
    const int64_t key = world.register_one(phone_of("", "a", {"x"})).key;
    const int64_t updated = world.at(key).updated;
    world.host.advance_ms(5000);
    belfry_fact fact = fact_of(key, "stale");
    fact.variant = 7;
    require_equal(world.amend(fact).code, BELFRY_CONFLICT, "code for a stale token");
    require_equal(world.at(key).variant, 0, "variant after a refused amend");
    fact = fact_of(key, "a");
    for (const uint32_t variant : {7U, 4000000000U, 1U}) {
        fact.variant = variant;
        require_equal(world.amend(fact).code, BELFRY_OK, "code");
        require_equal(world.at(key).variant, variant, "variant of the device");
        require_equal(world.scan_all("x").at(0).variant, variant, "variant in the topic");
        require_equal(world.scan_all("x").at(0).token, "a", "token in the topic");
    }
    require_equal(world.at(key).updated, updated, "a learnt variant is no sign of life");
    fact = fact_of_identity("fcm", "nobody");
    require_equal(world.amend(fact).code, BELFRY_NOT_FOUND, "code for nobody");
}

void keeps_what_was_learnt_over_a_guess(Context& context) {
    World world(context);
    Phone guess = phone_of("", "a", {"x"});
    guess.variant = 1;
    guess.variant_guessed = true;
    const int64_t key = world.register_one(guess).key;
    require_equal(world.at(key).variant, 1, "variant of a device that is new: the guess");
    belfry_fact learnt = fact_of(key, "a");
    learnt.variant = 7;
    require_equal(world.amend(learnt).code, BELFRY_OK, "code");
    require_equal(world.register_one(guess).flags & BELFRY_REGISTERED_CHANGED, 0U, "changed by a guess");
    require_equal(world.at(key).variant, 7, "variant after a registration that guesses");
    require_equal(world.scan_all("x").at(0).variant, 7, "the same in the topic");
    // It goes with the token, by id and to another device.
    Phone other = phone_of("", "other");
    other.key = world.register_one(other).key;
    guess.key = other.key;
    const belfry_registered moved = world.register_one(guess);
    require(moved.key == other.key && moved.evicted_key == key, "the token moved");
    require_equal(world.at(other.key).variant, 7, "variant of a token that moved");
    Phone rotated = guess;
    rotated.token = "b";
    rotated.key = other.key;
    world.register_one(rotated);
    require_equal(world.at(other.key).variant, 1, "variant of another token: the guess");
    Phone elsewhere = rotated;
    elsewhere.provider = "apns";
    elsewhere.variant = 2;
    world.register_one(elsewhere);
    require_equal(world.at(other.key).variant, 2, "variant at another provider: the guess");
    elsewhere.variant = 3;
    elsewhere.variant_guessed = false;
    world.register_one(elsewhere);
    require_equal(world.at(other.key).variant, 3, "variant that is no guess");
    const auto both = world.try_register(world.app, {guess, guess});
    require(both[0].code == BELFRY_OK && both[1].code == BELFRY_OK, "twice in a batch");
}

void apps_never_meet(Context& context) {
    World world(context);
    const auto in = [&](const char* app) { world.current_app = app; };
    in("a");
    Phone phone = phone_of("ann", "token", {"x"});
    const int64_t a = world.register_one(phone).key;
    world.bind(BELFRY_TOPICS_ADD, "ann", {"bound"});
    world.bind(BELFRY_TOPICS_ADD, "", {"all"});
    in("b");
    require(world.list().empty() && world.device_topics().empty() && world.user_topics().empty(),
            "lists of another app are empty");
    require(world.scan_keys("").empty() && world.scan_keys("x").empty(), "scans too");
    require(!world.exists(a) && world.fetch_users({"ann"}, 9).empty() &&
                world.fetch_identities({identity_hash("fcm", "token")}).empty(),
            "nothing is fetched");
    require_equal(world.remove({.keys = {a}})[0].code, BELFRY_NOT_FOUND, "code of a removal");
    require_equal(world.invalidate(fact_of(a, "token")).code, BELFRY_NOT_FOUND, "code of an invalidation");
    require_equal(world.update({.keys = {a}}, {.flags = BELFRY_PATCH_USER, .user = "eve"})[0].code, BELFRY_NOT_FOUND,
                  "code of a patch");
    Phone twin = phone;
    twin.topics = {"y"};
    const belfry_registered created = world.register_one(twin);
    require_equal(created.flags, BELFRY_REGISTERED_CREATED, "the same token is a new device here");
    require(world.at(created.key).topics == std::vector<std::string>{"y"}, "without the other app's bindings");
    Phone foreign = phone_of("", "other");
    foreign.key = a;
    require_equal(world.register_one(foreign).key, a, "a key of another app is free here");
    in("a");
    require_equal(world.at(a).token, "token", "the first app's device");
    require_equal(world.list().size(), 1U, "the first app's devices");
    in("b");
    if ((world.table.flags & BELFRY_STORAGE_COUNTS) != 0) require_equal(world.count({}), 2, "the second app's devices");
    if ((world.table.flags & BELFRY_STORAGE_PURGE_APP) == 0) return;
    int32_t more = 1;
    belfry_why why{};
    for (int i = 0; more != 0; ++i) {
        require(i < 100, "purge_app comes to an end");
        require_equal(world.table.purge_app(world.instance.get(), belfry_str{"b", 1}, 1, &more, &why), BELFRY_OK,
                      "code of purge_app");
    }
    require(world.list().empty() && world.scan_keys("y").empty(), "a purged app is empty");
    in("a");
    require_equal(world.list().size(), 1U, "other apps stay");
    require_equal(world.user_topics().size(), 2U, "with their bindings");
}

void purges_an_app(Context& context) {
    World world(context);
    world.need(BELFRY_STORAGE_PURGE_APP, "PURGE_APP");
    const std::vector<Phone> phones = some_phones(2500, "t", {"x"});
    const std::vector<int64_t> keys = world.register_all(phones);
    world.bind(BELFRY_TOPICS_ADD, "ann", {"bound"});
    world.bind(BELFRY_TOPICS_ADD, "", {"all"});
    const auto left = [&] { return world.list({}, 0).size(); };
    size_t before = left();
    int32_t more = 1;
    for (int i = 0; more != 0; ++i) {
        require(i < 1000, "purge_app comes to an end");
        belfry_why why{};
        require_equal(world.table.purge_app(world.instance.get(), str(std::string_view(world.app)), 100, &more, &why),
                      BELFRY_OK, "code");
        require(before - left() <= 100, "no more devices a step than allowed");
        before = left();
    }
    require(before == 0 && world.scan_keys("x").empty() && world.user_topics().empty(), "nothing is left");
    require(world.fetch_identities({identity_hash("fcm", "t7")}).empty(), "by identity neither");
    const std::vector<int64_t> again = world.register_all(phones);
    require(sorted(again) != sorted(keys), "later devices have keys of their own");
    require(world.at(again[0]).topics == std::vector<std::string>{"x"}, "and no bindings of before");
}

void state_is_compared_and_set(Context& context) {
    World world(context);
    const auto cas = [&](std::string_view key, int64_t version, belfry_str value) {
        belfry_kv kv{};
        kv.size = sizeof kv;
        kv.key = belfry_str{key.data(), key.size()};
        kv.value = value;
        kv.version = version;
        belfry_why why{};
        return world.table.kv_cas(world.instance.get(), &kv, &why);
    };
    const auto get = [&](std::string_view key) {
        std::pair<int64_t, std::string> found{0, ""};
        belfry_why why{};
        const belfry_code code = collect<belfry_kv>(
            [&](belfry_emit emit, void* ctx) {
                return world.table.kv_get(world.instance.get(), belfry_str{key.data(), key.size()}, emit, ctx, &why);
            },
            [&](const belfry_kv& kv) {
                found = {kv.version, std::string(kv.value.p, kv.value.n)};
            });
        require_equal(code, BELFRY_OK, "code of kv_get");
        return found;
    };
    const belfry_str one{"o\0e", 3};
    require(get("k").first == 0, "unknown keys have version 0");
    require_equal(cas("k", 5, one), BELFRY_CONFLICT, "code for a wrong version");
    require_equal(cas("k", 0, one), BELFRY_OK, "code");
    require(get("k") == std::pair<int64_t, std::string>(1, std::string("o\0e", 3)), "version 1 and its bytes");
    require_equal(cas("k", 0, one), BELFRY_CONFLICT, "code for an old version");
    require_equal(cas("k", 1, belfry_str{"", 0}), BELFRY_OK, "code for an empty value");
    require(get("k") == std::pair<int64_t, std::string>(2, ""), "an empty value is a value");
    std::atomic<int> won{0};
    run_together(8, [&](size_t) {
        if (cas("k", 2, one) == BELFRY_OK) ++won;
    });
    require_equal(won.load(), 1, "winners of a race");
    require_equal(cas("k", 3, belfry_str{nullptr, 0}), BELFRY_OK, "code of a deletion");
    require(get("k").first == 0, "deleted");
}

constexpr std::array kCases{
    Case{"S8", "patches change what they name, by key and by user, with both only where both match", 30, patches},
    Case{"S8b", "topics are added, removed and set; the guard refuses a device that changed hands", 30, topic_patches},
    Case{"S9", "devices are removed by key and by user, and everything that leads to them", 30, removes},
    Case{"S10", "a user's topics reach the user's devices at once and later ones at registration; a logout drops them",
         30, user_topics_reach_devices},
    Case{"S10b", "topics bound to everybody come and go with the next registration", 30, global_topics_at_registration},
    Case{"S10c", "changing a device's user keeps its topics unless they are to be switched", 30,
         user_patch_keeps_or_switches_topics},
    Case{"S10d", "nobody sees a user's topics on some of the user's devices only", 60, user_topics_are_atomic},
    Case{"S11", "a dead token is removed only if it is still the stored one and was not registered since", 30,
         invalidates_only_what_it_means},
    Case{"S29", "10,000 topics of a user and 1,000 of a device work and follow a token rotation", 120, many_topics},
    Case{"S33", "apps never see or change each other's devices, tokens, topics and users", 60, apps_never_meet},
    Case{"S35", "a learnt variant is kept if the token is still the stored one", 30, amends_the_variant},
    Case{"S35b", "a variant that is only a guess leaves the one that is known for the token alone", 30,
         keeps_what_was_learnt_over_a_guess},
    Case{"S42", "an app is purged in steps as small as asked for, and can be used again", 60, purges_an_app},
    Case{"S36", "cluster state is compared and set", 30, state_is_compared_and_set},
};

}  // namespace

std::span<const Case> change_cases() {
    return kCases;
}

}  // namespace belfry::conformance
