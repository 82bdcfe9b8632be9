// SPDX-License-Identifier: Apache-2.0
// Topic conditions: 'a' in topics && ('b' in topics || !('c' in topics)), at most five topics.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace belfry::simulator {

// Letters, digits and -_.~% (fcm.md section 2); 1 to 900 of them.
bool is_topic_name(std::string_view name);

// Nothing when `condition` is malformed or names more than five topics.
std::optional<bool> evaluate_condition(std::string_view condition,
                                       const std::function<bool(std::string_view topic)>& subscribed);

}  // namespace belfry::simulator
