// SPDX-License-Identifier: Apache-2.0
// Random changes on a storage and on a model of a few maps; every way of reading must give what the model says.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "conformance/storage/cases.h"
#include "conformance/storage/world.h"

namespace belfry::conformance {

namespace {

using Origins = std::map<std::string, uint32_t>;

struct Stored {
    Phone phone;
    Origins topics;
};

// What a storage must hold, by the words of the specification and nothing else.
class Model {
public:
    void apply(Phone phone, int64_t key) {
        for (auto at = devices.begin(); at != devices.end();) {
            const bool same = at->second.phone.provider == phone.provider && at->second.phone.token == phone.token;
            if (same && phone.variant_guessed) phone.variant = at->second.phone.variant;
            at = same && at->first != key ? devices.erase(at) : std::next(at);
        }
        Stored stored;
        for (const auto& topic : phone.topics) stored.topics[topic] |= BELFRY_ORIGIN_DEVICE;
        if (!phone.user.empty()) add(stored.topics, phone.user, BELFRY_ORIGIN_USER);
        add(stored.topics, "", BELFRY_ORIGIN_GLOBAL);
        phone.key = key;
        stored.phone = std::move(phone);
        devices[key] = std::move(stored);
    }
    int64_t key_of(const Phone& phone) const {
        for (const auto& [key, stored] : devices) {
            if (stored.phone.provider == phone.provider && stored.phone.token == phone.token) return key;
        }
        return -1;
    }
    void bind(int32_t op, const std::string& user, const std::vector<std::string>& topics) {
        auto& set = bound[user];
        if (op == BELFRY_TOPICS_SET) set.clear();
        for (const auto& topic : topics) {
            if (op == BELFRY_TOPICS_REMOVE) {
                set.erase(topic);
            } else {
                set.insert(topic);
            }
        }
        if (user.empty()) return;
        for (auto& [key, stored] : devices) {
            if (stored.phone.user == user) switch_user_topics(stored);
        }
    }
    void switch_user_topics(Stored& stored) {
        drop(stored.topics, BELFRY_ORIGIN_USER, [](const std::string&) { return true; });
        if (!stored.phone.user.empty()) add(stored.topics, stored.phone.user, BELFRY_ORIGIN_USER);
    }
    template <class Fn>
    static void drop(Origins& topics, uint32_t origin, Fn&& which) {
        for (auto& [topic, origins] : topics) {
            if (which(topic)) origins &= ~origin;
        }
        std::erase_if(topics, [](const auto& entry) { return entry.second == 0; });
    }
    void add(Origins& topics, const std::string& user, uint32_t origin) const {
        const auto found = bound.find(user);
        if (found == bound.end()) return;
        for (const auto& topic : found->second) topics[topic] |= origin;
    }
    template <class Fn>
    std::vector<int64_t> keys_where(Fn&& fn) const {
        std::vector<int64_t> keys;
        for (const auto& [key, stored] : devices) {
            if (fn(stored)) keys.push_back(key);
        }
        return keys;
    }

    std::map<int64_t, Stored> devices;
    std::map<std::string, std::set<std::string>> bound;
};

// A storage and its model side by side.
class Pairing {
public:
    explicit Pairing(Context& context) : context_(context), world_(context) {}

    void change() {
        switch (context_.below(12)) {
            case 0:
                remove_some();
                break;
            case 1:
                bind_some();
                break;
            case 2:
                patch_topics();
                break;
            case 3:
                patch_fields();
                break;
            case 4:
                invalidate_some();
                break;
            case 5:
                amend_some();
                break;
            default:
                register_some();
                break;
        }
    }

    void compare() {
        compare_rows(world_.list({}, kAllFields, pick_limit()));
        compare_pairs();
        const std::string topic = pick(kTopics);
        const auto has_topic = [&](const Stored& s) { return s.topics.contains(topic); };
        require(keys_of(world_.scan_all(topic, pick_limit())) == model_.keys_where(has_topic), "members of " + topic);
        compare_rows(world_.scan_all("", pick_limit(), kAllFields));
        const std::string user = pick(kUsers);
        const auto is_users = [&](const Stored& s) { return s.phone.user == user && !user.empty(); };
        require(sorted(keys_of(world_.fetch_users({user}, 100000))) == model_.keys_where(is_users),
                "devices of " + user);
        compare_selection();
        int64_t total = 0;
        size_t bound = 0;
        for (const auto& [name, topics] : model_.bound) bound += topics.size();
        require_equal(world_.user_topics({}, pick_limit(), &total).size(), bound, "bound topics");
        require_equal(total, static_cast<int64_t>(bound), "total of bound topics");
    }

private:
    static constexpr std::array kTopics{"a", "b", "c", "d", "e/1", "e/2", "f"};
    static constexpr std::array kUsers{"", "ann", "bob", "cyd", "dan"};
    static constexpr std::array kProviders{"fcm", "apns", "hms"};
    static constexpr std::array kPlatforms{"", "android", "ios"};

