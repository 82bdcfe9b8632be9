// SPDX-License-Identifier: Apache-2.0
// JSON for plugins, by the host's belfry.json/1: a text and its parts, never a tree; and objects written member by
// member. Header-only, C++17. Threads: [any], each object by one at a time.
#pragma once

#include <belfry/services.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belfry {

// A view: services and text outlive it. The text is valid JSON, or empty: then nothing is found in it.
struct Json {
    const Services& services;
    std::string_view text;

    // Refused with BAD_REQUEST and the position if it is no JSON.
    static Json checked(const Services& services, std::string_view text) {
        services.json_check(text);
        return {services, text};
    }
    // Empty if it is no JSON: what a stranger answered.
    static Json of(const Services& services, std::string_view text) {
        try {
            return checked(services, text);
        } catch (const Refused&) {
            return {services, {}};
        }
    }

    // Type 0: absent. "" is the whole, "error.details" and "results.0.error" are places in it.
    belfry_json_value find(std::string_view path) const { return services.json_find(text, path); }
    bool has(std::string_view path) const {
        const int32_t type = find(path).type;
        return type != 0 && type != BELFRY_JSON_NULL;
    }
    bool is_object(std::string_view path = {}) const { return find(path).type == BELFRY_JSON_OBJECT; }

    // As it stands in the text.
    std::string_view raw(belfry_json_value value) const { return text.substr(value.at.at, value.at.n); }
    Json at(belfry_json_value value) const { return {services, raw(value)}; }
    Json at(std::string_view path) const { return at(find(path)); }
    // What a string means; empty for anything else.
    std::string string(belfry_json_value value) const {
        return value.type == BELFRY_JSON_STRING ? services.json_unescape(text, value.at) : std::string();
    }
    std::string string(std::string_view path) const { return string(find(path)); }
    // A whole number; servers also write it as a text of digits.
    std::optional<int64_t> number(std::string_view path) const {
        const belfry_json_value value = find(path);
        if (value.type == BELFRY_JSON_NUMBER) return whole_number(raw(value));
        return value.type == BELFRY_JSON_STRING ? whole_number(string(value)) : std::nullopt;
    }
    bool flag(std::string_view path, bool absent = false) const {
        return services.json_bool(text, path).value_or(absent);
    }
    // Of an object or array; nothing happens for other values.
    template <class Fn>  // (const belfry_json_entry&), relative to this text
    void each(belfry_json_value container, Fn&& fn) const {
        const bool holds = container.type == BELFRY_JSON_OBJECT || container.type == BELFRY_JSON_ARRAY;
        if (holds) services.json_each(text, container.at, fn);
    }
    template <class Fn>
    void each(std::string_view path, Fn&& fn) const {
        each(find(path), fn);
    }
};

// JsonObject(services).text("iss", id).number("iat", now).str()
class JsonObject {
public:
    explicit JsonObject(const Services& services) : services_(services) {}
    JsonObject& text(std::string_view key, std::string_view value) {
        return raw(key, "\"" + services_.json_escape(value) + "\"");
    }
    JsonObject& number(std::string_view key, int64_t value) { return raw(key, std::to_string(value)); }
    // `json`: a value, written as it is.
    JsonObject& raw(std::string_view key, std::string_view json) {
        members_.append(members_.empty() ? "\"" : ",\"").append(services_.json_escape(key)).append("\":").append(json);
        return *this;
    }
    std::string str() const { return "{" + members_ + "}"; }

private:
    const Services& services_;
    std::string members_;
};

}  // namespace belfry
