// SPDX-License-Identifier: Apache-2.0
// Which of the simulated Google endpoints a request is for.
#pragma once

#include <cstdint>
#include <string>

#include "net/exchange.h"

namespace belfry::simulator {

enum class FcmMethod : std::uint8_t {
    Token,
    Send,
    IidBatchAdd,
    IidBatchRemove,
    SubscriptionCreate,
    SubscriptionGet,
    SubscriptionList,
    SubscriptionDelete,
    Unknown,  // answered with Google's HTML 404, as /batch and /fcm/send are today
};

struct RouteMatch {
    FcmMethod method = FcmMethod::Unknown;
    std::string project;
    std::string registration;
    std::string topic;
};

RouteMatch match_route(const Request& request);

}  // namespace belfry::simulator
