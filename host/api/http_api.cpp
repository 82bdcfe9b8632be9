// SPDX-License-Identifier: Apache-2.0
#include "api/http_api.h"

#include <algorithm>

#include "api/device_export.h"
#include "api/device_import.h"
#include "api/envelope.h"
#include "api/json_writer.h"
#include "api/late_call.h"
#include "api/openapi.h"

namespace belfry::api {
namespace {

constexpr std::string_view kPrefix = "/api/";
constexpr std::string_view kAdminPrefix = "/admin/";
// A body takes memory as it comes: this first, then as much again each time.
constexpr int64_t kFirstStep = 64 * 1024;

// What a text inside a body costs at most besides its bytes once it is read: an entry of a list and its allocation.
constexpr int64_t kTextCost = 48;

// What a body and all that is made of it take together. A text has two quotation marks.
int64_t read_cost(std::string_view body) {
    const auto texts = std::count(body.begin(), body.end(), '"') / 2;
    return static_cast<int64_t>(body.size()) + texts * kTextCost;
}

HttpResponse plain(int status, std::string text, bool close = false) {
    HttpResponse response;
    response.status = status;
    response.content_type = "text/plain; charset=utf-8";
    response.body = std::move(text);
    response.close = close;
    return response;
}

HttpResponse empty(int status, bool close) {
    HttpResponse response = plain(status, {}, close);
    response.content_type.clear();
    return response;
}

HttpResponse json_page(std::string body, int status = 200) {
    HttpResponse response;
    response.status = status;
    response.body = std::move(body);
    return response;
}

bool has_body(const HttpRequest& request) {
    return request.content_length() != 0;
}

}  // namespace

HttpResponse answer_of(const Fault& fault, bool transport_errors) {
    HttpResponse response;
    response.body = transport_errors ? bare(fault) : enveloped(fault);
    if (transport_errors) {
        response.status = fault.http_status;
        if (fault.retry_after_ms > 0) {
            response.headers.emplace_back("Retry-After", std::to_string((fault.retry_after_ms + 999) / 1000));
        }
    }
    return response;
}

HttpApi::HttpApi(const HttpOptions& options, Service& service, const ApiKeys& keys, Insight insight)
    : options_(options),
      service_(service),
      keys_(keys),
      insight_(std::move(insight)),
      openapi_(openapi(insight_.version)),
      memory_(options.body_memory_bytes),
      readers_(options.body_readers_max),
      streams_(options.streams_max) {}

HttpResponse HttpApi::handle(HttpRequest& request) {
    const std::string_view target = request.target();
    const size_t mark = std::min(target.find('?'), target.size());
    const std::string_view path = target.substr(0, mark);
    const std::string_view query = mark < target.size() ? target.substr(mark + 1) : std::string_view();
    if (admin_ && path.substr(0, kAdminPrefix.size()) == kAdminPrefix)
        return call_admin(request, path.substr(kAdminPrefix.size()), query);
    if (path.substr(0, kPrefix.size()) != kPrefix) return serve_page(request, path);
    const Method* method = find_method(path.substr(kPrefix.size()));
    if (!method) return plain(404, "404 page not found\n", has_body(request));
    if (request.method() != "POST") return empty(405, has_body(request));
    return call_method(request, *method, query);
}

HttpResponse HttpApi::serve_page(HttpRequest& request, std::string_view path) {
    const bool known = path == "/health" || path == "/ready" || path == "/metrics" || path == "/openapi.json";
    if (!known) return plain(404, "404 page not found\n", has_body(request));
    if (request.method() != "GET" && request.method() != "HEAD") return empty(405, has_body(request));
    if (path == "/health") return health();
    if (path == "/ready") return ready();
    if (path == "/openapi.json") return json_page(openapi_);
    HttpResponse response = plain(200, insight_.metrics());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
}

namespace {

void write_components(JsonWriter& out, const std::vector<ComponentState>& states) {
    out.key("components").open('[');
    for (const ComponentState& state : states) {
        out.open('{').key("name").text(state.name).key("ready").boolean(state.ready);
        out.text_unless_empty("detail", state.detail).close('}');
    }
    out.close(']');
}

}  // namespace

// Alive as long as it answers; what is wrong with a component is said, but no reason to restart the process.
HttpResponse HttpApi::health() const {
    JsonWriter out;
    out.open('{').key("status").text("ok");
    write_components(out, insight_.readiness());
    out.close('}');
    return json_page(out.take());
}

HttpResponse HttpApi::ready() const {
    const std::vector<ComponentState> states = insight_.readiness();
    const bool stopping = stopping_;
    const bool good =
        !stopping && std::all_of(states.begin(), states.end(), [](const ComponentState& s) { return s.ready; });
    JsonWriter out;
    out.open('{').key("status").text(stopping ? "stopping" : good ? "ready" : "not ready");
    write_components(out, states);
    out.close('}');
    return json_page(out.take(), good ? 200 : 503);
}

namespace {

Fault no_body_memory() {
    return too_many_requests("too many request bodies at once (http.body_memory_bytes); try again", 1000);
}

}  // namespace

HttpResponse HttpApi::call_method(HttpRequest& request, const Method& method, std::string_view query) {
    const std::shared_ptr<const App> app =
        keys_.authenticate({request.header("X-API-Key"), request.header("Authorization"), query});
    if (!app) return empty(401, has_body(request));
    const bool transport_errors = options_.transport_errors || request.header("X-Centrifugo-Error-Mode") == "transport";
    if (method.streams == Streams::Request) return import_devices(request, *app, method, transport_errors);
    BodyMemory::Share share(memory_);
    std::string body;
    if (auto refused = read_body(request, transport_errors, share, body)) return std::move(*refused);
    // As much as is left to one request alone, so that the longest body is read when nobody else is there.
    const int64_t cost = std::min(read_cost(body), options_.body_memory_bytes - share.taken());
    if (!share.take(cost)) return answer_of(no_body_memory(), transport_errors);
    if (!json::check(body)) return plain(400, "Bad Request\n");
    const json::Value params = json::root(body);
    if (!params.is(json::Type::Object) && !params.is(json::Type::Null)) return plain(400, "Bad Request\n");
    if (method.streams == Streams::Answer) return export_devices(app, method, params, transport_errors);
    // Keeps the app until the answer has come.
    const auto dress = [this, app, transport_errors, &method, began = service_.begin()](Answer&& answer) {
        service_.answered(method, answer, began);
        if (const Fault* fault = std::get_if<Fault>(&answer)) return answer_of(*fault, transport_errors);
        std::string& result = std::get<std::string>(answer);
        return json_page(method.id == MethodId::Batch ? std::move(result) : enveloped(result));
    };
    const auto late = std::make_shared<LateCall>(dress);
    HttpResponse response;
    response.late = late;
    service_.call_then(*app, method, params, [late](Answer&& answer) { late->arrive(std::move(answer)); });
    if (late->is_there()) return late->take();
    return response;
}

namespace {

Fault too_many_streams(int64_t most) {
    return too_many_requests(
        "too many imports and exports at once (" + std::to_string(most) + "); try again when one has ended", 5000);
}

// An export and the share of memory and threads it holds.
class ExportBody final : public BodyStream {
public:
    ExportBody(Service& service, const Method& method, BodyMemory& memory, BodyMemory& streams)
        : service_(service), method_(method), memory_(memory), stream_(streams) {}

