// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace belfry::storage_pg {

namespace {

void read_number(const nlohmann::json& json, const char* name, uint32_t least, uint32_t most, uint32_t* value) {
    const auto found = json.find(name);
    if (found == json.end()) return;
    if (!found->is_number_unsigned() || *found < least || *found > most) {
        throw Refused(BELFRY_CONFIG, name,
                      "must be a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    *value = *found;
}

Secret secret_of(const nlohmann::json& json, const std::string& name) {
    if (json.is_string()) return {json.get<std::string>(), false};
    if (json.is_object() && json.contains("$secret") && json["$secret"].is_string())
        return {json["$secret"].get<std::string>(), true};
    throw Refused(BELFRY_CONFIG, name, "must be a text or a secret");
}

bool is_schema_name(const std::string& name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !name.empty() && name.size() <= 63 && (name[0] < '0' || name[0] > '9') &&
           std::all_of(name.begin(), name.end(), fits);
}

}  // namespace

Config parse_config(std::string_view json) {
    const auto root = nlohmann::json::parse(json, nullptr, false);
    if (!root.is_object()) throw Refused(BELFRY_CONFIG, {}, "the configuration must be a JSON object");
    Config config;
    if (!root.contains("dsn"))
        throw Refused(BELFRY_CONFIG, "dsn", "name the database: dsn = \"postgresql://belfry@localhost/belfry\"");
    config.dsn = secret_of(root["dsn"], "dsn");
    if (root.contains("password")) config.password = secret_of(root["password"], "password");
    if (const auto schema = root.find("schema"); schema != root.end()) {
        if (!schema->is_string() || !is_schema_name(*schema))
            throw Refused(BELFRY_CONFIG, "schema", "must be letters, digits and underscores, at most 63 of them");
        config.schema = *schema;
    }
    read_number(root, "read_connections", 1, 64, &config.read_connections);
    read_number(root, "write_connections", 1, 64, &config.write_connections);
    read_number(root, "max_lag_ms", 100, 600000, &config.max_lag_ms);
    if (const auto replicas = root.find("replicas"); replicas != root.end()) {
        if (!replicas->is_array()) throw Refused(BELFRY_CONFIG, "replicas", "must be a list of connection strings");
        for (const auto& replica : *replicas) config.replicas.push_back(secret_of(replica, "replicas"));
    }
    return config;
}

}  // namespace belfry::storage_pg
