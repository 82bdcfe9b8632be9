// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string_view>

namespace belfry::cli {

namespace {

// The escape code of a state's word, or nothing.
const char* colour_of(std::string_view cell) {
    const std::string_view word = cell.substr(0, cell.find(' '));
    for (const std::string_view good : {"done", "open", "usable", "loaded", "running"}) {
        if (word == good) return "\x1b[32m";
    }
    for (const std::string_view bad : {"refused", "failed", "dead", "no_credential", "not_started"}) {
        if (word == bad) return "\x1b[31m";
    }
    for (const std::string_view waits :
         {"paused", "throttled", "unreachable", "failing", "delayed", "cancelled", "expired"}) {
        if (word == waits) return "\x1b[33m";
    }
    return nullptr;
}

}  // namespace

void print_table(const std::vector<std::vector<std::string>>& rows, const World& world) {
    std::vector<size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()), 0);
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) {
            const char* colour = world.colour && &row != &rows.front() ? colour_of(row[i]) : nullptr;
            world.out << (colour ? colour : "") << row[i] << (colour ? "\x1b[0m" : "");
            if (i + 1 < row.size()) world.out << std::string(widths[i] - row[i].size() + 2, ' ');
        }
        world.out << "\n";
    }
}

void print_json(const nlohmann::json& value, const World& world) {
    world.out << value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

std::string shown_span(int64_t ms) {
    const int64_t s = (ms + 999) / 1000;
    if (s < 120) return std::to_string(s) + " s";
    if (s < 7200) return std::to_string(s / 60) + " min";
    if (s < 48 * 3600) return std::to_string(s / 3600) + " h";
    return std::to_string(s / 86400) + " d";
}

std::string shown_bytes(int64_t bytes) {
    if (bytes < 1024) return std::to_string(bytes) + " B";
    double n = static_cast<double>(bytes);
    const char* unit = "B";
    for (const char* larger : {"KiB", "MiB", "GiB", "TiB"}) {
        if (n < 1024) break;
        n /= 1024;
        unit = larger;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", n, unit);
    return text;
}

std::string shown_time(int64_t unix_s) {
    if (unix_s == 0) return {};
    const std::time_t time = static_cast<std::time_t>(unix_s);
    std::tm utc{};
    ::gmtime_r(&time, &utc);
    char text[32];
    return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &utc));
}

std::string shortened(const std::string& text, size_t max) {
    return text.size() <= max ? text : text.substr(0, max - 3) + "...";
}

}  // namespace belfry::cli
