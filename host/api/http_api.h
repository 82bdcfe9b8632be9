// SPDX-License-Identifier: Apache-2.0
// The HTTP side of the API without sockets: routes, authentication, bodies, envelopes and error modes.
//
// The order of refusals is that of the published server: unknown path 404, method 405, key 401, size 413, memory 111,
// JSON 400, then the method's own codes. Threads: handle() is [any], one call per request in work. Owner: Server.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/admin.h"
#include "api/api_keys.h"
#include "api/body_memory.h"
#include "api/http_message.h"
#include "api/service.h"

namespace belfry::api {

inline constexpr int kStreamsMax = 8;

struct HttpOptions {
    int64_t max_body_bytes = 32 << 20;
    int64_t body_memory_bytes = 64 << 20;
    int64_t body_readers_max = 192;     // requests whose long bodies are being read; each keeps a thread
    int64_t streams_max = kStreamsMax;  // imports and exports at one time; each keeps a thread
    bool transport_errors = false;      // the default error mode
};

struct ComponentState {
    std::string name, detail;
    bool ready = true;
};

// What the GET endpoints show; asked at each request.
struct Insight {
    std::function<std::string()> metrics;                    // Prometheus text
    std::function<std::vector<ComponentState>()> readiness;  // not ready: 503
    std::string version;
};

class HttpApi {
public:
    HttpApi(const HttpOptions& options, Service& service, const ApiKeys& keys, Insight insight);
    // Serves /admin/ too, to those who have one of `keys`. Before the first request.
    void offer_admin(Admin& admin, const ApiKeys& keys) noexcept {
        admin_ = &admin;
        admin_keys_ = &keys;
    }
    // The request may end with this, though the answer comes later.
    HttpResponse handle(HttpRequest& request);
    // From now on /ready answers 503, so that balancers go elsewhere.
    void set_stopping() noexcept { stopping_ = true; }

private:
    HttpResponse serve_page(HttpRequest& request, std::string_view path);
    HttpResponse call_admin(HttpRequest& request, std::string_view name, std::string_view query);
    HttpResponse call_method(HttpRequest& request, const Method& method, std::string_view query);
    HttpResponse import_devices(HttpRequest& request, const App& app, const Method& method, bool transport_errors);
    HttpResponse export_devices(const std::shared_ptr<const App>& app, const Method& method, const json::Value& params,
                                bool transport_errors);
    std::optional<HttpResponse> read_body(HttpRequest& request, bool transport_errors, BodyMemory::Share& share,
                                          std::string& body);
    HttpResponse health() const;
    HttpResponse ready() const;

    const HttpOptions options_;
    Service& service_;
    const ApiKeys& keys_;
    Admin* admin_ = nullptr;
    const ApiKeys* admin_keys_ = nullptr;
    const Insight insight_;
    const std::string openapi_;
    BodyMemory memory_, readers_, streams_;
    std::atomic<bool> stopping_{false};
};

// The answer for a fault in either error mode.
HttpResponse answer_of(const Fault& fault, bool transport_errors);

}  // namespace belfry::api
