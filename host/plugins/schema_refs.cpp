// SPDX-License-Identifier: Apache-2.0
#include "plugins/schema_refs.h"

#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace belfry::plugins {

namespace {

using Json = nlohmann::json;

// Where a schema's "$ref" leads; null if it has none.
const Json* referred(const Json& root, const Json& schema) {
    const auto ref = schema.find("$ref");
    if (ref == schema.end() || !ref->is_string()) return nullptr;
    const auto& text = ref->get_ref<const std::string&>();
    const bool local = text.rfind("#/", 0) == 0 && text.find('%') == std::string::npos;
    if (!local && text != "#") throw std::runtime_error("\"$ref\": \"" + text + "\" does not begin with #/");
    const Json::json_pointer pointer(text.substr(1));
    if (!root.contains(pointer)) throw std::runtime_error("\"$ref\": \"" + text + "\" leads nowhere");
    return &root[pointer];
}

class LoopFinder {
public:
    explicit LoopFinder(const Json& root) : root_(root) {}

    void look(const Json& schema) {
        if (schema.is_object()) enter(schema);
        if (schema.is_structured()) {
            for (const Json& child : schema) look(child);
        }
    }

private:
    void enter(const Json& schema) {
        if (!schema.is_object()) return;
        const auto [it, fresh] = open_.emplace(&schema, true);
        if (!fresh && it->second) throw std::runtime_error("a part of it refers to itself without an end");
        if (!fresh) return;
        if (const Json* to = referred(root_, schema)) enter(*to);
        for (const char* one : {"not", "if", "then", "else"}) {
            if (schema.contains(one)) enter(schema[one]);
        }
        for (const char* several : {"allOf", "anyOf", "oneOf", "dependencies"}) {
            if (!schema.contains(several) || !schema[several].is_structured()) continue;
            for (const Json& branch : schema[several]) enter(branch);
        }
        open_[&schema] = false;
    }

    const Json& root_;
    std::map<const Json*, bool> open_;  // seen; true while it is being followed
};

}  // namespace

const Json& resolved(const Json& root, const Json& schema) {
    const Json* at = &schema;
    while (at->is_object()) {
        const Json* to = referred(root, *at);
        if (to == nullptr) break;
        at = to;
    }
    return *at;
}

void require_end(const Json& root) {
    LoopFinder(root).look(root);
}

}  // namespace belfry::plugins
