// SPDX-License-Identifier: Apache-2.0
// Secrets, and the sections that belong to plugins: TOML becomes JSON in which every secret is only a reference.
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/small_file.h"
#include "config/settings.h"

namespace belfry::config {
namespace {

Secret from_file(const Node& path, const std::string& key, Reading& reading) {
    const std::string full = reading.complete(path.text, path);
    Result<std::string> text = read_secret_file(full);
    if (!text) {
        if (reading.need_secrets) {
            reading.complain(path.origin, key + ": cannot read the secret's file " + full + " (" +
                                              text.error().message +
                                              "); relative paths start at the folder of the config file");
        }
        return {};
    }
    return {std::move(*text), "file " + full};
}

Secret from_environment(const Node& name, const std::string& key, Reading& reading) {
    const auto it = reading.environment->find(name.text);
    if (it == reading.environment->end() || it->second.empty()) {
        if (reading.need_secrets) {
            reading.complain(name.origin, key + ": the environment variable " + name.text +
                                              " is not set; set it or name another one");
        }
        return {};
    }
    return {it->second, "environment " + name.text};
}

class SectionWriter {
public:
    SectionWriter(ComponentConfig& component, Reading& reading) : component_(component), reading_(reading) {}

    nlohmann::json convert(const Node& node, const std::string& key, const nlohmann::json::json_pointer& at) {
        if (looks_like_secret(node)) return refer(node, key);
        if (node.loose && node.is(Node::Kind::Text)) component_.loose.push_back(at.to_string());
        switch (node.kind) {
            case Node::Kind::Text:
                return node.text;
            case Node::Kind::Integer:
                return node.integer;
            case Node::Kind::Number:
                return number(node, key);
            case Node::Kind::Boolean:
                return node.boolean;
            case Node::Kind::List:
                break;
            case Node::Kind::Table:
                return table(node, key, at);
        }
        nlohmann::json list = nlohmann::json::array();
        for (size_t i = 0; i < node.list.size(); ++i)
            list.push_back(convert(node.list[i], key + "." + std::to_string(i), at / i));
        return list;
    }

private:
    nlohmann::json table(const Node& node, const std::string& key, const nlohmann::json::json_pointer& at) {
        nlohmann::json out = nlohmann::json::object();
        for (const auto& [name, value] : node.table)
            out[name] = convert(value, key.empty() ? name : key + "." + name, at / name);
        return out;
    }
    nlohmann::json number(const Node& node, const std::string& key) {
        if (std::isfinite(node.number)) return node.number;
        reading_.complain(node.origin, key + " must be a finite number");
        return nullptr;
    }
    nlohmann::json refer(const Node& node, const std::string& key) {
        component_.secrets.push_back({key, read_secret(node, key, reading_)});
        return {{"$secret", key}};
    }

    ComponentConfig& component_;
    Reading& reading_;
};

}  // namespace

bool looks_like_secret(const Node& node) {
    if (!node.is(Node::Kind::Table) || node.table.size() != 1) return false;
    const auto& [name, value] = node.table.front();
    return (name == "file" || name == "env") && value.is(Node::Kind::Text);
}

Secret read_secret(const Node& node, const std::string& key, Reading& reading) {
    if (node.is(Node::Kind::Text)) return {node.text, node.origin};
    if (node.loose && !node.is(Node::Kind::Table) && !node.source.empty()) return {node.source, node.origin};
    if (!looks_like_secret(node)) {
        reading.complain(node.origin, key + " must be a secret: a text, { file = \"...\" } or { env = \"...\" }");
        return {};
    }
    const auto& [name, value] = node.table.front();
    return name == "file" ? from_file(value, key, reading) : from_environment(value, key, reading);
}

void read_plugin_section(const Node& rest, const std::string& prefix, ComponentConfig& component, Reading& reading) {
    SectionWriter writer(component, reading);
    Node table = rest;
    table.kind = Node::Kind::Table;
    nlohmann::json section = nlohmann::json::object();
    for (const auto& [name, value] : table.table)
        section[name] = writer.convert(value, prefix + name, nlohmann::json::json_pointer() / name);
    component.section = section.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace belfry::config
