// SPDX-License-Identifier: Apache-2.0
#include "cli/csv.h"

#include <algorithm>
#include <array>
#include <istream>
#include <nlohmann/json.hpp>

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

constexpr size_t kRecordBytesMax = 1 << 20;
constexpr std::array kColumns{"id", "provider", "token", "platform", "user", "timezone", "locale", "topics", "meta"};

Error wrong(const std::string& what, size_t record) {
    return error(ErrorCode::InvalidArgument, what, "record " + std::to_string(record));
}

std::string quoted(const std::string& cell) {
    if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
    std::string out = "\"";
    for (const char c : cell) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

Result<Json> topics_of(const std::string& cell, size_t record) {
    if (cell.front() == '[') {
        Json list = Json::parse(cell, nullptr, false);
        if (list.is_array()) return list;
        return wrong("topics begins with [ but is no JSON array", record);
    }
    Json list = Json::array();
    for (size_t at = 0; at <= cell.size();) {
        const size_t end = std::min(cell.find('|', at), cell.size());
        if (end > at) list.push_back(cell.substr(at, end - at));
        at = end + 1;
    }
    return list;
}

std::string cell_of(const Json& device, const std::string& column) {
    const auto value = device.find(column);
    if (value == device.end()) return {};
    if (value->is_string()) return value->get<std::string>();
    const bool plain =
        column == "topics" && value->is_array() && std::all_of(value->begin(), value->end(), [](const Json& topic) {
            return topic.is_string() && topic.get_ref<const std::string&>().find('|') == std::string::npos &&
                   topic.get_ref<const std::string&>().rfind('[', 0) != 0;
        });
    if (!plain) return value->dump(-1, ' ', false, Json::error_handler_t::replace);
    std::string out;
    for (const Json& topic : *value) out += (out.empty() ? "" : "|") + topic.get<std::string>();
    return out;
}

}  // namespace

Result<bool> read_record(std::istream& in, std::vector<std::string>& cells) {
    cells.assign(1, {});
    bool inside = false;  // quotes
    bool any = false;
    size_t size = 0;
    for (int next = in.get(); next != std::istream::traits_type::eof(); next = in.get()) {
        const char c = static_cast<char>(next);
        any = true;
        if (++size > kRecordBytesMax)
            return error(ErrorCode::InvalidArgument, "longer than 1 MiB; is a quote missing its end?");
        if (inside) {
            if (c != '"') {
                cells.back() += c;
            } else if (in.peek() == '"') {
                cells.back() += static_cast<char>(in.get());
            } else {
                inside = false;
            }
        } else if (c == '"' && cells.back().empty()) {
            inside = true;
        } else if (c == ',') {
            cells.emplace_back();
        } else if (c == '\n') {
            return true;
        } else if (c != '\r' || in.peek() != '\n') {
            cells.back() += c;
        }
    }
    if (in.bad()) return error(ErrorCode::Unavailable, "cannot be read any further: input error");
    if (inside) return error(ErrorCode::InvalidArgument, "ends inside quotes");
    return any;
}

Status CsvReader::open() {
    const Result<bool> read = read_record(in_, columns_);
    if (!read) return read.error();
    // Spreadsheets write a byte order mark.
    if (columns_.front().rfind("\xef\xbb\xbf", 0) == 0) columns_.front().erase(0, 3);
    std::string known;
    for (const char* column : kColumns) known += (known.empty() ? "" : ", ") + std::string(column);
    for (const std::string& column : columns_) {
        if (std::find(kColumns.begin(), kColumns.end(), column) != kColumns.end()) continue;
        return error(ErrorCode::InvalidArgument,
                     "the first record must name the columns; there is no \"" + column + "\", known are " + known);
    }
    return {};
}

Result<bool> CsvReader::next(std::string& line) {
    std::vector<std::string> cells;
    const Result<bool> read = read_record(in_, cells);
    if (!read) return wrong(read.error().message, record_ + 1);
    if (!*read) return false;
    ++record_;
    if (cells.size() == 1 && cells.front().empty()) {
        line += '\n';  // an empty line counts, so that the server's numbers of lines are those of records
        return true;
    }
    if (cells.size() != columns_.size()) {
        return wrong(
            "has " + std::to_string(cells.size()) + " cells, the first record has " + std::to_string(columns_.size()),
            record_);
    }
    Json device = Json::object();
    for (size_t i = 0; i < cells.size(); ++i) {
        if (cells[i].empty()) continue;
        if (columns_[i] == "topics") {
            Result<Json> topics = topics_of(cells[i], record_);
            if (!topics) return topics.error();
            device["topics"] = std::move(*topics);
        } else if (columns_[i] == "meta") {
            device["meta"] = Json::parse(cells[i], nullptr, false);
            if (!device["meta"].is_object()) return wrong("meta must be a JSON object", record_);
        } else {
            device[columns_[i]] = cells[i];
        }
    }
    line += device.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    return true;
}

std::string csv_heading() {
    std::string out;
    for (const char* column : kColumns) out += (out.empty() ? "" : ",") + std::string(column);
    return out + "\n";
}

Result<std::string> csv_record(const std::string& line) {
    const Json device = Json::parse(line, nullptr, false);
    if (!device.is_object())
        return error(ErrorCode::Internal, "the server sent what is no device: " + line.substr(0, 80));
    std::string out;
    for (const char* column : kColumns) {
        if (column != kColumns.front()) out += ',';
        out += quoted(cell_of(device, column));
    }
    return out + "\n";
}

}  // namespace belfry::cli
