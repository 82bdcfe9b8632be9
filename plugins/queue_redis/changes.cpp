// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/changes.h"

namespace belfry::queue_redis {

Changes::Changes(const Keys& keys) : keys_(keys) {
    for (const char* name : {"number", "change", "closing"}) place(keys.of(name));
}

std::string Changes::place(const std::string& key) {
    const auto [entry, is_new] = places_.try_emplace(key, places_.size() + 1);
    if (is_new) named_.push_back(key);
    return std::to_string(entry->second);
}

void Changes::expect(const std::string& key, std::string_view field, std::string_view prefix) {
    ++expectations_;
    expected_.push_back(place(key));
    expected_.emplace_back(field);
    expected_.emplace_back(prefix);
}

void Changes::expect_no(const std::string& key) {
    expect(key, {}, {});
}

void Changes::write(std::string_view command, const std::string& key,
                    std::initializer_list<std::string_view> arguments) {
    ++writes_;
    written_.push_back(std::to_string(arguments.size()));
    written_.emplace_back(command);
    written_.push_back(place(key));
    written_.insert(written_.end(), arguments.begin(), arguments.end());
}

std::vector<int64_t> Changes::commit(redis::Connection& connection, const redis::Script& script,
                                     redis::Deadline deadline) {
    std::vector<int64_t> ended;
    if (empty()) return ended;
    std::vector<std::string> ends;
    for (const int64_t push : may_end_) {
        ends.push_back(place(keys_.of("of", push)));
        ends.push_back(place(keys_.of("owed", push)));
        ends.push_back(std::to_string(push));
    }
    const std::string counts[] = {std::to_string(expectations_), std::to_string(writes_), std::to_string(told_.size()),
                                  std::to_string(may_end_.size())};
    redis::Words keys(named_.begin(), named_.end());
    redis::Words arguments;
    const std::vector<std::string>* const sections[] = {&expected_, &written_, &told_, &ends};
    for (size_t i = 0; i < std::size(sections); ++i) {
        arguments.push_back(counts[i]);
        arguments.insert(arguments.end(), sections[i]->begin(), sections[i]->end());
    }
    connection.send(script, keys, arguments);
    const std::vector<redis::Reply> replies = connection.trip(deadline);
    const redis::Value answer = replies.front();
    if (answer[0].number() == 0) throw redis::lost_race();
    for (size_t i = 1; i < answer.size(); ++i) ended.push_back(answer[i].number());
    return ended;
}

}  // namespace belfry::queue_redis
