// SPDX-License-Identifier: Apache-2.0
// Log as lines: "2026-11-22T01:53:48.123Z INFO  delivery page settled push=... n=500", one write(2) each.
//
// Values with anything but plain visible ASCII are quoted and escaped, so that a line stays one line and no value can
// pretend to be a field. Names of fields and events are the program's own and stand as they are.
// Threads: [any], no lock: a line is one write. Owner: main. Ends: never before the modules that log.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace belfry::telemetry {

// Longest value written; the rest is cut and marked with "...".
inline constexpr size_t kLogValueBytesMax = 2048;

class LineLog final : public Log {
public:
    LineLog(int fd, LogLevel level, const Clock& clock) : fd_(fd), level_(level), clock_(clock) {}

    bool enabled(LogLevel level) const noexcept override { return level >= level_.load(std::memory_order_relaxed); }
    void write(LogLevel level, std::string_view source, std::string_view event,
               std::initializer_list<LogField> fields) noexcept override {
        write(level, source, event, fields.begin(), fields.size());
    }
    void write(LogLevel level, std::string_view source, std::string_view event, const LogField* fields,
               size_t n) noexcept override;

    void set_level(LogLevel level) noexcept { level_.store(level, std::memory_order_relaxed); }
    LogLevel level() const noexcept { return level_.load(std::memory_order_relaxed); }

private:
    const int fd_;
    std::atomic<LogLevel> level_;
    const Clock& clock_;
};

// "debug", "info", "warning" or "error".
std::optional<LogLevel> log_level_of(std::string_view name) noexcept;

// One line with its end; what LineLog writes.
std::string format_log_line(int64_t unix_ms, LogLevel level, std::string_view source, std::string_view event,
                            const LogField* fields, size_t n);

}  // namespace belfry::telemetry
