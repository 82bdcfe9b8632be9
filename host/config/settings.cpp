// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <algorithm>
#include <filesystem>

namespace belfry::config {
namespace {

// Texts that came from environment or --set are taken as they were given, whatever they look like.
const std::string* text_of(const Node& node) {
    if (node.is(Node::Kind::Text)) return &node.text;
    return node.loose && !node.source.empty() ? &node.source : nullptr;
}

std::string expects(const std::string& key, std::string_view what) {
    return key + " must be " + std::string(what);
}

// One overload per type of field.
struct Reader {
    const Node& node;
    const std::string& key;
    const Rule& rule;
    Reading& reading;

    void operator()(std::string* field) const {
        const std::string* text = text_of(node);
        if (!text) return complain("a text");
        if (!rule.choices.empty() && std::find(rule.choices.begin(), rule.choices.end(), *text) == rule.choices.end()) {
            return complain(choices());
        }
        *field = rule.path ? reading.complete(*text, node) : *text;
    }
    void operator()(int64_t* field) const {
        if (!node.is(Node::Kind::Integer)) return complain("an integer");
        if (node.integer < rule.min || node.integer > rule.max) {
            return complain("between " + std::to_string(rule.min) + " and " + std::to_string(rule.max));
        }
        *field = node.integer;
    }
    void operator()(bool* field) const {
        if (!node.is(Node::Kind::Boolean)) return complain("true or false");
        *field = node.boolean;
    }
    void operator()(std::vector<std::string>* field) const {
        std::vector<std::string> texts;
        if (node.is(Node::Kind::List)) {
            for (const Node& item : node.list) {
                if (!item.is(Node::Kind::Text)) return complain("a list of texts");
                texts.push_back(rule.path ? reading.complete(item.text, node) : item.text);
            }
        } else if (const std::string* text = node.loose ? text_of(node) : nullptr) {
            texts.push_back(rule.path ? reading.complete(*text, node) : *text);
        } else {
            return complain("a list of texts");
        }
        *field = std::move(texts);
    }
    void operator()(std::map<std::string, std::string>* field) const {
        if (!node.is(Node::Kind::Table)) return complain("a table of texts");
        for (const auto& [name, value] : node.table) {
            const std::string* text = text_of(value);
            if (!text) return reading.complain(value.origin, expects(key + "." + name, "a text"));
            (*field)[name] = *text;
        }
    }
    void operator()(Secret* field) const { *field = read_secret(node, key, reading); }
    void operator()(std::vector<ApiKey>* field) const {
        if (!node.is(Node::Kind::List)) return complain("a list of { name = \"...\", key = ... }");
        for (const Node& item : node.list) read_key(item, *field);
    }

private:
    void complain(const std::string& what) const { reading.complain(node.origin, expects(key, what)); }
    std::string choices() const {
        std::string out = "one of";
        for (const std::string_view choice : rule.choices) {
            out += out.back() == 'f' ? " " : ", ";
            out += choice;
        }
        return out;
    }
    void read_key(const Node& item, std::vector<ApiKey>& keys) const {
        const Node* name = item.find("name");
        const Node* value = item.find("key");
        if (!item.is(Node::Kind::Table) || !name || !value || !name->is(Node::Kind::Text) || item.table.size() != 2) {
            return reading.complain(item.origin,
                                    expects(key, "a list of { name = \"...\", key = ... }, nothing else inside"));
        }
        Secret secret = read_secret(*value, key + " \"" + name->text + "\"", reading);
        if (secret.empty()) {
            if (reading.need_secrets && !secret.source().empty()) {
                reading.complain(value->origin,
                                 key + " \"" + name->text + "\": the key is empty, give it a long random text");
            }
            return;
        }
        keys.push_back({name->text, std::move(secret), item.origin});
    }
};

bool is_group(std::string_view key, const std::vector<Setting>& settings) {
    const std::string start = std::string(key) + ".";
    return std::any_of(settings.begin(), settings.end(),
                       [&](const Setting& s) { return s.key.substr(0, start.size()) == start; });
}

void refuse(const Node& value, const std::string& prefix, const std::string& inside, const Section& section,
            const std::vector<std::string>& others, Reading& reading) {
    std::vector<std::string> known;
    for (const Setting& setting : section.settings) known.push_back(prefix + std::string(setting.key));
    known.insert(known.end(), others.begin(), others.end());
    const std::string close = nearest(prefix + inside, known);
    std::string what = "unknown key " + prefix + inside;
    if (!close.empty()) {
        what += ", did you mean " + close + "?";
    } else {
        what += "; known are";
        for (const std::string& word : known) what += " " + word;
    }
    reading.complain(value.origin, what);
}

}  // namespace

std::string Reading::complete(const std::string& written, const Node& node) const {
    if (written.empty() || written.front() == '/') return written;
    const std::string& base = node.from_file ? folder : current;
    return (std::filesystem::path(base) / written).lexically_normal().string();
}

Node read_section(const Node& table, const Section& section, const std::string& prefix,
                  const std::vector<std::string>& others, Unknown unknown, Reading& reading) {
    Node rest;
    rest.origin = table.origin;
    rest.from_file = table.from_file;
    const auto walk = [&](auto&& self, const Node& from, const std::string& before, Node& left) -> void {
        for (const auto& [name, value] : from.table) {
            const std::string inside = before + name;
            const auto setting = std::find_if(section.settings.begin(), section.settings.end(),
                                              [&](const Setting& s) { return s.key == inside; });
            if (setting != section.settings.end()) {
                std::visit(Reader{value, prefix + inside, setting->rule, reading}, setting->slot);
            } else if (is_group(inside, section.settings) && value.is(Node::Kind::Table)) {
                Node below;
                below.origin = value.origin;
                self(self, value, inside + ".", below);
                if (!below.table.empty()) left.table.emplace_back(name, std::move(below));
            } else if (std::find(others.begin(), others.end(), prefix + inside) == others.end()) {
                if (unknown == Unknown::Refuse) refuse(value, prefix, inside, section, others, reading);
                left.table.emplace_back(name, value);
            }
        }
    };
    walk(walk, table, "", rest);
    return rest;
}

}  // namespace belfry::config
