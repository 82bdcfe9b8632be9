// SPDX-License-Identifier: Apache-2.0
#include "fcm/validator.h"

#include <string>

#include "fcm/errors.h"
#include "fcm/json_tree.h"
#include "fcm/proto_check.h"
#include "fcm/schema.h"

namespace belfry::simulator {

namespace {

Reply refuse_violations(const std::vector<FieldViolation>& violations) {
    std::string text;
    for (const FieldViolation& violation : violations) text += (text.empty() ? "" : "\n") + violation.description;
    return GoogleError(400, "INVALID_ARGUMENT", text).bad_request(violations).reply();
}

}  // namespace

SendRequest read_send_request(std::string_view body, const SendOptions& options) {
    SendRequest request;
    std::string problem;
    const auto root = parse_json_tree(body, problem);
    if (!root) {
        request.refusal = refuse_violations({{"", "Invalid JSON payload received. " + problem}});
        return request;
    }
    const JsonTree* message = root->find("message");
    const bool has_message = message != nullptr && message->is_object();
    if (has_message) request.target = target_of(*message);
    const auto violations = check_against_schema(*root, kSendRequestSchema, options.refuse_duplicate_keys);
    if (!violations.empty()) {
        request.refusal = refuse_violations(violations);
        return request;
    }
    const JsonTree* validate_only = root->find("validate_only");
    if (validate_only == nullptr) validate_only = root->find("validateOnly");
    request.validate_only = validate_only != nullptr && validate_only->truth;
    const JsonTree empty;
    request.refusal = check_message_rules(has_message ? *message : empty, request.target, options.android_too_big_text);
    return request;
}

}  // namespace belfry::simulator
