// SPDX-License-Identifier: Apache-2.0
#include "fcm/json_tree.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace belfry::simulator {

namespace {

using Json = nlohmann::json;

class TreeBuilder final : public nlohmann::json_sax<Json> {
public:
    bool null() override { return place({}); }
    bool boolean(bool value) override {
        JsonTree node;
        node.kind = JsonTree::Kind::Bool;
        node.truth = value;
        return place(std::move(node));
    }
    bool number_integer(number_integer_t value) override { return number(std::to_string(value)); }
    bool number_unsigned(number_unsigned_t value) override { return number(std::to_string(value)); }
    bool number_float(number_float_t, const string_t& text) override { return number(text); }
    bool string(string_t& value) override {
        JsonTree node;
        node.kind = JsonTree::Kind::String;
        node.text = std::move(value);
        return place(std::move(node));
    }
    bool binary(binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(JsonTree::Kind::Object); }
    bool start_array(std::size_t) override { return open(JsonTree::Kind::Array); }
    bool key(string_t& name) override {
        path_.back()->members.push_back({std::move(name), {}});
        return true;
    }
    bool end_object() override { return shut(); }
    bool end_array() override { return shut(); }
    bool parse_error(std::size_t position, const std::string& token, const Json::exception&) override {
        problem_ = "Unexpected token at byte " + std::to_string(position) + ": " + token;
        return false;
    }

    JsonTree take() { return std::move(root_); }
    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    bool number(std::string text) {
        JsonTree node;
        node.kind = JsonTree::Kind::Number;
        node.text = std::move(text);
        return place(std::move(node));
    }

    // Pointers in path_ stay good: only the innermost open node gets new children.
    JsonTree& slot() {
        if (path_.empty()) return root_;
        JsonTree& parent = *path_.back();
        if (parent.kind == JsonTree::Kind::Object) return parent.members.back().value;
        return parent.items.emplace_back();
    }

    bool place(JsonTree node) {
        slot() = std::move(node);
        return true;
    }

    bool open(JsonTree::Kind kind) {
        if (path_.size() >= kMaxJsonDepth) {
            problem_ = "Message too deep. Max recursion depth reached";
            return false;
        }
        JsonTree& node = slot();
        node.kind = kind;
        path_.push_back(&node);
        return true;
    }

    bool shut() {
        path_.pop_back();
        return true;
    }

    JsonTree root_;
    std::vector<JsonTree*> path_;
    std::string problem_;
};

Json to_json(const JsonTree& tree) {
    switch (tree.kind) {
        case JsonTree::Kind::Null:
            return nullptr;
        case JsonTree::Kind::Bool:
            return tree.truth;
        case JsonTree::Kind::Number:
            return Json::parse(tree.text);
        case JsonTree::Kind::String:
            return tree.text;
        case JsonTree::Kind::Array: {
            Json array = Json::array();
            for (const JsonTree& item : tree.items) array.push_back(to_json(item));
            return array;
        }
        case JsonTree::Kind::Object: {
            Json object = Json::object();
            for (const JsonMember& member : tree.members) object[member.name] = to_json(member.value);
            return object;
        }
    }
    return nullptr;
}

}  // namespace

const JsonTree* JsonTree::find(std::string_view name) const {
    for (auto member = members.rbegin(); member != members.rend(); ++member) {
        if (member->name == name) return &member->value;
    }
    return nullptr;
}

std::optional<JsonTree> parse_json_tree(std::string_view text, std::string& problem) {
    TreeBuilder builder;
    if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
        problem = builder.problem();
        return std::nullopt;
    }
    return builder.take();
}

std::string to_text(const JsonTree& tree) {
    return to_json(tree).dump();
}

}  // namespace belfry::simulator
