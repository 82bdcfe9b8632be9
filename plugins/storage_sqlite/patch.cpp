// SPDX-License-Identifier: Apache-2.0
// Changes of devices that exist: patches, removals, topics of users, and what providers said about tokens.
#include <belfry/abi.hpp>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "storage/checks.h"
#include "storage/limits.h"
#include "storage_sqlite/writer.h"

namespace belfry::storage {

using sqlite::Failure;

namespace {

bool contains(belfry_list names, std::string_view name) {
    for (const belfry_str& one : Rows<belfry_str>(names)) {
        if (view(one) == name) return true;
    }
    return false;
}

}  // namespace

// Keys first, then users, one result each; with both, a device must match both, and the users' results count the keys'
// devices.
void Writer::edit_devices(std::string_view app, const belfry_selection& which, belfry_emit emit, void* ctx,
                          const Edit& edit) {
    const Rows<int64_t> keys(which.keys);
    const Rows<belfry_str> users(which.users);
    if (keys.empty() && users.empty()) throw Failure(BELFRY_BAD_REQUEST, "name devices by key or user", "selection");
    std::vector<belfry_item_result> results;
    transact([&] {
        results.clear();
        const auto number = find_app(app);
        std::unordered_map<std::string, uint32_t> changed_of_user;
        const auto edit_one = [&](int64_t key) -> belfry_code {
            if (!number || !devices_.load(*number, key, before_)) return BELFRY_NOT_FOUND;
            if (!users.empty() && !contains(which.users, before_.user)) return BELFRY_NOT_FOUND;
            return edit(*number, before_);
        };
        for (size_t i = 0; i < keys.size(); ++i) {
            const belfry_code code = edit_one(keys[i]);
            if (code == BELFRY_OK && !users.empty()) ++changed_of_user[before_.user];
            results.push_back(item_result(i, keys[i], code, code == BELFRY_OK ? 1 : 0));
        }
        for (size_t i = 0; i < users.size(); ++i) {
            const std::string user = text(users[i]);
            uint32_t changed = 0;
            belfry_code refused = BELFRY_OK;
            if (!keys.empty()) {
                changed = changed_of_user[user];
            } else if (number) {
                for (const int64_t key : devices_.keys_of_user(*number, user, -1, UINT32_MAX)) {
                    const belfry_code code = edit_one(key);
                    if (code == BELFRY_OK) ++changed;
                    if (code != BELFRY_OK && BELFRY_CODE_CLASS(code) != BELFRY_NOT_FOUND) refused = code;
                }
            }
            results.push_back(item_result(keys.size() + i, -1, refused, changed));
        }
    });
    emit_all(results, emit, ctx);
}

void Writer::update_devices(std::string_view app, const belfry_selection& which, const belfry_patch& patch,
                            belfry_emit emit, void* ctx) {
    check_patch(patch);
    edit_devices(app, which, emit, ctx,
                 [&](int64_t number, const Device& before) { return patch_one(number, before, patch, now_()); });
}

void Writer::remove_devices(std::string_view app, const belfry_selection& which, belfry_emit emit, void* ctx) {
    edit_devices(app, which, emit, ctx, [&](int64_t number, const Device& before) -> belfry_code {
        devices_.erase(number, before);
        return BELFRY_OK;
    });
}

belfry_code Writer::patch_one(int64_t app, const Device& before, const belfry_patch& patch, int64_t now) {
    if ((patch.flags & BELFRY_PATCH_GUARD_USER) != 0 && before.user != view(patch.guard_user)) return BELFRY_CONFLICT;
    after_ = before;
    if ((patch.flags & BELFRY_PATCH_USER) != 0) after_.user = view(patch.user);
    if ((patch.flags & BELFRY_PATCH_META) != 0) after_.meta = view(patch.meta);
    if ((patch.flags & BELFRY_PATCH_TIMEZONE) != 0) after_.timezone = view(patch.timezone);
    if ((patch.flags & BELFRY_PATCH_LOCALE) != 0) after_.locale = view(patch.locale);
    if ((patch.flags & BELFRY_PATCH_TOPICS) != 0) {
        const belfry_code code = patch_topics(app, patch, after_);
        if (code != BELFRY_OK) return code;
    }
    if ((patch.flags & BELFRY_PATCH_USER) != 0 && (patch.flags & BELFRY_PATCH_SYNC_TOPICS) != 0)
        switch_bound(app, after_);
    if (!same_state(before, after_)) after_.updated = now;
    devices_.update(app, before, after_);
    return BELFRY_OK;
}

belfry_code Writer::patch_topics(int64_t app, const belfry_patch& patch, Device& device) {
    std::vector<int64_t> numbers;
    for (const belfry_str& name : Rows<belfry_str>(patch.topics)) {
        if (patch.topic_op == BELFRY_TOPICS_REMOVE) {
            if (const auto number = topics_.find(app, view(name))) numbers.push_back(*number);
        } else {
            numbers.push_back(topics_.number_of(app, view(name)));
        }
    }
    std::sort(numbers.begin(), numbers.end());
    if (patch.topic_op == BELFRY_TOPICS_REMOVE) {
        for (TopicRef& ref : device.topics) {
            if (std::binary_search(numbers.begin(), numbers.end(), ref.topic))
                ref.origins &= ~uint32_t{BELFRY_ORIGIN_DEVICE};
        }
        std::erase_if(device.topics, [](const TopicRef& ref) { return ref.origins == 0; });
        return BELFRY_OK;
    }
    if (patch.topic_op == BELFRY_TOPICS_SET) drop_origin(device.topics, BELFRY_ORIGIN_DEVICE, numbers);
    for (const int64_t number : numbers) add_origin(device.topics, number, BELFRY_ORIGIN_DEVICE);
    const auto chosen = std::count_if(device.topics.begin(), device.topics.end(),
                                      [](const TopicRef& ref) { return (ref.origins & BELFRY_ORIGIN_DEVICE) != 0; });
    if (static_cast<size_t>(chosen) <= kTopicsPerDeviceMax) return BELFRY_OK;
    // Numbers given for names that nobody took must not stay.
    for (const int64_t number : numbers) topics_.left(number);
    return BELFRY_TOO_LARGE;
}

void Writer::switch_bound(int64_t app, Device& device) {
    drop_origin(device.topics, BELFRY_ORIGIN_USER, {});
    if (device.user.empty()) return;
    for (const int64_t topic : topics_.bound_to(app, device.user)) add_origin(device.topics, topic, BELFRY_ORIGIN_USER);
}

void Writer::update_user_topics(std::string_view app, belfry_list changes, belfry_emit emit, void* ctx) {
    const Rows<belfry_user_topics> rows(changes);
    std::vector<belfry_item_result> results;
    transact([&] {
        results.clear();
        const int64_t number = app_number(app);
        const int64_t now = now_();
        for (size_t i = 0; i < rows.size(); ++i) {
            results.push_back(bind_one(number, rows.known(i), now));
            results.back().index = static_cast<uint32_t>(i);
        }
    });
    emit_all(results, emit, ctx);
}

belfry_item_result Writer::bind_one(int64_t app, const belfry_user_topics& change, int64_t now) {
    if (!is_name(change.user, true)) return item_result(0, -1, BELFRY_TOO_LARGE, 0);
    if (change.op < BELFRY_TOPICS_ADD || change.op > BELFRY_TOPICS_SET)
        return item_result(0, -1, BELFRY_BAD_REQUEST, 0);
    const belfry_code code = check_names(change.topics);
    if (code != BELFRY_OK) return item_result(0, -1, code, 0);
    const std::string_view user = view(change.user);
    std::vector<int64_t> bound = topics_.bound_to(app, user);
    if (change.op == BELFRY_TOPICS_SET) bound.clear();
    for (const belfry_str& name : Rows<belfry_str>(change.topics)) {
        if (change.op != BELFRY_TOPICS_REMOVE) {
            bound.push_back(topics_.number_of(app, view(name)));
        } else if (const auto number = topics_.find(app, view(name))) {
            std::erase(bound, *number);
        }
    }
    std::sort(bound.begin(), bound.end());
    bound.erase(std::unique(bound.begin(), bound.end()), bound.end());
    topics_.bind(app, user, bound);
    uint32_t changed = 0;
    if (user.empty()) return item_result(0, -1, BELFRY_OK, changed);
    for (const int64_t key : devices_.keys_of_user(app, user, -1, UINT32_MAX)) {
        if (!devices_.load(app, key, before_)) continue;
        after_ = before_;
        switch_bound(app, after_);
        if (same_state(before_, after_)) continue;
        after_.updated = now;
        devices_.update(app, before_, after_);
        ++changed;
    }
    return item_result(0, -1, BELFRY_OK, changed);
}

std::optional<int64_t> Writer::key_of_fact(int64_t app, const belfry_fact& fact) {
    if (fact.key >= 0) return fact.key;
    Hash identity;
    std::memcpy(identity.data(), static_cast<const uint8_t*>(fact.identity_hash), identity.size());
    return devices_.key_of(app, identity);
}

void Writer::settle_facts(std::string_view app, belfry_list facts, belfry_emit emit, void* ctx,
                          const std::function<void(int64_t, const Device&, const belfry_fact&)>& act) {
    const Rows<belfry_fact> rows(facts);
    std::vector<belfry_fact_result> results;
    const auto settle = [&](const std::optional<int64_t>& number, const belfry_fact& fact) {
        belfry_fact_result result = sized<belfry_fact_result>();
        const auto key = number ? key_of_fact(*number, fact) : std::nullopt;
        result.key = key.value_or(fact.key);
        result.code = BELFRY_NOT_FOUND;
        if (!key || !devices_.load(*number, *key, before_)) return result;
        result.code = BELFRY_CONFLICT;
        if (std::memcmp(before_.token_hash.data(), static_cast<const uint8_t*>(fact.token_hash),
                        before_.token_hash.size()) != 0) {
            return result;
        }
        if (fact.unless_registered_after_ms != 0 && before_.registered > fact.unless_registered_after_ms) return result;
        act(*number, before_, fact);
        result.code = BELFRY_OK;
        return result;
    };
    for (size_t at = 0; at < rows.size(); at += results.size()) {
        transact([&] {
            results.clear();
            const auto number = find_app(app);
            for (size_t i = at; i < rows.size() && !is_full(results.size()); ++i) {
                results.push_back(settle(number, rows.known(i)));
                results.back().index = static_cast<uint32_t>(i);
            }
        });
        if (!emit_all(results, emit, ctx)) return;
    }
}

void Writer::invalidate(std::string_view app, belfry_list facts, belfry_emit emit, void* ctx) {
    settle_facts(app, facts, emit, ctx,
                 [&](int64_t number, const Device& device, const belfry_fact&) { devices_.erase(number, device); });
}

// Learnt by the server, not said by the application: `updated` stays, so that it does not count as a sign of life.
void Writer::amend(std::string_view app, belfry_list facts, belfry_emit emit, void* ctx) {
    settle_facts(app, facts, emit, ctx, [&](int64_t number, const Device& device, const belfry_fact& fact) {
        after_ = device;
        after_.variant = fact.variant;
        devices_.update(number, device, after_);
    });
}

}  // namespace belfry::storage
