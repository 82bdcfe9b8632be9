// SPDX-License-Identifier: Apache-2.0
// Lines of device_import. However they are cut into pieces, the same devices are registered and the same is said of
// the lines that are not.
#include <string>
#include <variant>

#include "api/api_fakes.h"
#include "api/device_import.h"
#include "base/json.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;
namespace api = belfry::api;

struct Outcome {
    std::string said;
    std::vector<std::string> tokens;
    bool operator==(const Outcome&) const = default;
};

Outcome import(std::string_view lines, size_t step) {
    const api::App app = api::ApiBench::app("default");
    api::FakeDevices devices;
    api::DeviceImport import(app, devices);
    while (!lines.empty()) {
        require(!import.take(lines.substr(0, step)));
        lines.remove_prefix(std::min(step, lines.size()));
    }
    const auto result = import.finish();
    require(std::holds_alternative<std::string>(result));
    Outcome outcome{std::get<std::string>(result), {}};
    require(static_cast<bool>(belfry::json::check(outcome.said)));
    for (const auto& device : devices.registered) {
        require(!device.token.empty() && device.token.size() <= 4096 && device.topics.size() <= 1000);
        require(device.meta.empty() || belfry::json::check(device.meta));
        outcome.tokens.push_back(device.token);
    }
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view lines = belfry::fuzz::text_of(data, size);
    const Outcome whole = import(lines, std::max<size_t>(size, 1));
    require(import(lines, 1) == whole);
    require(import(lines, 1 + size % 13) == whole);
    return 0;
}
