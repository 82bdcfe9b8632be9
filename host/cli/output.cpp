// SPDX-License-Identifier: Apache-2.0
#include "cli/output.h"

#include <algorithm>
#include <ctime>

namespace belfry::cli {

void print_table(const std::vector<std::vector<std::string>>& rows, std::ostream& out) {
    std::vector<size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()), 0);
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) {
            out << row[i];
            if (i + 1 < row.size()) out << std::string(widths[i] - row[i].size() + 2, ' ');
        }
        out << "\n";
    }
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
