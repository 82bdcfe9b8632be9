// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <nlohmann/json.hpp>

#include "sqlite/failure.h"

namespace belfry::queue_sqlite {

namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& key, const std::string& text) {
    throw sqlite::Failure(BELFRY_CONFIG, text, key);
}

template <class T>
void read_number(const json& value, const std::string& key, uint64_t lowest, uint64_t highest, T& out) {
    if (!value.is_number_integer() || value.is_number_float() || value < lowest || value > highest) {
        refuse(key, "must be a whole number from " + std::to_string(lowest) + " to " + std::to_string(highest));
    }
    out = value.get<T>();
}

void read_key(const std::string& key, const json& value, Config& config) {
    constexpr uint64_t kDaysMax = 3650;
    if (key == "path") {
        if (!value.is_string() || value.get_ref<const std::string&>().empty()) refuse(key, "must be a file path");
        config.path = value.get<std::string>();
    } else if (key == "progress_durability") {
        if (value == "fast") {
            config.progress_durability = Durability::Fast;
        } else if (value == "strict") {
            config.progress_durability = Durability::Strict;
        } else {
            refuse(key, "must be \"fast\" or \"strict\"");
        }
    } else if (key == "uid_window_hours") {
        read_number(value, key, 1, kDaysMax * 24, config.uid_window_hours);
    } else if (key == "results_days") {
        read_number(value, key, 1, kDaysMax, config.results_days);
    } else if (key == "dead_days") {
        read_number(value, key, 1, kDaysMax, config.dead_days);
    } else if (key == "backlog_max") {
        read_number(value, key, 1, uint64_t{1} << 40, config.backlog_max);
    } else if (key == "lease_s") {
        read_number(value, key, 1, 86400, config.lease_s);
    } else if (key == "cache_mib") {
        read_number(value, key, 1, 4096, config.cache_mib);
    } else if (key == "shelf_items") {
        read_number(value, key, 1, 1'000'000, config.shelf_items);
    } else {
        refuse(key,
               "unknown key; known are path, progress_durability, uid_window_hours, results_days, dead_days, "
               "backlog_max, lease_s, cache_mib, shelf_items");
    }
}

}  // namespace

Config parse_config(std::string_view text) {
    const json parsed = json::parse(text, nullptr, false);
    if (!parsed.is_object()) refuse("", "the configuration must be a JSON object");
    Config config;
    for (const auto& [key, value] : parsed.items()) read_key(key, value, config);
    if (config.results_days * 24 < config.uid_window_hours) {
        refuse("results_days", "must not be shorter than uid_window_hours");
    }
    return config;
}

}  // namespace belfry::queue_sqlite
