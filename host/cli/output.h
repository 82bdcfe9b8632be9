// SPDX-License-Identifier: Apache-2.0
// Answers for people: tables and times. Used inside this folder only.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace belfry::cli {

// Columns as wide as their longest cell; the first row is the heading.
void print_table(const std::vector<std::vector<std::string>>& rows, std::ostream& out);

// "2026-11-22 01:53:48Z"; empty for 0.
std::string shown_time(int64_t unix_s);

// At most `max` characters, cut with "..." (tokens are long).
std::string shortened(const std::string& text, size_t max);

}  // namespace belfry::cli
