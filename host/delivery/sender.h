// SPDX-License-Identifier: Apache-2.0
// The http engine as delivery uses it, so that tests can answer in its place. Calls are per portion, never per
// delivery.
//
// Threads: [any].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/plan.h"

namespace belfry::http {
class Engine;
}

namespace belfry::delivery {

class Sender {
public:
    virtual ~Sender() = default;
    // What each of these means is written in http/engine.h.
    virtual void submit(http::Portion&) = 0;
    virtual void recall(http::Portion&) = 0;
    virtual uint32_t credit(http::EndpointId) const = 0;
    virtual void retire(http::EndpointId) = 0;
    virtual std::string last_connect_error(http::EndpointId) const = 0;
    virtual Result<http::EndpointId> origin(http::EndpointId like, std::string_view url) = 0;
    virtual uint32_t connections(http::EndpointId) const = 0;
    virtual void stop(int64_t deadline_mono_ns) = 0;
};

}  // namespace belfry::delivery
