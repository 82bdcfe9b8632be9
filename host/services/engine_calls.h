// SPDX-License-Identifier: Apache-2.0
// The engine behind HttpCalls; made in main.
#pragma once

#include "services/http_calls.h"

namespace belfry::services {

class EngineCalls final : public HttpCalls {
public:
    explicit EngineCalls(http::Engine& engine) : engine_(engine) {}
    Result<http::EndpointId> add_endpoint(const http::EndpointConfig& endpoint) override {
        return engine_.add_endpoint(endpoint);
    }
    Result<http::CallAnswer> call(http::EndpointId endpoint, const http::CallRequest& request,
                                  int64_t deadline_mono_ns) override {
        return engine_.call(endpoint, request, deadline_mono_ns);
    }

private:
    http::Engine& engine_;
};

}  // namespace belfry::services
