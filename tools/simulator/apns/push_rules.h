// SPDX-License-Identifier: Apache-2.0
// What APNs asks of a push request's headers and body (apns.md section 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "net/exchange.h"

namespace belfry::simulator {

struct ApnsPush {
    std::string push_type, topic, bundle;  // bundle: the topic without its suffix
    std::optional<Reply> refusal;
};

// `certificate_topic`: stands in for a missing apns-topic; empty with provider tokens.
ApnsPush read_apns_push(const Request& request, const std::string& certificate_topic);

bool is_canonical_uuid(std::string_view text);
bool is_json_object(const std::string& text);
// Absent ones pass.
bool expiration_holds(const Request& request);
bool priority_holds(const Request& request);
// One of the apns- headers or authorization is there twice.
bool has_duplicate_headers(const Request& request);

}  // namespace belfry::simulator
