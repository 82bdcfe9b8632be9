// SPDX-License-Identifier: Apache-2.0
#include "net/exchange.h"

namespace belfry::simulator {

std::string_view Request::header(std::string_view name) const {
    for (const Header& candidate : headers) {
        if (candidate.name == name) return candidate.value;
    }
    return {};
}

}  // namespace belfry::simulator
