// SPDX-License-Identifier: Apache-2.0
// Answers for people: tables and times. Used inside this folder only.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "cli/command.h"

namespace belfry::cli {

// Columns as wide as their longest cell; the first row is the heading. Where colours are allowed, cells that are states
// ("done", "refused") get theirs.
void print_table(const std::vector<std::vector<std::string>>& rows, const World& world);

// One line of JSON; bytes that are no UTF-8 are replaced.
void print_json(const nlohmann::json& value, const World& world);

// "2026-11-22 01:53:48Z"; empty for 0.
std::string shown_time(int64_t unix_s);

// "90 s", "12 min", "5 h", "3 d".
std::string shown_span(int64_t ms);

// "512 B", "4.2 KiB", "1.0 GiB".
std::string shown_bytes(int64_t bytes);

// At most `max` characters, cut with "..." (tokens are long).
std::string shortened(const std::string& text, size_t max);

}  // namespace belfry::cli
