// SPDX-License-Identifier: Apache-2.0
// {"code", "msg", "requestId"} as Push Kit answers (hms.md section 6), with the variations that were seen.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/exchange.h"
#include "state/settings.h"

namespace belfry::simulator {

Reply hms_reply(const Settings& settings, int code, std::string_view msg, std::string_view request_id);

// Some or all tokens were bad. `by_word`: v3's words and their tokens; v1 and v2 name none.
Reply hms_bad_tokens(const Settings& settings, bool harmony, std::size_t success,
                     const std::map<std::string, std::vector<std::string>>& by_word, std::string_view request_id);

}  // namespace belfry::simulator
