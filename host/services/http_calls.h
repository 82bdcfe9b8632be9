// SPDX-License-Identifier: Apache-2.0
// What belfry.http/1 needs of the HTTP engine, as an interface, so that tests can script the answers.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "http/engine.h"

namespace belfry::services {

class HttpCalls {
public:
    virtual ~HttpCalls() = default;
    virtual Result<http::EndpointId> add_endpoint(const http::EndpointConfig& endpoint) = 0;
    virtual Result<http::CallAnswer> call(http::EndpointId endpoint, const http::CallRequest& request,
                                          int64_t deadline_mono_ns) = 0;
};

}  // namespace belfry::services