    template <class Array>
    std::string pick(const Array& from) {
        return from[context_.below(from.size())];
    }
    uint32_t pick_limit() { return static_cast<uint32_t>(context_.below(60) + 1); }
    template <class Array>
    std::vector<std::string> pick_some(const Array& from, size_t most) {
        std::set<std::string> some;
        for (size_t i = context_.below(most + 1); i > 0; --i) some.insert(pick(from));
        some.erase("");
        return {some.begin(), some.end()};
    }
    int64_t pick_key() {
        if (model_.devices.empty() || context_.below(10) == 0) return static_cast<int64_t>(context_.below(1000));
        return std::next(model_.devices.begin(), static_cast<ptrdiff_t>(context_.below(model_.devices.size())))->first;
    }
    Stored* stored(int64_t key) {
        const auto found = model_.devices.find(key);
        return found == model_.devices.end() ? nullptr : &found->second;
    }

    Phone some_phone() {
        Phone phone;
        phone.token = "t" + std::to_string(context_.below(300));
        if (context_.below(4) == 0) phone.token = std::string(250, 'L') + phone.token;
        phone.provider = pick(kProviders);
        phone.prefix = static_cast<uint32_t>(context_.below(1024));
        phone.user = pick(kUsers);
        phone.platform = pick(kPlatforms);
        phone.locale = "l" + std::to_string(context_.below(5));
        phone.data = context_.below(3) == 0 ? "data" : "";
        phone.topics = pick_some(kTopics, 4);
        phone.variant =
            static_cast<uint32_t>(context_.below(3) == 0 ? context_.below(uint64_t{1} << 32U) : context_.below(3));
        phone.variant_guessed = context_.below(3) == 0;
        if (context_.below(5) == 0) phone.key = pick_key();
        return phone;
    }

    void register_some() {
        std::vector<Phone> phones;
        for (size_t i = context_.below(20) + 1; i > 0; --i) phones.push_back(some_phone());
        const auto results = world_.try_register(world_.app, phones);
        for (size_t i = 0; i < phones.size(); ++i) {
            require_equal(results[i].code, BELFRY_OK, "code of a registration");
            const int64_t holder = model_.key_of(phones[i]);
            const int64_t wanted = phones[i].key >= 0 ? phones[i].key : holder;
            if (wanted >= 0) require_equal(results[i].key, wanted, "key");
            const bool evicts = holder >= 0 && holder != results[i].key;
            require_equal((results[i].flags & BELFRY_REGISTERED_EVICTED) != 0, evicts, "evicts");
            const bool creates = stored(results[i].key) == nullptr;
            require_equal((results[i].flags & BELFRY_REGISTERED_CREATED) != 0, creates, "creates");
            model_.apply(phones[i], results[i].key);
        }
    }
    void remove_some() {
        const int64_t key = pick_key();
        const bool known = model_.devices.erase(key) == 1;
        require_equal(world_.remove({.keys = {key}})[0].code, known ? BELFRY_OK : BELFRY_NOT_FOUND,
                      "code of a removal");
    }
    void bind_some() {
        const std::string user = pick(kUsers);
        const auto op = static_cast<int32_t>(context_.below(3) + 1);
        const auto topics = pick_some(kTopics, 3);
        require_equal(world_.bind(op, user, topics).code, BELFRY_OK, "code of a binding");
        model_.bind(op, user, topics);
    }
    void patch_topics() {
        Change change;
        change.flags = BELFRY_PATCH_TOPICS;
        change.topic_op = static_cast<int32_t>(context_.below(3) + 1);
        change.topics = pick_some(kTopics, 3);
        const int64_t key = pick_key();
        const belfry_code code = world_.update({.keys = {key}}, change)[0].code;
        Stored* device = stored(key);
        require_equal(code, device != nullptr ? BELFRY_OK : BELFRY_NOT_FOUND, "code of a topic patch");
        if (device == nullptr) return;
        const std::set<std::string> named(change.topics.begin(), change.topics.end());
        if (change.topic_op == BELFRY_TOPICS_REMOVE) {
            Model::drop(device->topics, BELFRY_ORIGIN_DEVICE,
                        [&](const std::string& topic) { return named.contains(topic); });
            return;
        }
        if (change.topic_op == BELFRY_TOPICS_SET)
            Model::drop(device->topics, BELFRY_ORIGIN_DEVICE, [](const auto&) { return true; });
        for (const auto& topic : named) device->topics[topic] |= BELFRY_ORIGIN_DEVICE;
    }
    void patch_fields() {
        Change change;
        change.flags = BELFRY_PATCH_LOCALE | BELFRY_PATCH_USER;
        if (context_.below(2) == 0) change.flags |= BELFRY_PATCH_SYNC_TOPICS;
        change.locale = "p" + std::to_string(context_.below(5));
        change.user = pick(kUsers);
        const int64_t key = pick_key();
        world_.update({.keys = {key}}, change);
        Stored* device = stored(key);
        if (device == nullptr) return;
        device->phone.locale = change.locale;
        device->phone.user = change.user;
        if ((change.flags & BELFRY_PATCH_SYNC_TOPICS) != 0) model_.switch_user_topics(*device);
    }
    // A fact about a device, half of them stale.
    belfry_fact some_fact(bool* holds) {
        const int64_t key = pick_key();
        const Stored* device = stored(key);
        const bool stale = context_.below(2) == 0;
        *holds = device != nullptr && !stale;
        if (device == nullptr) return fact_of(key, "none");
        if (context_.below(2) == 0) return fact_of(key, stale ? "stale" : device->phone.token);
        belfry_fact fact = fact_of_identity(device->phone.provider, device->phone.token);
        if (stale) fact.token_hash[0] ^= 1U;
        return fact;
    }
    void invalidate_some() {
        bool holds = false;
        const belfry_fact fact = some_fact(&holds);
        const belfry_fact_result result = world_.invalidate(fact);
        require_equal(result.code == BELFRY_OK, holds, "an invalidation holds");
        if (holds) require_equal(model_.devices.erase(result.key), 1U, "the device of the fact");
    }
    void amend_some() {
        bool holds = false;
        belfry_fact fact = some_fact(&holds);
        fact.variant = static_cast<uint32_t>(context_.below(10));
        const belfry_fact_result result = world_.amend(fact);
        require_equal(result.code == BELFRY_OK, holds, "an amendment holds");
        if (holds) stored(result.key)->phone.variant = fact.variant;
    }

