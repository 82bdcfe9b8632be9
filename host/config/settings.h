// SPDX-License-Identifier: Apache-2.0
// How a key of the configuration is bound to its field, and how a section of keys is read.
// Used inside this folder only.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.h"
#include "config/node.h"

namespace belfry::config {

using Slot = std::variant<std::string*, int64_t*, bool*, std::vector<std::string>*, std::map<std::string, std::string>*,
                          std::vector<ApiKey>*, Secret*>;

struct Rule {
    int64_t min = 0;
    int64_t max = std::numeric_limits<int64_t>::max();
    std::vector<std::string_view> choices;  // for texts
    bool path = false;                      // relative ones are completed
};

// One documented key of a section.
struct Setting {
    std::string_view key;  // inside its section; a dot means a table
    Slot slot;
    std::string_view help;
    Rule rule = {};
};

struct Section {
    std::string_view name;  // empty: the top of the file
    std::string_view help;
    std::vector<Setting> settings;
};

// The table: what there is. `config` gives the fields and, when fresh, the defaults.
std::vector<Section> fixed_sections(Config& config);
Section app_section(AppConfig& app);
Section storage_section(ComponentConfig& component);
Section queue_section(ComponentConfig& component);
Section provider_section(ComponentConfig& component);

// Where findings go and what paths and secrets need.
struct Reading {
    std::string folder;   // of the config file
    std::string current;  // the process's
    const std::map<std::string, std::string>* environment = nullptr;
    bool need_secrets = true;
    std::vector<std::string> findings;

    void complain(const std::string& origin, const std::string& what) { findings.push_back(origin + ": " + what); }
    std::string complete(const std::string& path, const Node& written) const;
};

enum class Unknown : uint8_t { Refuse, Keep };
// Reads the members of `table` into the section's fields. Keys that belong to other sections are in `others`. Returns
// the members that the section does not know; with Refuse they are complained about as well.
Node read_section(const Node& table, const Section& section, const std::string& prefix,
                  const std::vector<std::string>& others, Unknown unknown, Reading& reading);

// A secret: a text, { file = "..." } or { env = "..." }.
Secret read_secret(const Node& node, const std::string& key, Reading& reading);
bool looks_like_secret(const Node& node);

// Fills component.section and .secrets from what the host did not take.
void read_plugin_section(const Node& rest, const std::string& prefix, ComponentConfig& component, Reading& reading);

}  // namespace belfry::config
