// SPDX-License-Identifier: Apache-2.0
#include "pg/settings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace belfry::pg {

namespace {

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

Address Place::address(const Services& services, const Secret& other_dsn) const {
    Address address(other_dsn.read(services), password.value.empty() ? std::string() : password.read(services));
    address.schema = schema;
    return address;
}

Settings::Settings(std::string_view json)
    : root_(std::make_unique<nlohmann::json>(nlohmann::json::parse(json, nullptr, false))) {
    if (!root_->is_object()) throw Refused(BELFRY_CONFIG, {}, "the configuration must be a JSON object");
}

Settings::~Settings() = default;

Place Settings::place() const {
    const nlohmann::json& root = *root_;
    Place place;
    if (!root.contains("dsn"))
        throw Refused(BELFRY_CONFIG, "dsn", "name the database: dsn = \"postgresql://belfry@localhost/belfry\"");
    place.dsn = secret_of(root["dsn"], "dsn");
    if (root.contains("password")) place.password = secret_of(root["password"], "password");
    if (const auto schema = root.find("schema"); schema != root.end()) {
        if (!schema->is_string() || !is_schema_name(*schema))
            throw Refused(BELFRY_CONFIG, "schema", "must be letters, digits and underscores, at most 63 of them");
        place.schema = *schema;
    }
    return place;
}

uint64_t Settings::number_or(const char* name, uint64_t least, uint64_t most, uint64_t otherwise) const {
    const auto found = root_->find(name);
    if (found == root_->end()) return otherwise;
    if (!found->is_number_unsigned() || *found < least || *found > most) {
        throw Refused(BELFRY_CONFIG, name,
                      "must be a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return *found;
}

std::string Settings::word(const char* name, const std::vector<std::string>& words,
                           const std::string& otherwise) const {
    const auto found = root_->find(name);
    if (found == root_->end()) return otherwise;
    if (found->is_string() && std::find(words.begin(), words.end(), found->get<std::string>()) != words.end())
        return *found;
    std::string known;
    for (const std::string& word : words) known += (known.empty() ? "\"" : " or \"") + word + "\"";
    throw Refused(BELFRY_CONFIG, name, "must be " + known);
}

std::vector<Secret> Settings::secrets(const char* name) const {
    std::vector<Secret> secrets;
    const auto found = root_->find(name);
    if (found == root_->end()) return secrets;
    if (!found->is_array()) throw Refused(BELFRY_CONFIG, name, "must be a list of connection strings");
    for (const auto& secret : *found) secrets.push_back(secret_of(secret, name));
    return secrets;
}

void Settings::refuse_others(const std::vector<std::string>& names) const {
    for (const auto& [name, value] : root_->items()) {
        if (std::find(names.begin(), names.end(), name) != names.end()) continue;
        std::string known;
        for (const std::string& one : names) known += (known.empty() ? "" : ", ") + one;
        throw Refused(BELFRY_CONFIG, name, "unknown key; known are " + known);
    }
}

}  // namespace belfry::pg
