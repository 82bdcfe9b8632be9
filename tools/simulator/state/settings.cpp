// SPDX-License-Identifier: Apache-2.0
#include "state/settings.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <variant>

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

struct IntegerKey {
    std::int64_t Settings::*field;
    std::int64_t least;
    std::int64_t most;
};
struct BoolKey {
    bool Settings::*field;
};
struct ChoiceKey {
    std::string Settings::*field;
    std::array<std::string_view, 4> choices;  // unused places are empty
};
struct Key {
    std::string_view name;
    std::variant<IntegerKey, BoolKey, ChoiceKey> how;
};

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kMany = 1'000'000'000;

const std::array kKeys{
    Key{"latency_ms", IntegerKey{&Settings::latency_ms, 0, kDayMs}},
    Key{"latency_jitter_ms", IntegerKey{&Settings::latency_jitter_ms, 0, kDayMs}},
    Key{"stream_limit", IntegerKey{&Settings::stream_limit, 0, 1'000'000}},
    Key{"stream_limit_violation", ChoiceKey{&Settings::stream_limit_violation, {"goaway", "refuse", "", ""}}},
    Key{"token_lifetime_s", IntegerKey{&Settings::token_lifetime_s, 1, 86'400}},
    Key{"clock_offset_s", IntegerKey{&Settings::clock_offset_s, -kMany, kMany}},
    Key{"account_state", ChoiceKey{&Settings::account_state, {"active", "disabled", "deleted", "internal_failure"}}},
    Key{"missing_role", BoolKey{&Settings::missing_role}},
    Key{"cross_project", BoolKey{&Settings::cross_project}},
    Key{"quota_per_minute", IntegerKey{&Settings::quota_per_minute, 0, kMany}},
    Key{"device_per_minute", IntegerKey{&Settings::device_per_minute, 0, 65'535}},
    Key{"device_per_hour", IntegerKey{&Settings::device_per_hour, 0, 65'535}},
    Key{"quota_retry_after_s", IntegerKey{&Settings::quota_retry_after_s, 0, 86'400}},
    Key{"topic_changes_per_minute", IntegerKey{&Settings::topic_changes_per_minute, 0, kMany}},
    Key{"too_big_text", ChoiceKey{&Settings::too_big_text, {"new", "android", "", ""}}},
    Key{"duplicate_keys", ChoiceKey{&Settings::duplicate_keys, {"refuse", "last_wins", "", ""}}},
    Key{"gzip", BoolKey{&Settings::gzip}},
    Key{"apns_stream_limit", IntegerKey{&Settings::apns_stream_limit, 0, 1'000'000}},
    Key{"apns_strict_streams", BoolKey{&Settings::apns_strict_streams}},
    Key{"apns_excess_streams", ChoiceKey{&Settings::apns_excess_streams, {"goaway", "refuse", "", ""}}},
    Key{"apns_wedge_expired", BoolKey{&Settings::apns_wedge_expired}},
    Key{"apns_upper_case_id", BoolKey{&Settings::apns_upper_case_id}},
    Key{"apns_device_per_second", IntegerKey{&Settings::apns_device_per_second, 0, kMany}},
    Key{"apns_channels_max", IntegerKey{&Settings::apns_channels_max, 0, kMany}},
    Key{"hms_devices_per_second", IntegerKey{&Settings::hms_devices_per_second, 0, kMany}},
    Key{"hms_auth_status", IntegerKey{&Settings::hms_auth_status, 200, 401}},
    Key{"hms_refusal_status", IntegerKey{&Settings::hms_refusal_status, 200, 400}},
    Key{"hms_marketing_per_day", IntegerKey{&Settings::hms_marketing_per_day, 0, kMany}},
    Key{"hms_push_right", BoolKey{&Settings::hms_push_right}},
    Key{"hms_foreign_app", BoolKey{&Settings::hms_foreign_app}},
    Key{"hms_numbers", BoolKey{&Settings::hms_numbers}},
    Key{"hms_objects", BoolKey{&Settings::hms_objects}},
    Key{"hms_blanks", BoolKey{&Settings::hms_blanks}},
    Key{"connection_max_age_ms", IntegerKey{&Settings::connection_max_age_ms, 0, kDayMs}},
    Key{"connection_max_idle_ms", IntegerKey{&Settings::connection_max_idle_ms, 0, kDayMs}},
    Key{"sink_gone_percent", IntegerKey{&Settings::sink_gone_percent, 0, 99}},
    Key{"sink_gone_suspect", BoolKey{&Settings::sink_gone_suspect}},
    Key{"sink_note_bytes", IntegerKey{&Settings::sink_note_bytes, 0, 16'384}},
};

std::optional<std::string> assign(Settings& settings, const Key& key, const Json& value) {
    const std::string name(key.name);
    if (const auto* integer = std::get_if<IntegerKey>(&key.how)) {
        const bool fits = value.is_number_integer() && value.get<std::int64_t>() >= integer->least &&
                          value.get<std::int64_t>() <= integer->most;
        if (!fits) {
            return name + " must be an integer from " + std::to_string(integer->least) + " to " +
                   std::to_string(integer->most);
        }
        settings.*(integer->field) = value.get<std::int64_t>();
    } else if (const auto* flag = std::get_if<BoolKey>(&key.how)) {
        if (!value.is_boolean()) return name + " must be true or false";
        settings.*(flag->field) = value.get<bool>();
    } else {
        const auto& choice = std::get<ChoiceKey>(key.how);
        const std::string text = value.is_string() ? value.get<std::string>() : std::string();
        if (text.empty() || std::find(choice.choices.begin(), choice.choices.end(), text) == choice.choices.end()) {
            std::string allowed;
            for (const std::string_view each : choice.choices) {
                if (!each.empty()) allowed += (allowed.empty() ? "\"" : ", \"") + std::string(each) + "\"";
            }
            return name + " must be one of " + allowed;
        }
        settings.*(choice.field) = text;
    }
    return std::nullopt;
}

}  // namespace

void to_json(Json& json, const Settings& settings) {
    json = Json::object();
    for (const Key& key : kKeys) {
        std::visit([&](const auto& how) { json[std::string(key.name)] = settings.*(how.field); }, key.how);
    }
}

std::optional<std::string> update_settings(Settings& settings, const Json& json) {
    if (!json.is_object()) return "the configuration must be a JSON object";
    Settings changed = settings;
    for (const auto& [name, value] : json.items()) {
        const auto* key = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& each) { return each.name == name; });
        if (key == kKeys.end()) return "unknown key \"" + name + "\"; GET /config lists the known ones";
        if (auto problem = assign(changed, *key, value)) return problem;
    }
    settings = changed;
    return std::nullopt;
}

}  // namespace belfry::simulator
