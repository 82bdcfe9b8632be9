// SPDX-License-Identifier: Apache-2.0
#include "fcm/condition.h"

#include <algorithm>

namespace belfry::simulator {

namespace {

constexpr int kTopicsMax = 5;
constexpr int kDepthMax = 32;
constexpr std::size_t kTopicNameMax = 900;

// Recursive descent; || binds weaker than &&, ! strongest.
class Parser {
public:
    Parser(std::string_view text, const std::function<bool(std::string_view)>& subscribed)
        : rest_(text), subscribed_(subscribed) {}

    std::optional<bool> parse() {
        const bool value = any_of();
        skip_space();
        if (failed_ || !rest_.empty() || topics_ > kTopicsMax) return std::nullopt;
        return value;
    }

private:
    bool any_of() {
        bool value = all_of();
        while (take("||")) value = all_of() || value;
        return value;
    }

    bool all_of() {
        bool value = term();
        while (take("&&")) value = term() && value;
        return value;
    }

    bool term() {
        if (failed_ || ++depth_ > kDepthMax) return fail();
        bool value = false;
        if (take("!")) {
            value = !term();
        } else if (take("(")) {
            value = any_of();
            if (!take(")")) return fail();
        } else {
            value = membership();
        }
        --depth_;
        return value;
    }

    bool membership() {
        if (!take("'")) return fail();
        const auto end = rest_.find('\'');
        if (end == std::string_view::npos) return fail();
        const std::string_view topic = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        if (!is_topic_name(topic) || !take("in") || !take("topics")) return fail();
        ++topics_;
        return subscribed_(topic);
    }

    void skip_space() {
        while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    }

    bool take(std::string_view token) {
        skip_space();
        if (!rest_.starts_with(token)) return false;
        rest_.remove_prefix(token.size());
        return true;
    }

    bool fail() {
        failed_ = true;
        return false;
    }

    std::string_view rest_;
    const std::function<bool(std::string_view)>& subscribed_;
    int topics_ = 0;
    int depth_ = 0;
    bool failed_ = false;
};

}  // namespace

bool is_topic_name(std::string_view name) {
    if (name.empty() || name.size() > kTopicNameMax) return false;
    return std::all_of(name.begin(), name.end(), [](char c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return letter || (c >= '0' && c <= '9') || std::string_view("-_.~%").find(c) != std::string_view::npos;
    });
}

std::optional<bool> evaluate_condition(std::string_view condition,
                                       const std::function<bool(std::string_view topic)>& subscribed) {
    return Parser(condition, subscribed).parse();
}

}  // namespace belfry::simulator
