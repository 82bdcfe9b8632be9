// SPDX-License-Identifier: Apache-2.0
// Devices as CSV (RFC 4180), to and from the JSON lines that device_import takes. The first record names the columns:
// id, provider, token, platform, user, timezone, locale, topics, meta, in any order, those that are needed.
//
// topics: separated by '|', or a JSON array where one has a '|' inside. meta: a JSON object.
// Used inside this folder only. Threads: main only.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.h"

namespace belfry::cli {

// One record; false at the end. InvalidArgument: quotes that do not end, or a record beyond 1 MiB.
Result<bool> read_record(std::istream& in, std::vector<std::string>& cells);

class CsvReader {
public:
    explicit CsvReader(std::istream& in) : in_(in) {}
    // Reads the names of the columns.
    Status open();
    // Appends the next device's line with its end; false at the end.
    Result<bool> next(std::string& line);

private:
    std::istream& in_;
    std::vector<std::string> columns_;
    size_t record_ = 0;
};

std::string csv_heading();
// A JSON line of device_export as a record with its end.
Result<std::string> csv_record(const std::string& line);

}  // namespace belfry::cli
