// SPDX-License-Identifier: Apache-2.0
// Google's error envelopes, byte for byte as the vectors of the FCM reference give them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/exchange.h"

namespace belfry::simulator {

struct FieldViolation {
    std::string field;
    std::string description;
};

// {"error":{"code","message","status","details"}}; details come in the order they are added.
class GoogleError {
public:
    GoogleError(int code, std::string_view status, std::string message);

    GoogleError& fcm(std::string_view error_code);
    GoogleError& bad_request(const std::vector<FieldViolation>& violations);
    GoogleError& error_info(std::string_view reason);
    GoogleError& quota_failure(std::string_view subject, std::string_view description);

    [[nodiscard]] Reply reply() const;

private:
    int code_;
    std::string head_;
    std::string details_;
};

// The vectors' names are in the comments.
Reply unregistered();                                                          // E1
Reply malformed_token();                                                       // E2
Reply malformed_token_by_field(std::string_view field);                        // E7
Reply sender_mismatch();                                                       // E8
Reply permission_denied();                                                     // E9
Reply third_party_auth(bool misleading_text);                                  // E10, E11
Reply access_token_expired();                                                  // E12
Reply access_token_unknown();                                                  // E13
Reply access_token_missing();                                                  // E14
Reply quota_exceeded(std::string_view subject, std::string_view description);  // E15, E16
Reply internal_error();                                                        // E17
Reply unavailable();                                                           // E18
Reply html_not_found(std::string_view path);                                   // E19
Reply not_found();                                                             // E20
Reply unimplemented();                                                         // E21
Reply html_error(int status, std::string_view title);

Reply json_reply(int status, std::string body);
// A JSON string literal with its quotes.
std::string json_string(std::string_view text);

}  // namespace belfry::simulator
