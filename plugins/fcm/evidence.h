// SPDX-License-Identifier: Apache-2.0
// What an answer that is not 2xx says, taken out of its body: google.rpc.Status with FCM's details.
#pragma once

#include <belfry/provider.hpp>
#include <optional>
#include <string>

namespace fcm {

struct Evidence {
    int32_t status = 0;
    std::string fcm_error;     // FcmError.errorCode
    std::string reason;        // ErrorInfo.reason
    std::string field;         // first violated field of BadRequest
    bool only_target = false;  // BadRequest names the token and nothing else
    std::string quota;         // subjects and descriptions of QuotaFailure
    std::string code;          // google.rpc code name
    std::string message;       // for people; its wording changes over time
    std::optional<int64_t> retry_after_ms;
    bool resent = false;
    bool whole = true;  // else the body says nothing
};

Evidence read_evidence(const belfry::Services& services, const belfry_answer& answer);

// ASCII letters of any case.
bool mentions(std::string_view text, std::string_view lower_case);

}  // namespace fcm
