// SPDX-License-Identifier: Apache-2.0
// A storage under test, driven through its C table with C++ values; every answer is checked for what the ABI promises
// of all answers (one result per row, ascending keys, advancing cursors) before a case looks at it.
//
// Threads: a World's calls [any], as the storage's are.
#pragma once

#include <belfry/storage.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/runner/plugin.h"
#include "conformance/runner/runner.h"

namespace belfry::conformance {

inline constexpr uint32_t kAllFields = BELFRY_FIELD_PROVIDER | BELFRY_FIELD_TOKEN | BELFRY_FIELD_USER |
                                       BELFRY_FIELD_PLATFORM | BELFRY_FIELD_TIMEZONE | BELFRY_FIELD_LOCALE |
                                       BELFRY_FIELD_META | BELFRY_FIELD_TOPICS | BELFRY_FIELD_TIMES;
inline constexpr uint32_t kFanoutFields =
    BELFRY_FIELD_PROVIDER | BELFRY_FIELD_TOKEN | BELFRY_FIELD_PLATFORM | BELFRY_FIELD_TIMEZONE | BELFRY_FIELD_LOCALE;

// A device to register. The identity is (provider, token).
struct Phone {
    std::string token;
    std::string provider = "fcm";
    std::string user, platform, timezone, locale, meta, data;
    std::vector<std::string> topics;
    uint32_t variant = 0;
    int64_t key = -1;
    uint32_t prefix = 0;
    bool variant_guessed = false;
};

struct Row {
    uint32_t index = 0;
    int64_t key = 0;
    std::string provider, token, data, user, platform, timezone, locale, meta;
    std::vector<std::string> topics;
    uint32_t variant = 0;
    int64_t created = 0, updated = 0, registered = 0;
};

struct Pair {
    int64_t key;
    std::string user, topic;
    uint32_t origins;
    bool operator==(const Pair&) const = default;
    auto operator<=>(const Pair&) const = default;
};

struct Which {
    std::vector<int64_t> keys{};
    std::vector<std::string> users{}, topics{}, providers{}, platforms{};
    std::string prefix{};
};

struct Change {
    uint32_t flags = 0;
    int32_t topic_op = 0;
    std::string user{}, meta{}, timezone{}, locale{}, guard{};
    std::vector<std::string> topics{};
};

struct Hash16 {
    uint8_t bytes[16];
};
Hash16 token_hash(std::string_view token);
Hash16 identity_hash(std::string_view provider, std::string_view token);

struct ScanPage {
    std::vector<Row> rows;
    int64_t cursor = 0;
    bool end = false;
};

class World {
public:
    explicit World(Context& context);
    // Another storage from a configuration of its own, with the same plugin.
    World(Context& context, const std::string& config);

    FakeHost host;
    Instance instance;
    const belfry_storage& table;
    const std::string app = "default";

    void need(uint32_t flag, const char* name) const;  // skips the case if the storage does not declare it

    // One result per phone, in their order. Codes are OK unless a case looks itself (try_...).
    std::vector<belfry_registered> try_register(std::string_view app_name, const std::vector<Phone>& phones);
    std::vector<int64_t> register_all(const std::vector<Phone>& phones);
    belfry_registered register_one(const Phone& phone);

    std::vector<belfry_item_result> update(const Which& which, const Change& change);
    std::vector<belfry_item_result> remove(const Which& which);
    belfry_item_result bind(int32_t op, std::string_view user, const std::vector<std::string>& topics);
    belfry_fact_result invalidate(const belfry_fact& fact);
    belfry_fact_result amend(const belfry_fact& fact);
    std::vector<belfry_fact_result> settle(bool amends, std::string_view app_name,
                                           const std::vector<belfry_fact>& facts);

    // All pages of a list, `limit` rows each; *total as the first page says (-1 unless wanted).
    std::vector<Row> list(const Which& which = {}, uint32_t fields = kAllFields, uint32_t limit = 1000,
                          int64_t* total = nullptr);
    std::vector<Pair> device_topics(const Which& which = {}, uint32_t limit = 1000, int64_t* total = nullptr);
    std::vector<Pair> user_topics(const Which& which = {}, uint32_t limit = 1000, int64_t* total = nullptr);
    int64_t count(const Which& which);

    // One page; topic "" scans all devices.
    ScanPage scan(std::string_view topic, int64_t after, int64_t hi, uint32_t want, uint32_t fields = kFanoutFields,
                  uint32_t budget = 1000000);
    std::vector<Row> scan_all(std::string_view topic, uint32_t want = 1000, uint32_t fields = kFanoutFields,
                              int64_t after = -1, int64_t hi = BELFRY_KEY_END);
    std::vector<int64_t> scan_keys(std::string_view topic, int64_t after = -1, int64_t hi = BELFRY_KEY_END,
                                   uint32_t want = 1000);

    std::vector<Row> fetch_keys(const std::vector<int64_t>& keys, uint32_t fields = kAllFields);
    std::vector<Row> fetch_users(const std::vector<std::string>& users, uint32_t each, uint32_t fields = kAllFields);
    std::vector<Row> fetch_identities(const std::vector<Hash16>& hashes);
    // The one device behind a key; fails the case if it is not there.
    Row at(int64_t key);
    bool exists(int64_t key);

    // What calls about apps other than `app` use.
    std::string current_app = app;
};

belfry_fact fact_of(int64_t key, std::string_view token);
belfry_fact fact_of_identity(std::string_view provider, std::string_view token);
Row owned(const belfry_device& device);

// `n` phones with made-up but unique tokens, prefixes spread over 256 buckets.
std::vector<Phone> some_phones(size_t n, const std::string& name = "t", const std::vector<std::string>& topics = {});
std::vector<int64_t> keys_of(const std::vector<Row>& rows);
std::vector<int64_t> sorted(std::vector<int64_t> keys);

// Holds a table of strings as belfry_str.
class Strings {
public:
    explicit Strings(const std::vector<std::string>& texts);
    belfry_list list() const;

private:
    std::vector<belfry_str> views_;
};

}  // namespace belfry::conformance
