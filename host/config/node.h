// SPDX-License-Identifier: Apache-2.0
// Configuration as read, before anybody knows what its keys mean: a tree in which every value remembers where it was
// written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace belfry::config {

struct Node {
    enum class Kind : uint8_t { Text, Integer, Number, Boolean, List, Table };

    // Not implicit: clang would ask for them while `table`'s element is not complete.
    Node();
    ~Node();
    Node(const Node&);
    Node(Node&&) noexcept;
    Node& operator=(const Node&);
    Node& operator=(Node&&) noexcept;

    Kind kind = Kind::Table;
    std::string text;
    int64_t integer = 0;
    double number = 0;
    bool boolean = false;
    std::vector<Node> list;
    std::vector<std::pair<std::string, Node>> table;  // in the order of writing
    std::string origin;      // "belfry.toml:12", "environment BELFRY_HTTP__LISTEN", "--set http.listen"
    bool from_file = false;  // relative paths are then relative to the file
    bool loose = false;      // from environment or --set: `source` is the text as given, for keys that want text
    std::string source;

    bool is(Kind k) const noexcept { return kind == k; }
    const Node* find(std::string_view key) const noexcept;
    Node* find(std::string_view key) noexcept;
};

// "text", "integer" ... with an article, for messages.
const char* name_of(Node::Kind kind) noexcept;

// A TOML document. `file` is how messages call it. The error is one line "file:line: what".
Result<Node> read_toml(const std::string& text, const std::string& file);
// A value given outside of a file: TOML if it reads as one, otherwise the text itself.
Node read_loose(const std::string& text, const std::string& origin);

// Puts `value` at a path, making tables on the way; what stood there is replaced, tables are merged.
void put(Node& root, const std::vector<std::string>& path, Node value);

// The key among `known` that a typing error is closest to; empty if none is close.
std::string nearest(std::string_view key, const std::vector<std::string>& known);

}  // namespace belfry::config
