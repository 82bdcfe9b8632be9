// SPDX-License-Identifier: Apache-2.0
// A JSON document as it was written: members in order, duplicates kept, numbers as text.
//
// The validator needs all three: Google names map entries by position, and quotes numbers in its errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::simulator {

struct JsonMember;

struct JsonTree {
    enum class Kind : std::uint8_t { Null, Bool, Number, String, Array, Object };

    Kind kind = Kind::Null;
    bool truth = false;
    std::string text;  // of a string (decoded) or a number (as written)
    std::vector<JsonTree> items;
    std::vector<JsonMember> members;

    // The last member of that name, as a parser that lets the last one win would see it.
    [[nodiscard]] const JsonTree* find(std::string_view name) const;
    [[nodiscard]] bool is_string() const { return kind == Kind::String; }
    [[nodiscard]] bool is_object() const { return kind == Kind::Object; }
};

struct JsonMember {
    std::string name;
    JsonTree value;
};

// Deeper documents are refused, as protobuf does.
constexpr std::size_t kMaxJsonDepth = 100;

// Nothing when `text` is not one JSON document in UTF-8; `problem` then says why.
std::optional<JsonTree> parse_json_tree(std::string_view text, std::string& problem);

// Compact JSON of the tree, for quoting and for counting bytes.
std::string to_text(const JsonTree& tree);

}  // namespace belfry::simulator
