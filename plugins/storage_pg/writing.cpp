// SPDX-License-Identifier: Apache-2.0
// Registrations, patches, removals, users' topics and what providers said about tokens: what they mean. How a batch is
// read and written: edit.h.
#include <algorithm>
#include <unordered_map>

#include "storage/checks.h"
#include "storage/limits.h"
#include "storage_pg/store.h"
#include "storage_pg/text.h"

namespace belfry::storage_pg {

namespace {

Hash hash_of(const uint8_t (&bytes)[16]) {
    Hash hash;
    std::copy(std::begin(bytes), std::end(bytes), hash.begin());
    return hash;
}

std::vector<std::string_view> views_of(belfry_list names) {
    std::vector<std::string_view> views;
    for (const belfry_str& name : Rows<belfry_str>(names)) views.push_back(view(name));
    return views;
}

bool are_texts(belfry_list names) {
    for (const belfry_str& name : Rows<belfry_str>(names)) {
        if (!is_text(view(name))) return false;
    }
    return true;
}

belfry_code check(const belfry_registration& row) {
    const belfry_code code = storage::check_registration(row);
    if (code != BELFRY_OK) return code;
    for (const belfry_str text : {row.provider, row.user, row.platform, row.timezone, row.locale, row.meta}) {
        if (!is_text(view(text))) return BELFRY_BAD_REQUEST;
    }
    return are_texts(row.topics) ? BELFRY_OK : BELFRY_BAD_REQUEST;
}

// The whole state that a registration asks for, bound topics included; key and times are left open.
Device state_of(const belfry_registration& row, const Names::Topics& topics, const Edit& edit) {
    Device device;
    device.provider = view(row.provider);
    device.token = view(row.token);
    device.data = view(row.data);
    device.user = view(row.user);
    device.platform = view(row.platform);
    device.timezone = view(row.timezone);
    device.locale = view(row.locale);
    device.meta = view(row.meta);
    device.variant = row.variant;
    device.token_hash = hash_of(row.token_hash);
    device.identity = hash_of(row.identity_hash);
    for (const std::string_view topic : views_of(row.topics))
        storage::add_origin(device.topics, topics.at(topic), BELFRY_ORIGIN_DEVICE);
    if (!device.user.empty()) {
        for (const int64_t topic : edit.bound_to(device.user))
            storage::add_origin(device.topics, topic, BELFRY_ORIGIN_USER);
    }
    for (const int64_t topic : edit.bound_to({})) storage::add_origin(device.topics, topic, BELFRY_ORIGIN_GLOBAL);
    return device;
}

// Belongs to a token, whatever device has it.
void keep_variant(const Device* holder, Device& device) {
    if (holder != nullptr && holder->provider == device.provider && holder->token_hash == device.token_hash)
        device.variant = holder->variant;
}

belfry_registered register_one(Edit& edit, const belfry_registration& row, const Names::Topics& topics, int64_t now) {
    belfry_registered result = sized<belfry_registered>();
    Device device = state_of(row, topics, edit);
    result.evicted_key = -1;
    const auto holder = edit.holder_of(device.identity);
    if (holder && (row.flags & BELFRY_REGISTRATION_VARIANT_GUESSED) != 0) keep_variant(edit.find(*holder), device);
    const int64_t wanted = row.key >= 0 ? row.key : holder.value_or(-1);
    if (holder && *holder != wanted) {
        edit.erase(*holder);
        result.flags |= BELFRY_REGISTERED_EVICTED;
        result.evicted_key = *holder;
    }
    const Device* before = wanted >= 0 ? edit.find(wanted) : nullptr;
    device.key = wanted >= 0 ? wanted : edit.new_key(row.prefix);
    device.created = before != nullptr ? before->created : now;
    device.registered = device.updated = now;
    if (before == nullptr) {
        result.flags |= BELFRY_REGISTERED_CREATED;
    } else if (same_state(*before, device)) {
        device.updated = before->updated;
    } else {
        result.flags |= BELFRY_REGISTERED_CHANGED;
    }
    result.key = device.key;
    edit.put(std::move(device));
    return result;
}

void switch_bound(const Edit& edit, Device& device) {
    storage::drop_origin(device.topics, BELFRY_ORIGIN_USER, {});
    if (device.user.empty()) return;
    for (const int64_t topic : edit.bound_to(device.user))
        storage::add_origin(device.topics, topic, BELFRY_ORIGIN_USER);
}

std::vector<int64_t> sorted_numbers(belfry_list names, const Names::Topics& topics) {
    std::vector<int64_t> numbers;
    for (const std::string_view name : views_of(names)) {
        if (const auto known = topics.find(name); known != topics.end()) numbers.push_back(known->second);
    }
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    return numbers;
}

belfry_code patch_topics(const belfry_patch& patch, const Names::Topics& topics, Device& device) {
    const std::vector<int64_t> numbers = sorted_numbers(patch.topics, topics);
    if (patch.topic_op == BELFRY_TOPICS_REMOVE) {
        for (TopicRef& ref : device.topics) {
            if (std::binary_search(numbers.begin(), numbers.end(), ref.topic))
                ref.origins &= ~uint32_t{BELFRY_ORIGIN_DEVICE};
        }
        std::erase_if(device.topics, [](const TopicRef& ref) { return ref.origins == 0; });
        return BELFRY_OK;
    }
    if (patch.topic_op == BELFRY_TOPICS_SET) storage::drop_origin(device.topics, BELFRY_ORIGIN_DEVICE, numbers);
    for (const int64_t number : numbers) storage::add_origin(device.topics, number, BELFRY_ORIGIN_DEVICE);
    const auto chosen = std::count_if(device.topics.begin(), device.topics.end(),
                                      [](const TopicRef& ref) { return (ref.origins & BELFRY_ORIGIN_DEVICE) != 0; });
    return static_cast<size_t>(chosen) <= storage::kTopicsPerDeviceMax ? BELFRY_OK : BELFRY_TOO_LARGE;
}

belfry_code patch_one(Edit& edit, const Device& before, const belfry_patch& patch, const Names::Topics& topics,
                      int64_t now) {
    if ((patch.flags & BELFRY_PATCH_GUARD_USER) != 0 && before.user != view(patch.guard_user)) return BELFRY_CONFLICT;
    Device after = before;
    if ((patch.flags & BELFRY_PATCH_USER) != 0) after.user = view(patch.user);
    if ((patch.flags & BELFRY_PATCH_META) != 0) after.meta = view(patch.meta);
    if ((patch.flags & BELFRY_PATCH_TIMEZONE) != 0) after.timezone = view(patch.timezone);
    if ((patch.flags & BELFRY_PATCH_LOCALE) != 0) after.locale = view(patch.locale);
    if ((patch.flags & BELFRY_PATCH_TOPICS) != 0) {
        const belfry_code code = patch_topics(patch, topics, after);
        if (code != BELFRY_OK) return code;
    }
    if ((patch.flags & BELFRY_PATCH_USER) != 0 && (patch.flags & BELFRY_PATCH_SYNC_TOPICS) != 0)
        switch_bound(edit, after);
    if (same_state(before, after)) return BELFRY_OK;
    after.updated = now;
    edit.put(std::move(after));
    return BELFRY_OK;
}

Names::Unknown numbering(int32_t op) {
    return op == BELFRY_TOPICS_REMOVE ? Names::Unknown::LeaveOut : Names::Unknown::Number;
}

belfry_code check(const belfry_user_topics& change) {
    if (!storage::is_name(change.user, true)) return BELFRY_TOO_LARGE;
    if (change.op < BELFRY_TOPICS_ADD || change.op > BELFRY_TOPICS_SET) return BELFRY_BAD_REQUEST;
    if (!is_text(view(change.user)) || !are_texts(change.topics)) return BELFRY_BAD_REQUEST;
    return storage::check_names(change.topics);
}

// Changes the binding, and the subscriptions of origin user of the user's devices; how many devices changed.
uint32_t bind_one(Edit& edit, const belfry_user_topics& change, const Names::Topics& topics, int64_t now) {
    const std::string_view user = view(change.user);
    const std::vector<int64_t> named = sorted_numbers(change.topics, topics);
    std::vector<int64_t> bound;
    if (change.op != BELFRY_TOPICS_SET) bound = edit.bound_to(user);
    if (change.op == BELFRY_TOPICS_REMOVE) {
        std::erase_if(bound, [&](int64_t topic) { return std::binary_search(named.begin(), named.end(), topic); });
    } else {
        bound.insert(bound.end(), named.begin(), named.end());
    }
    std::sort(bound.begin(), bound.end());
    bound.erase(std::unique(bound.begin(), bound.end()), bound.end());
    edit.bind(user, bound);
    uint32_t changed = 0;
    for (const int64_t key : edit.keys_of_user(user)) {
        const Device& before = *edit.find(key);
        Device after = before;
        switch_bound(edit, after);
        if (same_state(before, after)) continue;
        after.updated = now;
        edit.put(std::move(after));
        ++changed;
    }
    return changed;
}

}  // namespace

void Store::register_devices(App app, Rows<belfry_registration> rows, const Emit<belfry_registered>& emit) {
    for (size_t at = 0; at < rows.size(); at += storage::kRowsPerTransaction) {
        const size_t end = std::min(rows.size(), at + storage::kRowsPerTransaction);
        std::vector<belfry_registered> results;
        std::vector<belfry_code> codes;
        Names::Topics topics;
        const auto prepare = [&](pg::Connection& connection, const Names::App& number, Scope& scope) {
            std::vector<std::string_view> names;
            codes.clear();
            scope.bound_of.insert(std::string_view());
            for (size_t i = at; i < end; ++i) {
                const belfry_registration row = rows.known(i);
                codes.push_back(check(row));
                if (codes.back() != BELFRY_OK) continue;
                if (row.key >= 0) scope.keys.push_back(row.key);
                scope.identities.push_back(hash_of(row.identity_hash));
                scope.bound_of.insert(view(row.user));
                for (const std::string_view topic : views_of(row.topics)) names.push_back(topic);
            }
            topics = names_.topic_numbers(connection, number, names, Names::Unknown::Number, until());
        };
        edit(app, Again::SaysTheSame, prepare, [&](Edit& edit) {
            results.clear();
            const int64_t now = services_.unix_ms();
            for (size_t i = at; i < end; ++i) {
                if (codes[i - at] == BELFRY_OK) {
                    results.push_back(register_one(edit, rows.known(i), topics, now));
                } else {
                    results.push_back(sized<belfry_registered>());
                    results.back().key = results.back().evicted_key = -1;
                }
                results.back().code = codes[i - at];
                results.back().index = static_cast<uint32_t>(i);
            }
        });
        if (!emit.all(results)) return;
    }
}

// Keys first, then users, one result each; with both, a device must match both, and the users' results count the keys'
// devices.
void Store::change_devices(App app, const belfry_selection& which, const Prepare& prepare, const Change& change,
                           const Emit<belfry_item_result>& emit) {
    const Rows<int64_t> keys(which.keys);
    const std::vector<std::string_view> users = views_of(which.users);
    if (keys.empty() && users.empty()) throw Refused(BELFRY_BAD_REQUEST, "selection", "name devices by key or user");
    std::vector<belfry_item_result> results;
    const auto scoped = [&](pg::Connection& connection, const Names::App& number, Scope& scope) {
        for (const int64_t key : keys) scope.keys.push_back(key);
        if (keys.empty()) scope.users_devices = users;
        prepare(connection, number, scope);
    };
    const bool known = edit(app, Again::SaysOtherwise, scoped, [&](Edit& edit) {
        results.clear();
        std::unordered_map<std::string_view, uint32_t> changed_of_user;
        for (size_t i = 0; i < keys.size(); ++i) {
            const Device* before = edit.find(keys[i]);
            const auto owner = before == nullptr ? users.end() : std::find(users.begin(), users.end(), before->user);
            const bool matches = before != nullptr && (users.empty() || owner != users.end());
            const belfry_code code = matches ? change(edit, *before) : belfry_code{BELFRY_NOT_FOUND};
            if (code == BELFRY_OK && !users.empty()) ++changed_of_user[*owner];
            results.push_back(storage::item_result(i, keys[i], code, code == BELFRY_OK ? 1 : 0));
        }
        for (size_t i = 0; i < users.size(); ++i) {
            belfry_item_result result = storage::item_result(keys.size() + i, -1, BELFRY_OK, changed_of_user[users[i]]);
            for (const int64_t key : keys.empty() ? edit.keys_of_user(users[i]) : std::vector<int64_t>()) {
                const belfry_code code = change(edit, *edit.find(key));
                if (code == BELFRY_OK) ++result.changed;
                if (code != BELFRY_OK) result.code = code;
            }
            results.push_back(result);
        }
    });
    if (!known) {
        for (size_t i = 0; i < keys.size(); ++i)
            results.push_back(storage::item_result(i, keys[i], BELFRY_NOT_FOUND, 0));
        for (size_t i = 0; i < users.size(); ++i)
            results.push_back(storage::item_result(keys.size() + i, -1, BELFRY_OK, 0));
    }
    emit.all(results);
}

void Store::update_devices(App app, const belfry_selection& which, const belfry_patch& patch,
                           const Emit<belfry_item_result>& emit) {
    storage::check_patch(patch);
    for (const belfry_str text : {patch.user, patch.meta, patch.timezone, patch.locale}) {
        if (!is_text(view(text))) throw Refused(BELFRY_BAD_REQUEST, {}, "a patch holds UTF-8 without NUL");
    }
    if (!are_texts(patch.topics)) throw Refused(BELFRY_BAD_REQUEST, "topics", "a topic is UTF-8 without NUL");
    Names::Topics topics;
    change_devices(
        app, which,
        [&](pg::Connection& connection, const Names::App& number, Scope& scope) {
            if ((patch.flags & BELFRY_PATCH_USER) != 0) scope.bound_of.insert(view(patch.user));
            if ((patch.flags & BELFRY_PATCH_TOPICS) != 0) {
                topics = names_.topic_numbers(connection, number, views_of(patch.topics), numbering(patch.topic_op),
                                              until());
            }
        },
        [&](Edit& edit, const Device& before) { return patch_one(edit, before, patch, topics, services_.unix_ms()); },
        emit);
}

void Store::remove_devices(App app, const belfry_selection& which, const Emit<belfry_item_result>& emit) {
    change_devices(
        app, which, [](pg::Connection&, const Names::App&, Scope&) {},
        [](Edit& edit, const Device& before) -> belfry_code {
            edit.erase(before.key);
            return BELFRY_OK;
        },
        emit);
}

void Store::update_user_topics(App app, Rows<belfry_user_topics> changes, const Emit<belfry_item_result>& emit) {
    std::vector<belfry_item_result> results;
    Names::Topics adding, removing;
    const auto prepare = [&](pg::Connection& connection, const Names::App& number, Scope& scope) {
        std::vector<std::string_view> added, removed;
        for (size_t i = 0; i < changes.size(); ++i) {
            const belfry_user_topics change = changes.known(i);
            if (check(change) != BELFRY_OK) continue;
            scope.users_devices.push_back(view(change.user));
            scope.bound_of.insert(view(change.user));
            auto& names = change.op == BELFRY_TOPICS_REMOVE ? removed : added;
            for (const std::string_view name : views_of(change.topics)) names.push_back(name);
        }
        scope.changes_bound = true;
        adding = names_.topic_numbers(connection, number, added, Names::Unknown::Number, until());
        removing = names_.topic_numbers(connection, number, removed, Names::Unknown::LeaveOut, until());
    };
    edit(app, Again::SaysTheSame, prepare, [&](Edit& edit) {
        results.clear();
        const int64_t now = services_.unix_ms();
        for (size_t i = 0; i < changes.size(); ++i) {
            const belfry_user_topics change = changes.known(i);
            const belfry_code code = check(change);
            const Names::Topics& topics = change.op == BELFRY_TOPICS_REMOVE ? removing : adding;
            const uint32_t changed = code == BELFRY_OK ? bind_one(edit, change, topics, now) : 0;
            results.push_back(storage::item_result(i, -1, code, changed));
        }
    });
    emit.all(results);
}

void Store::settle_facts(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit, const Verdict& act) {
    const auto judge = [&](Edit& edit, const belfry_fact& fact) {
        belfry_fact_result result = sized<belfry_fact_result>();
        const auto key = fact.key >= 0 ? std::optional(fact.key) : edit.holder_of(hash_of(fact.identity_hash));
        result.key = key.value_or(fact.key);
        const Device* device = key ? edit.find(*key) : nullptr;
        result.code = BELFRY_NOT_FOUND;
        if (device == nullptr) return result;
        result.code = BELFRY_CONFLICT;
        if (device->token_hash != hash_of(fact.token_hash)) return result;
        if (fact.unless_registered_after_ms != 0 && device->registered > fact.unless_registered_after_ms) return result;
        act(edit, *device, fact);
        result.code = BELFRY_OK;
        return result;
    };
    for (size_t at = 0; at < facts.size(); at += storage::kRowsPerTransaction) {
        const size_t end = std::min(facts.size(), at + storage::kRowsPerTransaction);
        std::vector<belfry_fact_result> results(end - at, sized<belfry_fact_result>());
        const auto prepare = [&](pg::Connection&, const Names::App&, Scope& scope) {
            for (size_t i = at; i < end; ++i) {
                const belfry_fact fact = facts.known(i);
                if (fact.key >= 0) scope.keys.push_back(fact.key);
                if (fact.key < 0) scope.identities.push_back(hash_of(fact.identity_hash));
            }
        };
        const bool known = edit(app, Again::SaysOtherwise, prepare, [&](Edit& edit) {
            for (size_t i = at; i < end; ++i) results[i - at] = judge(edit, facts.known(i));
        });
        for (size_t i = at; i < end; ++i) {
            results[i - at].index = static_cast<uint32_t>(i);
            if (!known) results[i - at].code = BELFRY_NOT_FOUND;
        }
        if (!emit.all(results)) return;
    }
}

void Store::invalidate(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit) {
    settle_facts(app, facts, emit,
                 [](Edit& edit, const Device& device, const belfry_fact&) { edit.erase(device.key); });
}

// Learnt by the server, not said by the application: `updated` stays, so that it does not count as a sign of life.
void Store::amend(App app, Rows<belfry_fact> facts, const Emit<belfry_fact_result>& emit) {
    settle_facts(app, facts, emit, [](Edit& edit, const Device& device, const belfry_fact& fact) {
        Device after = device;
        after.variant = fact.variant;
        edit.put(std::move(after));
    });
}

}  // namespace belfry::storage_pg
