// SPDX-License-Identifier: Apache-2.0
#include "evidence.h"

#include <algorithm>
#include <belfry/http.hpp>

namespace fcm {
namespace {

using belfry::Json;

void read_violations(const Json& detail, Evidence& evidence) {
    evidence.only_target = true;
    detail.each("fieldViolations", [&](const belfry_json_entry& entry) {
        const std::string field = detail.at(entry.value).string("field");
        if (field != "message.token" && field != "message.fid") evidence.only_target = false;
        if (evidence.field.empty()) evidence.field = field;
    });
    if (evidence.field.empty()) evidence.only_target = false;
}

// Details come in any order and number.
void read_detail(const Json& detail, Evidence& evidence) {
    const std::string type = detail.string("@type");
    if (type.ends_with("google.firebase.fcm.v1.FcmError")) {
        if (evidence.fcm_error.empty()) evidence.fcm_error = detail.string("errorCode");
    } else if (type.ends_with("google.rpc.ErrorInfo")) {
        evidence.reason = detail.string("reason");
    } else if (type.ends_with("google.rpc.BadRequest")) {
        read_violations(detail, evidence);
    } else if (type.ends_with("google.rpc.QuotaFailure")) {
        detail.each("violations", [&](const belfry_json_entry& entry) {
            const Json violation = detail.at(entry.value);
            evidence.quota += violation.string("subject") + " " + violation.string("description") + " ";
        });
    }
}

}  // namespace

bool mentions(std::string_view text, std::string_view lower_case) {
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; };
    return std::search(text.begin(), text.end(), lower_case.begin(), lower_case.end(), same) != text.end();
}

Evidence read_evidence(const belfry::Services& services, const belfry_answer& answer) {
    Evidence evidence;
    evidence.status = answer.status;
    evidence.resent = answer.resent > 0;
    evidence.whole = belfry::is_whole(services, answer);
    evidence.retry_after_ms =
        belfry::retry_after_ms(belfry::header_of(answer, "retry-after"), answer.date_unix_ms, services.unix_ms());
    const Json json = Json::of(services, belfry::view(answer.body));  // not HTML, empty or cut: else the status decides
    evidence.code = json.string("error.status");
    evidence.message = json.string("error.message");
    json.each("error.details", [&](const belfry_json_entry& entry) { read_detail(json.at(entry.value), evidence); });
    return evidence;
}

}  // namespace fcm
