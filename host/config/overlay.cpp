// SPDX-License-Identifier: Apache-2.0
#include "config/overlay.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "config/settings.h"

namespace belfry::config {
namespace {

constexpr std::string_view kPrefix = "BELFRY_";

// "max-age" and "MAX_AGE" are the same key of a variable.
std::string variable_key(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

// "PROVIDERS__APNS_VOIP__TOPIC" names providers.apns-voip.topic if the file has such a section.
std::vector<std::string> path_of_variable(const Node& root, std::string_view name) {
    std::vector<std::string> path;
    const Node* at = &root;
    while (true) {
        const size_t end = name.find("__");
        std::string key = variable_key(name.substr(0, end));
        const Node* next = nullptr;
        if (at) {
            for (const auto& [known, value] : at->table) {
                if (variable_key(known) != key) continue;
                key = known;
                next = &value;
                break;
            }
        }
        at = next;
        path.push_back(std::move(key));
        if (end == std::string_view::npos) return path;
        name.remove_prefix(end + 2);
    }
}

// A variable that nobody reads but somebody meant: BELFRY_DATADIR, BELFRY_HTTP_LISTEN. Empty: none of ours.
std::string meant_variable(const std::string& name) {
    const auto variable = [](std::string key) {
        for (char& c : key) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        return std::string(kPrefix) + key;
    };
    Config fresh;
    fresh.apps.emplace_back();
    for (const Section& section : fixed_sections(fresh)) {
        for (const Setting& setting : section.settings) {
            std::string path = section.name.empty() ? "" : std::string(section.name) + ".";
            path += setting.key;
            std::string single = path, right;
            std::replace(single.begin(), single.end(), '.', '_');
            for (const char c : path) right += c == '.' ? std::string("__") : std::string(1, c);
            if (single == name && single != right) return variable(right);
        }
    }
    return variable(nearest(name, {"data_dir", "plugin_dirs", "plugin_pins"}));
}

void overlay_environment(Node& root, const LoadArgs& args, Reading& reading) {
    const std::set<std::string> top = {"data_dir", "plugin_dirs", "plugin_pins", "dev"};
    for (const auto& [name, value] : args.environment) {
        if (name.substr(0, kPrefix.size()) != kPrefix) continue;
        const std::string rest = name.substr(kPrefix.size());
        // Variables without "__" are only ours if they are a key: container platforms set BELFRY_PORT and the like.
        if (rest.find("__") == std::string::npos && !top.contains(variable_key(rest))) {
            const std::string meant = meant_variable(variable_key(rest));
            if (meant != kPrefix) reading.complain("environment " + name, "is not read; did you mean " + meant + "?");
            continue;
        }
        put(root, path_of_variable(root, rest), read_loose(value, "environment " + name));
    }
}

void overlay_sets(Node& root, const LoadArgs& args, Reading& reading) {
    for (const std::string& set : args.sets) {
        const size_t equals = set.find('=');
        if (equals == std::string::npos || equals == 0) {
            reading.complain("--set " + set, "must be key=value, for example --set http.listen=127.0.0.1:9000");
            continue;
        }
        const std::string key = set.substr(0, equals);
        std::vector<std::string> path;
        for (size_t at = 0; at <= key.size();) {
            const size_t dot = std::min(key.find('.', at), key.size());
            path.push_back(key.substr(at, dot - at));
            at = dot + 1;
        }
        put(root, path, read_loose(set.substr(equals + 1), "--set " + key));
    }
}

}  // namespace

void overlay(Node& root, const LoadArgs& args, Reading& reading) {
    overlay_environment(root, args, reading);
    overlay_sets(root, args, reading);
}

}  // namespace belfry::config
