// SPDX-License-Identifier: Apache-2.0
// How everything below main says something: a level, a fixed event text and key=value fields. telemetry/ implements it.
//
// Tokens, payloads and secrets are never given to it. Log or return an error, not both.
// Threads: [any].
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace belfry {

enum class LogLevel : uint8_t { Debug = 1, Info = 2, Warning = 3, Error = 4 };

struct LogField {
    std::string_view name;
    std::string value;

    LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
    LogField(std::string_view n, const char* v) : name(n), value(v) {}
    LogField(std::string_view n, const std::string& v) : name(n), value(v) {}
    template <class Number, class = decltype(std::to_string(std::declval<Number>()))>
    LogField(std::string_view n, Number v) : name(n), value(std::to_string(v)) {}
};

class Log {
public:
    virtual ~Log() = default;
    virtual bool enabled(LogLevel level) const noexcept = 0;
    // `source`: the folder or plugin instance that speaks ("delivery", "plugin fcm").
    virtual void write(LogLevel level, std::string_view source, std::string_view event,
                       std::initializer_list<LogField> fields) noexcept = 0;
    virtual void write(LogLevel level, std::string_view source, std::string_view event, const LogField* fields,
                       size_t n) noexcept = 0;
};

// A named door to a Log, kept by value in each module.
class Logger {
public:
    Logger(Log& log, std::string source) : log_(&log), source_(std::move(source)) {}
    bool enabled(LogLevel level) const noexcept { return log_->enabled(level); }
    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) const {
        say(LogLevel::Debug, event, fields);
    }
    void info(std::string_view event, std::initializer_list<LogField> fields = {}) const {
        say(LogLevel::Info, event, fields);
    }
    void warning(std::string_view event, std::initializer_list<LogField> fields = {}) const {
        say(LogLevel::Warning, event, fields);
    }
    void error(std::string_view event, std::initializer_list<LogField> fields = {}) const {
        say(LogLevel::Error, event, fields);
    }
    Log& log() const noexcept { return *log_; }

private:
    void say(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) const {
        if (log_->enabled(level)) log_->write(level, source_, event, fields);
    }
    Log* log_;
    std::string source_;
};

}  // namespace belfry
