// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/selection.h"

#include <belfry/abi.hpp>

#include <algorithm>

namespace belfry::storage {

namespace {

std::unordered_set<std::string_view> set_of(belfry_list names) {
    std::unordered_set<std::string_view> set;
    for (const belfry_str& name : Rows<belfry_str>(names)) set.insert(view(name));
    return set;
}

}  // namespace

Selection::Selection(Reader& reader, int64_t app, const belfry_selection& which)
    : reader_(reader),
      app_(app),
      users_(set_of(which.users)),
      topics_(set_of(which.topics)),
      providers_(set_of(which.providers)),
      platforms_(set_of(which.platforms)),
      prefix_(view(which.topic_prefix)) {
    for (const int64_t& key : Rows<int64_t>(which.keys)) keys_.push_back(key);
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
    for (const std::string_view name : topics_) {
        if (const auto number = reader_.topic_number(app_, name)) topic_numbers_.push_back(*number);
    }
    std::sort(topic_numbers_.begin(), topic_numbers_.end());
    if (!keys_.empty()) {
        driver_ = Driver::Keys;
    } else if (!users_.empty()) {
        driver_ = Driver::Users;
    } else if (!topics_.empty()) {
        driver_ = Driver::Topics;
    }
}

void Selection::collect(sqlite::Statement& statement) {
    while (statement.step()) found_.push_back({statement.integer(0), statement.integer(1)});
}

// The n smallest of the union are among the n smallest of every part.
const std::vector<Selection::Candidate>& Selection::next(int64_t after, uint32_t n) {
    found_.clear();
    switch (driver_) {
        case Driver::Keys:
            for (auto at = std::upper_bound(keys_.begin(), keys_.end(), after); at != keys_.end() && found_.size() < n;
                 ++at) {
                found_.push_back({*at, kTraitsUnread});
            }
            return found_;
        case Driver::Users:
            for (const std::string_view user : users_) collect(reader_.user_keys_.with(app_, user, after, n));
            break;
        case Driver::Topics:
            for (const int64_t topic : topic_numbers_) collect(reader_.topic_keys_.with(topic, after, n));
            break;
        case Driver::App:
            collect(reader_.app_keys_.with(app_, after, n));
            break;
    }
    const auto by_key = [](const Candidate& a, const Candidate& b) { return a.key < b.key; };
    const auto same_key = [](const Candidate& a, const Candidate& b) { return a.key == b.key; };
    std::sort(found_.begin(), found_.end(), by_key);
    found_.erase(std::unique(found_.begin(), found_.end(), same_key), found_.end());
    if (found_.size() > n) found_.resize(n);
    return found_;
}

bool Selection::has_wanted_labels(const Candidate& candidate, const DeviceView* row) {
    const auto wanted = [&](const std::unordered_set<std::string_view>& set, Word word,
                            std::string_view DeviceView::*text) {
        if (set.empty()) return true;
        if (row != nullptr) return set.contains(row->*text);
        const Traits traits(candidate.traits);
        return set.contains(reader_.words_.text(word, traits.id(word)));
    };
    return wanted(providers_, Word::Provider, &DeviceView::provider) &&
           wanted(platforms_, Word::Platform, &DeviceView::platform);
}

bool Selection::matches(const Candidate& candidate, DeviceView* row) {
    const bool has_labels = !providers_.empty() || !platforms_.empty();
    const bool needs_row = driver_ == Driver::Keys || (!users_.empty() && driver_ != Driver::Users) ||
                           (!topics_.empty() && driver_ != Driver::Topics) || (has_labels && candidate.traits < 0);
    row->key = -1;
    if (!needs_row) return has_wanted_labels(candidate, nullptr);
    if (!reader_.row(app_, candidate.key, Columns::Wide, row)) {
        row->key = -1;
        return false;
    }
    if (!users_.empty() && !users_.contains(row->user)) return false;
    if (!topics_.empty() && driver_ != Driver::Topics) {
        decode_topics(row->topics, refs_);
        const auto is_one = [&](const TopicRef& ref) {
            return std::binary_search(topic_numbers_.begin(), topic_numbers_.end(), ref.topic);
        };
        if (std::none_of(refs_.begin(), refs_.end(), is_one)) return false;
    }
    return has_wanted_labels(candidate, row);
}

bool Selection::is_wanted_topic(std::string_view name) const {
    return (topics_.empty() || topics_.contains(name)) && name.starts_with(prefix_);
}

}  // namespace belfry::storage
