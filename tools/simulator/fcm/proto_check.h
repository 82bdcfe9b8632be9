// SPDX-License-Identifier: Apache-2.0
// Checks a JSON document against a proto3 schema, with the wording of Google's JSON front end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "fcm/errors.h"
#include "fcm/json_tree.h"
#include "fcm/schema.h"

namespace belfry::simulator {

// What is wrong, in document order; empty when the document fits.
std::vector<FieldViolation> check_against_schema(const JsonTree& root, const MessageSchema& schema,
                                                 bool refuse_duplicate_keys);

// "3.5s" in whole seconds, rounded down; nothing when `text` is not a proto3 JSON duration.
std::optional<std::int64_t> parse_duration(std::string_view text);

// RFC 3339 with Z or an offset.
bool is_timestamp(std::string_view text);

}  // namespace belfry::simulator
