// SPDX-License-Identifier: Apache-2.0
// Whole requests: the first line is the target, the rest the body. Whatever comes in, the answer is one of the API's
// own, its JSON is valid, and only a request that says whom it addresses reaches delivery.
#include <string>
#include <string_view>

#include "api/api_fakes.h"
#include "base/json.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;

void check_push(const belfry::delivery::PushRequest& push) {
    const auto& recipient = push.recipient;
    require((recipient.filter ? 1 : 0) + (recipient.tokens ? 1 : 0) + (recipient.native ? 1 : 0) == 1);
    if (recipient.filter) {
        const auto& filter = *recipient.filter;
        require(filter.all || !filter.device_keys.empty() || !filter.users.empty() || !filter.topics.empty() ||
                !filter.providers.empty() || !filter.platforms.empty());
    }
    require(!push.payloads.empty() && push.uid.size() <= 64);
    for (const auto& [provider, payload] : push.payloads) {
        require(belfry::json::check(payload) && belfry::json::root(payload).is(belfry::json::Type::Object));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static belfry::api::ApiBench bench;
    const std::string_view input = belfry::fuzz::text_of(data, size);
    const size_t line = std::min(input.find('\n'), input.size());
    belfry::api::FakeRequest request("POST", std::string(input.substr(0, line)),
                                     std::string(input.substr(std::min(line + 1, input.size()))));
    request.headers["X-API-Key"] = "key-1";
    request.chunked = (size & 1) != 0;
    request.step = 1 + size % 97;
    const belfry::api::HttpResponse response = bench.http.handle(request);
    require(response.status == 200 || response.status == 400 || response.status == 404 || response.status == 405 ||
            response.status == 413);
    if (response.status == 200 && !response.stream) require(static_cast<bool>(belfry::json::check(response.body)));
    for (const auto& push : bench.delivery.pushes) check_push(push);
    bench.delivery.pushes.clear();
    for (const auto& device : bench.devices.registered) {
        require(!device.token.empty() && device.token.size() <= 4096 && device.topics.size() <= 1000);
        require(device.meta.empty() || belfry::json::check(device.meta));
    }
    bench.devices.registered.clear();
    bench.devices.groups.clear();
    bench.devices.keys.clear();
    return 0;
}