    void compare_rows(const std::vector<Row>& rows) {
        require_equal(rows.size(), model_.devices.size(), "devices");
        for (const Row& row : rows) {
            const Stored* device = stored(row.key);
            require(device != nullptr, "a device that the model does not have");
            const Phone& phone = device->phone;
            require_equal(row.token, phone.token, "token");
            require_equal(row.provider, phone.provider, "provider");
            require_equal(row.user, phone.user, "user");
            require_equal(row.platform, phone.platform, "platform");
            require_equal(row.locale, phone.locale, "locale");
            require_equal(row.data, phone.data, "data");
            require_equal(row.variant, phone.variant, "variant");
            std::vector<std::string> topics;
            for (const auto& [topic, origins] : device->topics) topics.push_back(topic);
            require(row.topics == topics, "topics");
        }
    }
    void compare_pairs() {
        std::vector<Pair> wanted;
        for (const auto& [key, device] : model_.devices) {
            for (const auto& [topic, origins] : device.topics)
                wanted.push_back({key, device.phone.user, topic, origins});
        }
        require(world_.device_topics({}, pick_limit()) == wanted, "pairs and their origins");
    }
    void compare_selection() {
        Which which;
        if (context_.below(3) == 0) {
            for (size_t i = context_.below(20); i > 0; --i) which.keys.push_back(pick_key());
        }
        if (context_.below(3) == 0) which.users = pick_some(kUsers, 3);
        if (context_.below(2) == 0) which.topics = pick_some(kTopics, 3);
        if (context_.below(2) == 0) which.providers = pick_some(kProviders, 2);
        if (context_.below(3) == 0) which.platforms = pick_some(kPlatforms, 2);
        const auto wanted = model_.keys_where([&](const Stored& device) {
            const auto in = [](const auto& list, const auto& value) {
                return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
            };
            const auto has = [&](const std::string& topic) { return device.topics.contains(topic); };
            return in(which.keys, device.phone.key) && in(which.users, device.phone.user) &&
                   in(which.providers, device.phone.provider) && in(which.platforms, device.phone.platform) &&
                   (which.topics.empty() || std::any_of(which.topics.begin(), which.topics.end(), has));
        });
        int64_t total = 0;
        require(keys_of(world_.list(which, 0, pick_limit(), &total)) == wanted, "devices of a selection");
        require_equal(total, static_cast<int64_t>(wanted.size()), "total of a selection");
        if ((world_.table.flags & BELFRY_STORAGE_COUNTS) != 0) {
            require_equal(world_.count(which), static_cast<int64_t>(wanted.size()), "count of a selection");
        }
    }

    Context& context_;
    World world_;
    Model model_;
};

void agrees_with_the_model(Context& context) {
    Pairing pairing(context);
    for (int i = 0; i < 1500; ++i) {
        pairing.change();
        if (i % 25 == 0) pairing.compare();
    }
    pairing.compare();
}

constexpr std::array kCases{
    Case{"S17", "after 1,500 random changes every list, scan, fetch and count agrees with a model", 240,
         agrees_with_the_model},
};

}  // namespace

std::span<const Case> model_cases() {
    return kCases;
}

}  // namespace belfry::conformance
