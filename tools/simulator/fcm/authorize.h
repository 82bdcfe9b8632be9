// SPDX-License-Identifier: Apache-2.0
// Who may call: the bearer token, its project, and the role.
#pragma once

#include <optional>
#include <string>

#include "net/exchange.h"
#include "state/world.h"

namespace belfry::simulator {

struct Caller {
    std::optional<Reply> refusal;
    std::string project;  // of the access token
};

// Under world.mutex.
Caller authorize(const World& world, const Request& request);

// The refusal when `caller` may not use `project`. Under world.mutex.
std::optional<Reply> check_project(const World& world, const Caller& caller, const std::string& project);

}  // namespace belfry::simulator
