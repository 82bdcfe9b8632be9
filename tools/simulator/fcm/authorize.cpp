// SPDX-License-Identifier: Apache-2.0
#include "fcm/authorize.h"

#include <algorithm>
#include <string_view>

#include "fcm/errors.h"

namespace belfry::simulator {

Caller authorize(const World& world, const Request& request) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view value = request.header("authorization");
    if (value.empty()) return {access_token_missing(), {}};
    if (!value.starts_with(kScheme)) return {access_token_unknown(), {}};
    const TokenCheck token = world.oauth.check(value.substr(kScheme.size()), world.clock.uptime());
    if (token.state == TokenState::Unknown) return {access_token_unknown(), {}};
    if (token.state == TokenState::Expired) return {access_token_expired(), {}};
    return {std::nullopt, token.project};
}

std::optional<Reply> check_project(const World& world, const Caller& caller, const std::string& project) {
    if (std::find(world.projects.begin(), world.projects.end(), project) == world.projects.end()) return not_found();
    if (world.settings.missing_role) return permission_denied();
    if (caller.project != project && !world.settings.cross_project) return permission_denied();
    return std::nullopt;
}

}  // namespace belfry::simulator
