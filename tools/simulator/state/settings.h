// SPDX-License-Identifier: Apache-2.0
// What can be changed while the simulator runs (GET and PUT /config), with the defaults.
//
// One table (settings.cpp) drives reading, writing, and errors for unknown keys.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belfry::simulator {

struct Settings {
    std::int64_t latency_ms = 0;                    // before every answer of the data port
    std::int64_t latency_jitter_ms = 0;             // up to this much more, at random
    std::int64_t stream_limit = 100;                // SETTINGS_MAX_CONCURRENT_STREAMS
    std::string stream_limit_violation = "goaway";  // or "refuse"
    std::int64_t token_lifetime_s = 3599;
    std::int64_t clock_offset_s = 0;                  // how far the simulator's wall clock is ahead of the machine's
    std::string account_state = "active";             // or "disabled", "deleted", "internal_failure"
    bool missing_role = false;                        // every send: 403 without FcmError
    bool cross_project = false;                       // a token of one known project may send for another
    std::int64_t quota_per_minute = 600'000;          // messages per project; 0: no quota
    std::int64_t device_per_minute = 240;             // 0: no limit
    std::int64_t device_per_hour = 5'000;             // 0: no limit
    std::int64_t quota_retry_after_s = 30;            // 0: no retry-after header
    std::int64_t topic_changes_per_minute = 180'000;  // subscribe and unsubscribe, per project; 0: no quota
    std::string too_big_text = "new";                 // or "android": the older wording
    std::string duplicate_keys = "refuse";            // or "last_wins", as Google's parser
    bool gzip = true;                                 // answers are compressed when the client accepts it
    std::int64_t apns_stream_limit = 500;             // once a token was accepted; one before
    bool apns_strict_streams = false;                 // after a 4xx but 410 one stream until the next 200
    std::string apns_excess_streams = "goaway";       // or "refuse": RST_STREAM 7, then 5
    bool apns_wedge_expired = false;                  // after ExpiredProviderToken a connection refuses all
    bool apns_upper_case_id = false;                  // apns-id of answers
    std::int64_t apns_device_per_second = 10;         // 0: no limit
    std::int64_t apns_channels_max = 10'000;          // per app and environment
    std::int64_t hms_devices_per_second = 6'000;      // 0: no limit
    std::int64_t hms_auth_status = 401;               // HTTP status of refused tokens: sources disagree, or 200
    std::int64_t hms_refusal_status = 400;            // of refused messages, or 200
    std::int64_t hms_marketing_per_day = 2;           // messages of that category a device is shown; 0: no limit
    bool hms_push_right = true;                       // or every send: 80300002
    bool hms_foreign_app = false;                     // every token is one of another app
    bool hms_numbers = false;                         // code is a number
    bool hms_objects = false;                         // msg is an object where it is usually JSON in a text
    bool hms_blanks = false;                          // v3's words have blanks around them
    std::int64_t connection_max_age_ms = 0;           // 0: unlimited
    std::int64_t connection_max_idle_ms = 0;          // 0: unlimited
    std::int64_t sink_gone_percent = 0;               // of the sink's answers: 410 Unregistered, as APNs says it
    bool sink_gone_suspect = false;                   // or 400 BadDeviceToken
    std::int64_t sink_note_bytes = 0;  // the sink notes when bodies of at least so many bytes came; 0: none
};

void to_json(nlohmann::ordered_json& json, const Settings& settings);

// Takes over every key of the object `json`, or none: the text says which key is wrong and what it may be.
std::optional<std::string> update_settings(Settings& settings, const nlohmann::ordered_json& json);

}  // namespace belfry::simulator
