// SPDX-License-Identifier: Apache-2.0
#include "telemetry/line_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

namespace belfry::telemetry {
namespace {

const char* name_of(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::Debug:
            return "DEBUG";
        case LogLevel::Info:
            return "INFO ";
        case LogLevel::Warning:
            return "WARN ";
        case LogLevel::Error:
            return "ERROR";
    }
    return "ERROR";
}

void append_time(int64_t unix_ms, std::string& out) {
    const std::time_t seconds = static_cast<std::time_t>(unix_ms / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    char text[32];
    const size_t n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    out.append(text, n);
    char fraction[8];
    std::snprintf(fraction, sizeof fraction, ".%03dZ", static_cast<int>(unix_ms % 1000));
    out += fraction;
}

bool is_bare(std::string_view value) noexcept {
    return !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
        return c > ' ' && c < 127 && c != '"' && c != '\\' && c != '=';
    });
}

void append_escaped(std::string_view value, std::string& out) {
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (byte < 0x20 || byte == 0x7f) {
            char code[8];
            std::snprintf(code, sizeof code, "\\x%02x", byte);
            out += code;
        } else {
            out += c;
        }
    }
}

void append_value(std::string_view value, std::string& out) {
    const bool cut = value.size() > kLogValueBytesMax;
    if (cut) value = value.substr(0, kLogValueBytesMax);
    if (!cut && is_bare(value)) {
        out += value;
        return;
    }
    out += '"';
    append_escaped(value, out);
    out += cut ? "...\"" : "\"";
}

// A log that cannot be written has nowhere to say so.
void write_all(int fd, std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;
        text.remove_prefix(static_cast<size_t>(n));
    }
}

}  // namespace

std::string format_log_line(int64_t unix_ms, LogLevel level, std::string_view source, std::string_view event,
                            const LogField* fields, size_t n) {
    std::string line;
    line.reserve(160);
    append_time(unix_ms, line);
    line += ' ';
    line += name_of(level);
    line += ' ';
    line += source;
    line += ": ";
    append_escaped(event, line);
    for (size_t i = 0; i < n; ++i) {
        line += ' ';
        line += fields[i].name;
        line += '=';
        append_value(fields[i].value, line);
    }
    line += '\n';
    return line;
}

void LineLog::write(LogLevel level, std::string_view source, std::string_view event, const LogField* fields,
                    size_t n) noexcept {
    if (!enabled(level)) return;
    try {
        write_all(fd_, format_log_line(clock_.unix_ms(), level, source, event, fields, n));
    } catch (const std::exception&) {
        write_all(fd_, "log line lost: out of memory\n");
    }
}

std::optional<LogLevel> log_level_of(std::string_view name) noexcept {
    if (name == "debug") return LogLevel::Debug;
    if (name == "info") return LogLevel::Info;
    if (name == "warning") return LogLevel::Warning;
    if (name == "error") return LogLevel::Error;
    return std::nullopt;
}

}  // namespace belfry::telemetry
