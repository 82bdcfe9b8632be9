// SPDX-License-Identifier: Apache-2.0
// Which registration is subscribed to which native topic.
//
// Threads: [one at a time].  Owner: World.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace belfry::simulator {

class Topics {
public:
    static constexpr std::size_t kTopicsPerTokenMax = 2000;
    static constexpr std::size_t kSubscriptionsMax = 1'000'000;

    enum class Added : std::uint8_t { Yes, AlreadyThere, TooMany };

    Added add(const std::string& token, const std::string& topic) {
        std::set<std::string>& topics = by_token_[token];
        if (topics.contains(topic)) return Added::AlreadyThere;
        if (topics.size() >= kTopicsPerTokenMax || count_ >= kSubscriptionsMax) return Added::TooMany;
        topics.insert(topic);
        ++count_;
        return Added::Yes;
    }

    bool remove(const std::string& token, const std::string& topic) {
        const auto found = by_token_.find(token);
        if (found == by_token_.end() || found->second.erase(topic) == 0) return false;
        --count_;
        return true;
    }

    [[nodiscard]] const std::map<std::string, std::set<std::string>>& all() const { return by_token_; }

    void clear() {
        by_token_.clear();
        count_ = 0;
    }

private:
    std::map<std::string, std::set<std::string>> by_token_;
    std::size_t count_ = 0;
};

}  // namespace belfry::simulator
