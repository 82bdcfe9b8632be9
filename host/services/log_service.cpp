// SPDX-License-Identifier: Apache-2.0
// belfry.log/1, belfry.metrics/1 and belfry.clock/1.
#include <algorithm>
#include <vector>

#include "services/host_services.h"
#include "services/tables.h"

namespace belfry::services {
namespace {

// A plugin cannot flood a line: more fields are dropped, longer texts cut.
constexpr size_t kFieldsMax = 16;
constexpr size_t kTextMax = 1024;  // bytes

LogLevel level_of(int32_t level) noexcept {
    return static_cast<LogLevel>(std::clamp(level, 1, 4));
}

int32_t enabled(const belfry_host* host, int32_t level) noexcept {
    return InstanceHost::of(host).log().enabled(level_of(level)) ? 1 : 0;
}

void write(const belfry_host* host, int32_t level, belfry_str event, belfry_list fields) noexcept {
    guarded(0, [&] {
        InstanceHost& instance = InstanceHost::of(host);
        const LogLevel at = level_of(level);
        if (!instance.log().enabled(at) && at < LogLevel::Warning) return 0;
        std::vector<LogField> kept;
        for (const belfry_header& field : Rows<belfry_header>(fields)) {
            if (kept.size() == kFieldsMax) break;
            kept.emplace_back(view(field.name), view(field.value).substr(0, kTextMax));
        }
        if (at >= LogLevel::Warning) instance.saw_warning(view(event).substr(0, kTextMax), kept.data(), kept.size());
        if (!instance.log().enabled(at)) return 0;
        instance.log().write(at, instance.log_source(), view(event).substr(0, kTextMax), kept.data(), kept.size());
        return 0;
    });
}

int32_t define(const belfry_host* host, int32_t kind, belfry_str name, belfry_str help) noexcept {
    if (kind != BELFRY_METRIC_COUNTER && kind != BELFRY_METRIC_GAUGE) return -1;
    return guarded(
        -1, [&] { return InstanceHost::of(host).define_metric(kind == BELFRY_METRIC_GAUGE, view(name), view(help)); });
}

void record(const belfry_host* host, int32_t handle, double value) noexcept {
    InstanceHost::of(host).record(handle, value);
}

int64_t mono_ns(const belfry_host* host) noexcept {
    return InstanceHost::of(host).clock().mono_ns();
}
int64_t unix_ms(const belfry_host* host) noexcept {
    return InstanceHost::of(host).clock().unix_ms();
}

}  // namespace

constinit const belfry_log kLogTable = {sizeof(belfry_log), 0, &enabled, &write};
constinit const belfry_metrics kMetricsTable = {sizeof(belfry_metrics), 0, &define, &record};
constinit const belfry_clock kClockTable = {sizeof(belfry_clock), 0, &mono_ns, &unix_ms};

}  // namespace belfry::services
