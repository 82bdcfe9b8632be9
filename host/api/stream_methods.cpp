// SPDX-License-Identifier: Apache-2.0
// The methods whose requests or answers are never held as a whole.
#include "api/device_export.h"
#include "api/device_import.h"
#include "api/device_methods.h"
#include "api/service.h"

namespace belfry::api {
namespace {

constexpr size_t kReadBytes = 64 * 1024;

}  // namespace

std::optional<Answer> Service::device_import(const App& app, const Method& method, const ReadPiece& read) {
    const int64_t began = clock_.mono_ns();
    DeviceImport import(app, devices_);
    std::string buffer(kReadBytes, '\0');
    std::optional<Answer> answer;
    while (!answer) {
        const int64_t n = read(buffer.data(), buffer.size());
        if (n < 0) return std::nullopt;
        if (n == 0) {
            answer = import.finish();
        } else if (auto fault = import.take(std::string_view(buffer.data(), static_cast<size_t>(n)))) {
            answer = std::move(*fault);
        }
    }
    count(method, *answer, clock_.mono_ns() - began);
    return answer;
}

std::variant<std::unique_ptr<DeviceExport>, Fault> Service::device_export(const std::shared_ptr<const App>& app,
                                                                          const Method& method,
                                                                          const json::Value& params,
                                                                          std::string& lines) {
    const int64_t began = clock_.mono_ns();
    const auto refused = [&](Fault fault) {
        count(method, fault, clock_.mono_ns() - began);
        return fault;
    };
    std::variant<Checked, Fault> checked = read(params, *method.request, *app);
    if (Fault* fault = std::get_if<Fault>(&checked)) return refused(std::move(*fault));
    std::variant<audience::Selection, Fault> selection =
        device_filter_of(*app, std::get<Checked>(checked).object("filter"));
    if (Fault* fault = std::get_if<Fault>(&selection)) return refused(std::move(*fault));
    auto made = std::make_unique<DeviceExport>(app, devices_, std::move(std::get<audience::Selection>(selection)),
                                               std::get<Checked>(checked).boolean("include_user_topics"));
    const Result<bool> first = made->next(lines);
    if (!first) return refused(fault_of(first.error()));
    count(method, std::string(), clock_.mono_ns() - began);
    return made;
}

void Service::report(const Method& method, const Error& error) {
    log_.error("a stream ended early", {{"method", method.name}, {"why", error.to_string()}});
}

}  // namespace belfry::api
