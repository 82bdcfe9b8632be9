// SPDX-License-Identifier: Apache-2.0
// The devices of users, however many one of them has: what a push to users means.
// Threads: [work]; a function.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "plugins/storage.h"

namespace belfry::audience {

// Devices that one call reads: what a push to users may have, and what bounds its memory while it is planned.
constexpr uint32_t kDevicesOfUsersMax = 500'000;

// Each device once, in no particular order. `users` without duplicates. InvalidArgument after kDevicesOfUsersMax rows
// if there are more; DeadlineExceeded after some rows.
Status devices_of_users(plugins::Storage& storage, const Clock& clock, const std::string& app,
                        std::span<const std::string> users, uint32_t fields, int64_t deadline_mono_ns,
                        const std::function<void(const belfry_device&)>& take);

}  // namespace belfry::audience
