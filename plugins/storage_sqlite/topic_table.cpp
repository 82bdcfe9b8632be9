// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/topic_table.h"

#include <algorithm>

namespace belfry::storage {

namespace {
// A cache of names in use, about 100 bytes each; emptied when full.
constexpr size_t kNumbersMax = 20000;
}  // namespace

TopicTable::TopicTable(sqlite::Database& database)
    : database_(database),
      find_(database.prepare("SELECT id FROM topic WHERE app = ?1 AND name = ?2")),
      insert_(database.prepare("INSERT INTO topic (app, name) VALUES (?1, ?2)")),
      drop_(database.prepare("DELETE FROM topic WHERE id = ?1 RETURNING app, name")),
      is_subscribed_(database.prepare("SELECT 1 FROM subscription WHERE topic = ?1 LIMIT 1")),
      is_bound_(database.prepare("SELECT 1 FROM user_topic WHERE topic = ?1 LIMIT 1")),
      user_(database.prepare("SELECT id FROM bound_user WHERE app = ?1 AND name = ?2")),
      insert_user_(database.prepare("INSERT INTO bound_user (app, name) VALUES (?1, ?2)")),
      bound_(database.prepare("SELECT topic FROM user_topic WHERE user = ?1 ORDER BY topic")),
      bind_(database.prepare("INSERT INTO user_topic (user, topic) VALUES (?1, ?2)")),
      unbind_(database.prepare("DELETE FROM user_topic WHERE user = ?1 AND topic = ?2")),
      some_user_(database.prepare("SELECT id FROM bound_user WHERE app = ?1 LIMIT 1")),
      drop_user_(database.prepare("DELETE FROM bound_user WHERE id = ?1")) {}

std::string& TopicTable::cache_key(int64_t app, std::string_view name) {
    key_ = std::to_string(app);
    key_ += '/';
    key_ += name;
    return key_;
}

std::optional<int64_t> TopicTable::find(int64_t app, std::string_view name) {
    const auto cached = numbers_.find(cache_key(app, name));
    if (cached != numbers_.end()) return cached->second;
    const sqlite::ResetAtEnd reset(find_);
    if (!find_.with(app, name).step()) return std::nullopt;
    if (numbers_.size() >= kNumbersMax) numbers_.clear();
    numbers_.emplace(key_, find_.integer(0));
    return find_.integer(0);
}

int64_t TopicTable::number_of(int64_t app, std::string_view name) {
    if (const auto known = find(app, name)) return *known;
    insert_.with(app, name).run();
    const int64_t number = database_.last_insert_rowid();
    numbers_.emplace(key_, number);
    return number;
}

const std::vector<int64_t>& TopicTable::bound_to(int64_t app, std::string_view user) {
    if (user.empty()) {
        const auto cached = bound_to_everybody_.find(app);
        if (cached != bound_to_everybody_.end()) return cached->second;
    }
    bound_now_.clear();
    if (!has_bound_users(app)) return bound_now_;
    const sqlite::ResetAtEnd reset(user_);
    if (user_.with(app, user).step()) {
        bound_.with(user_.integer(0));
        while (bound_.step()) bound_now_.push_back(bound_.integer(0));
    }
    if (user.empty()) return bound_to_everybody_.emplace(app, bound_now_).first->second;
    return bound_now_;
}

// Most apps bind no topics to users: their registrations need not ask for each one.
bool TopicTable::has_bound_users(int64_t app) {
    const auto cached = has_bound_users_.find(app);
    if (cached != has_bound_users_.end()) return cached->second;
    const sqlite::ResetAtEnd reset(some_user_);
    return has_bound_users_.emplace(app, some_user_.with(app).step()).first->second;
}

void TopicTable::bind(int64_t app, std::string_view user, const std::vector<int64_t>& topics) {
    const std::vector<int64_t> before = bound_to(app, user);
    if (before == topics) return;
    has_bound_users_.erase(app);
    if (user.empty()) bound_to_everybody_.erase(app);
    int64_t id = 0;
    if (user_.with(app, user).step()) {
        id = user_.integer(0);
        user_.reset();
    } else {
        insert_user_.with(app, user).run();
        id = database_.last_insert_rowid();
    }
    for (const int64_t topic : before) {
        if (std::binary_search(topics.begin(), topics.end(), topic)) continue;
        unbind_.with(id, topic).run();
        left(topic);
    }
    for (const int64_t topic : topics) {
        if (!std::binary_search(before.begin(), before.end(), topic)) bind_.with(id, topic).run();
    }
}

uint32_t TopicTable::purge_bound(int64_t app, uint32_t limit) {
    uint32_t removed = 0;
    bound_to_everybody_.erase(app);
    has_bound_users_.erase(app);
    while (removed < limit && some_user_.with(app).step()) {
        const int64_t id = some_user_.integer(0);
        some_user_.reset();
        std::vector<int64_t> topics;
        bound_.with(id);
        while (bound_.step()) topics.push_back(bound_.integer(0));
        for (const int64_t topic : topics) {
            unbind_.with(id, topic).run();
            left(topic);
        }
        drop_user_.with(id).run();
        removed += 1 + static_cast<uint32_t>(topics.size());
    }
    return removed;
}

void TopicTable::drop_unused() {
    for (const int64_t topic : left_) {
        const sqlite::ResetAtEnd subscribed(is_subscribed_);
        const sqlite::ResetAtEnd bound(is_bound_);
        if (is_subscribed_.with(topic).step() || is_bound_.with(topic).step()) continue;
        drop_.with(topic);
        while (drop_.step()) numbers_.erase(cache_key(drop_.integer(0), drop_.text(1)));
    }
    left_.clear();
}

void TopicTable::forget() {
    numbers_.clear();
    bound_to_everybody_.clear();
    has_bound_users_.clear();
    left_.clear();
}

}  // namespace belfry::storage
