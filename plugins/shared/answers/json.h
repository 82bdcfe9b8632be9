// SPDX-License-Identifier: Apache-2.0
// A JSON text and its parts, by the host's belfry.json/1. Texts are checked, or empty.
#pragma once

#include <belfry/services.hpp>
#include <string>
#include <string_view>

namespace answers {

struct Json {
    const belfry::Services& services;
    std::string_view text;

    // The text if it is JSON, else nothing.
    static Json of(const belfry::Services& services, std::string_view text) {
        try {
            services.json_check(text);
            return {services, text};
        } catch (const belfry::Refused&) {
            return {services, {}};
        }
    }
    belfry_json_value find(std::string_view path) const { return services.json_find(text, path); }
    std::string_view raw(belfry_json_value value) const { return text.substr(value.at.at, value.at.n); }
    Json at(belfry_json_value value) const { return {services, raw(value)}; }
    // What a string means; empty for anything else.
    std::string string(belfry_json_value value) const {
        return value.type == BELFRY_JSON_STRING ? services.json_unescape(text, value.at) : std::string();
    }
    std::string string(std::string_view path) const { return string(find(path)); }
    template <class Fn>  // const belfry_json_entry&
    void each(belfry_json_value container, Fn&& fn) const {
        const bool holds = container.type == BELFRY_JSON_OBJECT || container.type == BELFRY_JSON_ARRAY;
        if (holds) services.json_each(text, container.at, fn);
    }
};

}  // namespace answers
