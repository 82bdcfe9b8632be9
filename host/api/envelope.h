// SPDX-License-Identifier: Apache-2.0
// How answers are wrapped on the wire. Threads: [any].
#pragma once

#include <string>
#include <string_view>

#include "api/fault.h"

namespace belfry::api {

// {"code":107,"message":"..."}
std::string bare(const Fault& fault);
// {"result":...}
std::string enveloped(std::string_view result);
// {"error":{"code":107,"message":"..."}}
std::string enveloped(const Fault& fault);

}  // namespace belfry::api
