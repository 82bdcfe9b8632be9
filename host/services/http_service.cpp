// SPDX-License-Identifier: Apache-2.0
// belfry.http/1: endpoints with the instance's trust settings, and blocking calls over the engine.
#include <algorithm>
#include <string>
#include <vector>

#include "services/host_services.h"
#include "services/tables.h"

namespace belfry::services {
namespace {

constexpr size_t kHeadersMax = 64;
constexpr size_t kUrlMax = 2048;          // bytes
constexpr uint32_t kAnswerMax = 1 << 20;  // bytes; a list of 10,000 broadcast channels has 300 KB

int32_t endpoint(const belfry_host* host, const belfry_endpoint* asked, belfry_why* why) noexcept {
    int32_t id = -1;
    guarded(why, [&]() -> belfry_code {
        const auto known = known_part<belfry_endpoint>(asked);
        if (known.url.n > kUrlMax) return because(why, BELFRY_BAD_REQUEST, "url", "longer than 2048 bytes");
        http::EndpointConfig config;
        config.url = text(known.url);
        config.partition = text(known.partition);
        config.client_cert_pem = text(known.client_cert_pem);
        config.client_key_pem = text(known.client_key_pem);
        config.untrusted = (known.flags & BELFRY_ENDPOINT_UNTRUSTED) != 0;
        config.http1_ok = (known.flags & BELFRY_ENDPOINT_H1_OK) != 0;
        config.wait_settings = (known.flags & BELFRY_ENDPOINT_WAIT_SETTINGS) != 0;
        if (known.connections_max != 0) config.connections_max = known.connections_max;
        if (known.idle_s != 0) config.idle_s = known.idle_s;
        const auto added = InstanceHost::of(host).add_endpoint(std::move(config));
        if (!added) return refuse(why, added.error());
        id = *added;
        return BELFRY_OK;
    });
    return id;
}

std::string_view span_of(const char* buf, belfry_span span) noexcept {
    return {buf + span.at, span.n};
}

bool printable(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return c == '\t' || (c >= 0x20 && c != 0x7F) || static_cast<signed char>(c) < 0; });
}

bool header_name(std::string_view name) noexcept {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !name.empty() && std::all_of(name.begin(), name.end(), allowed);
}

// "name: value\n" lines into pairs; false if a line is not one.
bool read_headers(std::string_view lines, std::vector<std::pair<std::string, std::string>>& out) {
    while (!lines.empty()) {
        const std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(line.size() + 1, lines.size()));
        const size_t colon = line.find(": ");
        if (colon == std::string_view::npos || out.size() == kHeadersMax) return false;
        const std::string_view name = line.substr(0, colon), value = line.substr(colon + 2);
        if (!header_name(name) || !printable(value)) return false;
        out.emplace_back(name, value);
    }
    return true;
}

belfry_code emit_answer(const http::CallAnswer& answer, belfry_emit emit, void* ctx) {
    std::vector<belfry_header> headers;
    for (const auto& [name, value] : answer.headers) headers.push_back({str(name), str(value)});
    auto row = sized<belfry_answer>();
    row.status = answer.status;
    row.body = str(answer.body);
    row.headers = list_of(headers);
    row.date_unix_ms = answer.date_unix_ms;
    emit(ctx, one_row(row));
    return BELFRY_OK;
}

belfry_code call(const belfry_host* host, int32_t id, belfry_str method, const belfry_request* asked, const char* buf,
                 int64_t deadline_mono_ns, belfry_emit emit, void* ctx, belfry_why* why) noexcept {
    return guarded(why, [&]() -> belfry_code {
        InstanceHost& instance = InstanceHost::of(host);
        if (!instance.owns_endpoint(id))
            return because(why, BELFRY_BAD_REQUEST, "endpoint", "not declared by this instance");
        const auto known = known_part<belfry_request>(asked);
        if (known.origin.n != 0)
            return because(why, BELFRY_BAD_REQUEST, "origin", "a call goes to its endpoint's origin");
        http::CallRequest request;
        request.answer_max = kAnswerMax;
        request.method = text(method);
        request.path = std::string(span_of(buf, known.path));
        request.body = std::string(span_of(buf, known.body));
        if (request.path.empty() || request.path[0] != '/' || !printable(request.path)) {
            return because(why, BELFRY_BAD_REQUEST, "path", "must begin with '/' and be printable");
        }
        if (!read_headers(span_of(buf, known.headers), request.headers)) {
            return because(why, BELFRY_BAD_REQUEST, "headers",
                           "must be at most 64 lines \"name: value\\n\", names in lower case");
        }
        const auto answer = instance.http().call(id, request, deadline_mono_ns);
        if (answer && answer->date_unix_ms != 0) instance.saw_date(answer->date_unix_ms);
        if (answer) return emit_answer(*answer, emit, ctx);
        const belfry_code code = refuse(why, answer.error());
        return code == BELFRY_DEADLINE ? BELFRY_RETRY_LATER : code;
    });
}

}  // namespace

constinit const belfry_http kHttpTable = {sizeof(belfry_http), 0, &endpoint, &call};

}  // namespace belfry::services
