// SPDX-License-Identifier: Apache-2.0
// What device requests mean, apart from calling anybody. Threads: [any].
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/app.h"
#include "api/fault.h"
#include "api/json_writer.h"
#include "api/reader.h"
#include "audience/devices.h"

namespace belfry::api {

std::variant<audience::Registration, Fault> registration_of(const App& app, const Checked& params);

// In all of these `path` is how messages call the field.

// Keys of the ids in a list field.
std::optional<Fault> keys_of(const App& app, const std::vector<std::string>& ids, const std::string& path,
                             std::vector<int64_t>& keys);
// Instances of the wire names in a list field.
std::optional<Fault> instances_of(const App& app, const std::vector<std::string>& wire_names, const std::string& path,
                                  std::vector<std::string>& instances);
// Meta as it is stored; empty = none.
std::variant<std::string, Fault> compact_meta(const json::Value& meta, const std::string& path);
std::optional<Fault> check_timezone(const std::string& name, const std::string& path);
std::optional<Fault> check_locale(const std::string& tag, const std::string& path);
std::vector<std::string> without_duplicates(std::vector<std::string> texts);

struct TopicChange {
    audience::TopicOp op = audience::TopicOp::Set;
    std::vector<std::string> topics;
};
// The members `op` and `topics` of an object; `path` ends with a dot or is empty.
std::variant<TopicChange, Fault> topic_change_of(const Checked& object, const std::string& path);
// What user_topic_update takes.
std::variant<audience::UserTopics, Fault> user_topics_of(const Checked& params, const std::string& path);

// `cursor`, `limit` and `include_total_count`.
audience::Paging paging_of(const Checked& params);
// `next_cursor` and `total_count`.
void write_page_end(const std::string& next_cursor, int64_t total, JsonWriter& out);
// The DeviceFilter under `filter`.
std::variant<audience::Selection, Fault> device_filter_of(const App& app, const Checked* filter);

}  // namespace belfry::api
