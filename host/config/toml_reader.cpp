// SPDX-License-Identifier: Apache-2.0
// The only place that knows toml++; it is dear to compile and throws.
#include <toml++/toml.h>
#include <sstream>

#include "config/node.h"

namespace belfry::config {
namespace {

std::string place(const std::string& file, const toml::source_region& region) {
    return file + ":" + std::to_string(region.begin.line);
}

Node convert(const toml::node& from, const std::string& file) {
    Node node;
    node.origin = place(file, from.source());
    node.from_file = true;
    if (const auto* text = from.as_string()) {
        node.kind = Node::Kind::Text;
        node.text = text->get();
    } else if (const auto* integer = from.as_integer()) {
        node.kind = Node::Kind::Integer;
        node.integer = integer->get();
    } else if (const auto* number = from.as_floating_point()) {
        node.kind = Node::Kind::Number;
        node.number = number->get();
    } else if (const auto* boolean = from.as_boolean()) {
        node.kind = Node::Kind::Boolean;
        node.boolean = boolean->get();
    } else if (const auto* list = from.as_array()) {
        node.kind = Node::Kind::List;
        for (const toml::node& item : *list) node.list.push_back(convert(item, file));
    } else if (const auto* table = from.as_table()) {
        for (const auto& [key, value] : *table) node.table.emplace_back(std::string(key.str()), convert(value, file));
    } else {
        // Dates have no use here; as text they meet the type check of whatever key they stand at.
        node.kind = Node::Kind::Text;
        std::ostringstream out;
        if (const auto* date = from.as_date()) out << date->get();
        if (const auto* time = from.as_time()) out << time->get();
        if (const auto* both = from.as_date_time()) out << both->get();
        node.text = out.str();
    }
    return node;
}

}  // namespace

Result<Node> read_toml(const std::string& text, const std::string& file) {
    try {
        const toml::table document = toml::parse(text, file);
        return convert(document, file);
    } catch (const toml::parse_error& fault) {
        return error(ErrorCode::Misconfigured,
                     place(file, fault.source()) + ": not valid TOML: " + std::string(fault.description()));
    } catch (const std::exception& fault) {
        return error(ErrorCode::Misconfigured, file + ": " + fault.what());
    }
}

Node read_loose(const std::string& text, const std::string& origin) {
    Node node;
    node.kind = Node::Kind::Text;
    node.text = text;
    if (text.find('\n') == std::string::npos) {
        Result<Node> parsed = read_toml("value = " + text, origin);
        if (parsed) {
            const Node* value = parsed->find("value");
            if (value && parsed->table.size() == 1) node = *value;
        }
    }
    const auto mark = [&](auto&& self, Node& n) -> void {
        n.origin = origin;
        n.from_file = false;
        n.loose = true;
        for (Node& item : n.list) self(self, item);
        for (auto& [key, child] : n.table) self(self, child);
    };
    mark(mark, node);
    // A quoted text was quoted on purpose; anything else may be meant as it stands.
    node.source = node.is(Node::Kind::Text) ? node.text : text;
    return node;
}

}  // namespace belfry::config
