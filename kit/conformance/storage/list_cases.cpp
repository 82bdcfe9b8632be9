// SPDX-License-Identifier: Apache-2.0
// Lists, counts, point reads and the clean-up of inactive devices.
#include <algorithm>
#include <array>

#include "conformance/storage/cases.h"
#include "conformance/storage/world.h"

namespace belfry::conformance {

namespace {

void pages_are_stable(Context& context) {
    World world(context);
    std::vector<Phone> phones = some_phones(20000);
    for (size_t i = 0; i < phones.size(); ++i) phones[i].topics = {"t" + std::to_string(i % 7), "all"};
    const std::vector<int64_t> keys = sorted(world.register_all(phones));
    for (const uint32_t limit : {1000U, 999U, static_cast<uint32_t>(context.below(500) + 500)}) {
        require(keys_of(world.list({}, 0, limit)) == keys, "every device once, whatever the page size");
    }
    int64_t total = 0;
    world.list({.platforms = {"android"}}, 0, 1000, &total);
    require_equal(total, 20000, "total");
    require_equal(world.device_topics({}, 997, &total).size(), 40000U, "pairs");
    require_equal(total, 40000, "total of pairs");
    require_equal(world.device_topics({.topics = {"t3"}}, 100, &total).size(), 2857U, "pairs of a topic");
    require_equal(total, 2857, "total of a topic's pairs");
    require_equal(world.device_topics({.keys = {keys[5]}, .prefix = "al"}).size(), 1U, "pairs by prefix");
    // Pages go on where they were, even if the last row of a page is removed in between.
    belfry_paging paging{};
    paging.size = sizeof paging;
    paging.limit = 10;
    belfry_selection all{};
    all.size = sizeof all;
    belfry_page_end end{};
    end.size = sizeof end;
    belfry_why why{};
    std::vector<int64_t> seen;
    const auto page = [&] {
        const auto emit = [](void* ctx, belfry_list rows) -> int32_t {
            for (uint32_t i = 0; i < rows.n; ++i) {
                const char* row = static_cast<const char*>(rows.p) + static_cast<size_t>(i) * rows.stride;
                static_cast<std::vector<int64_t>*>(ctx)->push_back(reinterpret_cast<const belfry_device*>(row)->key);
            }
            return 0;
        };
        const belfry_str app{world.app.data(), world.app.size()};
        require_equal(world.table.list_devices(world.instance.get(), app, &all, &paging, emit, &seen, &end, &why),
                      BELFRY_OK, "code");
    };
    page();
    const std::string cursor = static_cast<const char*>(end.cursor);
    paging.cursor = belfry_str{cursor.data(), cursor.size()};
    world.remove({.keys = {seen.back()}});
    page();
    require(seen == std::vector<int64_t>(keys.begin(), keys.begin() + 20), "the second page follows the first");
}

void bad_cursors_are_refused(Context& context) {
    World world(context);
    world.register_all(some_phones(3));
    belfry_selection all{};
    all.size = sizeof all;
    const auto emit = [](void*, belfry_list) -> int32_t { return 0; };
    for (const std::string cursor : {"nonsense", "1.2.zz", "-1", "\xff"}) {
        belfry_paging paging{};
        paging.size = sizeof paging;
        paging.limit = 10;
        paging.cursor = belfry_str{cursor.data(), cursor.size()};
        belfry_page_end end{};
        end.size = sizeof end;
        belfry_why why{};
        const belfry_str app{world.app.data(), world.app.size()};
        for (const auto list :
             {world.table.list_devices, world.table.list_device_topics, world.table.list_user_topics}) {
            require_equal(list(world.instance.get(), app, &all, &paging, emit, nullptr, &end, &why), BELFRY_BAD_REQUEST,
                          "code");
            require(why.text[0] != '\0', "a reason comes with the refusal");
        }
    }
}

void long_names_page_through(Context& context) {
    World world(context);
    std::vector<std::string> topics;
    std::vector<std::string> users;
    for (char c = 'a'; c < 'f'; ++c) {
        topics.push_back(std::string(254, 'T') + c);
        users.push_back(std::string(254, 'U') + c);
    }
    Phone phone;
    phone.token = "a";
    phone.topics = topics;
    world.register_one(phone);
    for (const auto& user : users) world.bind(BELFRY_TOPICS_SET, user, topics);
    for (const uint32_t limit : {1U, 2U, 3U}) {
        require_equal(world.device_topics({}, limit).size(), 5U, "pairs of the device");
        require_equal(world.user_topics({}, limit).size(), 25U, "pairs of users");
        require_equal(
            world.user_topics({.users = {users[1], users[3], "nobody"}, .topics = {topics[0], topics[4]}}, limit)
                .size(),
            4U, "pairs of some users and topics");
        require_equal(world.user_topics({.prefix = std::string(254, 'T') + "b"}, limit).size(), 5U, "pairs by prefix");
    }
}

void fetches_by_value(Context& context) {
    World world(context);
    std::vector<Phone> phones = some_phones(100);
    for (size_t i = 0; i < phones.size(); ++i) phones[i].user = "user" + std::to_string(i % 10);
    const std::vector<int64_t> keys = world.register_all(phones);
    const auto by_key = world.fetch_keys({keys[3], 77, keys[1], keys[3]});
    require_equal(by_key.size(), 3U, "rows by key");
    std::vector<std::pair<uint32_t, int64_t>> found;
    for (const Row& row : by_key) found.emplace_back(row.index, row.key);
    std::sort(found.begin(), found.end());
    require(found == std::vector<std::pair<uint32_t, int64_t>>{{0, keys[3]}, {2, keys[1]}, {3, keys[3]}},
            "rows carry their value's index");
    std::vector<Row> rows = world.fetch_users({"user3", "nobody", "user4"}, 100);
    require_equal(rows.size(), 20U, "rows by user");
    for (const Row& row : rows) require_equal(row.user, row.index == 0 ? "user3" : "user4", "user of the index");
    require_equal(world.fetch_users({"user3", "user4"}, 4).size(), 8U, "rows with at most four a user");
    require(world.fetch_users({""}, 10).empty(), "devices without user are nobody's");
    rows =
        world.fetch_identities({identity_hash("fcm", "t5"), identity_hash("fcm", "none"), identity_hash("fcm", "t6")});
    require(rows.size() == 2 && rows[0].key + rows[1].key == keys[5] + keys[6], "rows by identity");
    const Row narrow = world.fetch_keys({keys[0]}, BELFRY_FIELD_PLATFORM)[0];
    require(narrow.platform == "android" && narrow.token.empty() && narrow.user.empty() && narrow.created == 0,
            "only wanted fields come");
}

void counts_are_exact(Context& context) {
    World world(context);
    world.need(BELFRY_STORAGE_COUNTS, "COUNTS");
    std::vector<Phone> phones = some_phones(30000);
    int64_t a_or_b_on_ios = 0;
    for (size_t i = 0; i < phones.size(); ++i) {
        phones[i].provider = i % 3 == 0 ? "apns" : "fcm";
        phones[i].platform = i % 3 == 0 ? "ios" : "android";
        if (i % 2 == 0) phones[i].topics.push_back("a");
        if (i % 5 == 0) phones[i].topics.push_back("b");
        phones[i].user = "u" + std::to_string(i % 1000);
        if (i % 3 == 0 && (i % 2 == 0 || i % 5 == 0)) ++a_or_b_on_ios;
    }
    const std::vector<int64_t> keys = world.register_all(phones);
    require_equal(world.count({}), 30000, "all");
    require_equal(world.count({.topics = {"a"}}), 15000, "members");
    require_equal(world.count({.topics = {"a", "b", "none"}}), 18000, "members of either, once each");
    require_equal(world.count({.topics = {"a", "b"}, .providers = {"apns"}, .platforms = {"ios", "web"}}),
                  a_or_b_on_ios, "all conditions");
    require_equal(world.count({.providers = {"fcm"}}), 20000, "by provider");
    require_equal(world.count({.providers = {"hms"}}), 0, "by a provider that no device has");
    require_equal(world.count({.users = {"u1", "u2"}, .topics = {"a"}}), 30, "by user and topic");
    require_equal(world.count({.keys = {keys[0], keys[1], 5}, .platforms = {"ios"}}), 1, "by key and platform");
}

void expires_inactive_devices(Context& context) {
    World world(context);
    world.need(BELFRY_STORAGE_EXPIRE, "EXPIRE");
    std::vector<Phone> phones = some_phones(3000, "t", {"x"});
    const std::vector<int64_t> keys = world.register_all(phones);
    world.host.advance_ms(100000);
    const int64_t cut = world.host.unix_ms();
    std::vector<Phone> seen(phones.begin(), phones.begin() + 1000);
    world.register_all(seen);
    Change change;
    change.flags = BELFRY_PATCH_LOCALE;
    change.locale = "de";
    world.update({.keys = {keys[1500]}}, change);
    uint32_t sum = 0;
    int32_t more = 1;
    for (int i = 0; more != 0; ++i) {
        require(i < 1000, "expire comes to an end");
        uint32_t removed = 0;
        belfry_why why{};
        const belfry_str app{world.app.data(), world.app.size()};
        require_equal(world.table.expire(world.instance.get(), app, cut, 100, &removed, &more, &why), BELFRY_OK,
                      "code of expire");
        require(removed <= 100, "at most as many as allowed");
        sum += removed;
    }
    require_equal(sum, 1999U, "removed devices");
    std::vector<int64_t> wanted(keys.begin(), keys.begin() + 1000);
    wanted.push_back(keys[1500]);
    require(world.scan_keys("x") == sorted(wanted), "what was registered or updated since the cut stays");
}

constexpr std::array kCases{
    Case{"S12", "lists give every device once in key order, whatever the page size", 120, pages_are_stable},
    Case{"S12b", "a cursor that the storage did not make is refused", 30, bad_cursors_are_refused},
    Case{"S12c", "pages of topics go on right behind names of 255 bytes", 30, long_names_page_through},
    Case{"S26", "inactive devices are removed in small batches, never one that was seen since", 60,
         expires_inactive_devices},
    Case{"S28", "counts of devices and topics are exact after every change", 60, counts_are_exact},
    Case{"S37", "devices are fetched by key, user and identity with the index of their value and the wanted fields", 30,
         fetches_by_value},
};

}  // namespace

std::span<const Case> list_cases() {
    return kCases;
}

}  // namespace belfry::conformance