    bool has_room() { return stream_.take(1) && memory_.take(kExportMemory); }
    std::optional<Fault> open(const std::shared_ptr<const App>& app, const json::Value& params, std::string& first) {
        auto made = service_.device_export(app, method_, params, first);
        if (Fault* fault = std::get_if<Fault>(&made)) return std::move(*fault);
        export_ = std::move(std::get<std::unique_ptr<DeviceExport>>(made));
        return std::nullopt;
    }
    Next next(std::string& piece) override {
        const Result<bool> more = export_->next(piece);
        if (more) return *more ? Next::More : Next::Last;
        service_.report(method_, more.error());
        piece += enveloped(fault_of(more.error())) + "\n";
        return Next::Broken;
    }

private:
    Service& service_;
    const Method& method_;
    BodyMemory::Share memory_, stream_;
    std::unique_ptr<DeviceExport> export_;
};

}  // namespace

HttpResponse HttpApi::import_devices(HttpRequest& request, const App& app, const Method& method,
                                     bool transport_errors) {
    BodyMemory::Share stream(streams_), memory(memory_);
    if (!stream.take(1) || !memory.take(kImportMemory)) {
        HttpResponse response = answer_of(too_many_streams(options_.streams_max), transport_errors);
        response.close = has_body(request);
        return response;
    }
    request.expect_pieces();
    bool ended = false;
    const std::optional<Answer> answer = service_.device_import(app, method, [&](char* into, size_t n) {
        const int64_t got = request.read(into, n);
        ended = got == 0;
        return got;
    });
    if (!answer) return plain(400, "Bad Request\n", true);
    if (const Fault* fault = std::get_if<Fault>(&*answer)) {
        HttpResponse response = answer_of(*fault, transport_errors);
        response.close = !ended;
        return response;
    }
    return json_page(enveloped(std::get<std::string>(*answer)));
}

HttpResponse HttpApi::export_devices(const std::shared_ptr<const App>& app, const Method& method,
                                     const json::Value& params, bool transport_errors) {
    auto stream = std::make_unique<ExportBody>(service_, method, memory_, streams_);
    if (!stream->has_room()) return answer_of(too_many_streams(options_.streams_max), transport_errors);
    HttpResponse response;
    if (auto fault = stream->open(app, params, response.body)) return answer_of(*fault, transport_errors);
    response.content_type = "application/x-ndjson";
    response.stream = std::move(stream);
    return response;
}

HttpResponse HttpApi::call_admin(HttpRequest& request, std::string_view name, std::string_view query) {
    const auto refuse = [&](const Fault& fault) {
        HttpResponse response = answer_of(fault, true);
        response.close = has_body(request);
        return response;
    };
    const Credentials given{request.header("X-API-Key"), request.header("Authorization"), query};
    if (!admin_keys_->authenticate(given)) {
        const bool of_an_app = keys_.authenticate(given) != nullptr;
        return refuse(of_an_app ? Fault{Code::PermissionDenied, "this API key is not one of [admin] keys", 403, 0}
                                : Fault{Code::Unauthorized, "no valid API key; send one of [admin] keys", 401, 0});
    }
    HttpResponse response;
    if (request.method() == "GET" || request.method() == "HEAD") {
        response = admin_->get(name, query);
        response.close = has_body(request);
    } else if (request.method() == "POST") {
        BodyMemory::Share share(memory_);
        std::string body;
        if (auto refused = read_body(request, true, share, body)) return std::move(*refused);
        if (!json::check(body) || !json::root(body).is(json::Type::Object))
            return answer_of(bad_request("the body must be a JSON object"), true);
        response = admin_->post(name, json::root(body));
    } else {
        return empty(405, has_body(request));
    }
    if (response.status != 0) return response;
    return refuse({Code::NotFound,
                   "there is no such page; known are GET queue, dead, providers and POST replay, backup below /admin/",
                   404, 0});
}

std::optional<HttpResponse> HttpApi::read_body(HttpRequest& request, bool transport_errors, BodyMemory::Share& share,
                                               std::string& body) {
    const int64_t length = request.content_length();
    const auto too_long = [&] {
        return plain(413,
                     "the body is longer than http.max_body_bytes (" + std::to_string(options_.max_body_bytes) + ")\n",
                     true);
    };
    const auto no_memory = [&] {
        HttpResponse response = answer_of(no_body_memory(), transport_errors);
        response.close = true;
        return response;
    };
    if (length > options_.max_body_bytes) return too_long();
    BodyMemory::Share reader(readers_);
    // Who has to wait for the rest is one of few, or slow clients would hold every thread.
    if (!request.body_is_here() && !reader.take(1)) return no_memory();
    // One byte more than the bound shows that it is exceeded.
    const int64_t most = length >= 0 ? length : options_.max_body_bytes + 1;
    int64_t room = 0, size = 0;
    while (size < most) {
        if (size == room) {
            const int64_t more = std::min(std::max(room, kFirstStep), most - room);
            if (!share.take(more)) return no_memory();
            room += more;
            body.resize(static_cast<size_t>(room));
        }
        const int64_t n = request.read(body.data() + size, static_cast<size_t>(room - size));
        if (n < 0 || (n == 0 && length >= 0)) return plain(400, "Bad Request\n", true);
        if (n == 0) break;
        size += n;
    }
    if (size > options_.max_body_bytes) return too_long();
    body.resize(static_cast<size_t>(size));
    return std::nullopt;
}

}  // namespace belfry::api
