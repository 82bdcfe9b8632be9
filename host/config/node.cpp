// SPDX-License-Identifier: Apache-2.0
#include "config/node.h"

#include <algorithm>

namespace belfry::config {

Node::Node() = default;
Node::~Node() = default;
Node::Node(const Node&) = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(const Node&) = default;
Node& Node::operator=(Node&&) noexcept = default;

const Node* Node::find(std::string_view key) const noexcept {
    const auto it = std::find_if(table.begin(), table.end(), [&](const auto& entry) { return entry.first == key; });
    return it == table.end() ? nullptr : &it->second;
}

Node* Node::find(std::string_view key) noexcept {
    return const_cast<Node*>(std::as_const(*this).find(key));
}

const char* name_of(Node::Kind kind) noexcept {
    switch (kind) {
        case Node::Kind::Text:
            return "a text";
        case Node::Kind::Integer:
            return "an integer";
        case Node::Kind::Number:
            return "a number";
        case Node::Kind::Boolean:
            return "true or false";
        case Node::Kind::List:
            return "a list";
        case Node::Kind::Table:
            return "a table";
    }
    return "nothing";
}

void put(Node& root, const std::vector<std::string>& path, Node value) {
    Node* at = &root;
    for (const std::string& key : path) {
        if (!at->is(Node::Kind::Table)) {
            *at = Node{};
            at->origin = value.origin;
        }
        Node* next = at->find(key);
        if (!next) {
            next = &at->table.emplace_back(key, Node{}).second;
            next->origin = value.origin;
        }
        at = next;
    }
    if (!at->is(Node::Kind::Table) || !value.is(Node::Kind::Table)) {
        *at = std::move(value);
        return;
    }
    for (auto& [key, child] : value.table) put(*at, {key}, std::move(child));
}

std::string nearest(std::string_view key, const std::vector<std::string>& known) {
    // Edits tolerated: a third of the word, at least two.
    size_t best = std::max<size_t>(2, key.size() / 3) + 1;
    std::string answer;
    for (const std::string& word : known) {
        // Damerau-Levenshtein with swaps of neighbours: three rows are enough.
        std::vector<size_t> before(word.size() + 1), last(word.size() + 1), row(word.size() + 1);
        for (size_t j = 0; j <= word.size(); ++j) last[j] = j;
        for (size_t i = 1; i <= key.size(); ++i) {
            row[0] = i;
            for (size_t j = 1; j <= word.size(); ++j) {
                const size_t change = last[j - 1] + (key[i - 1] == word[j - 1] ? 0 : 1);
                row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
                if (i > 1 && j > 1 && key[i - 1] == word[j - 2] && key[i - 2] == word[j - 1]) {
                    row[j] = std::min(row[j], before[j - 2] + 1);
                }
            }
            before = last;
            last = row;
        }
        if (last[word.size()] < best) {
            best = last[word.size()];
            answer = word;
        }
    }
    return answer;
}

}  // namespace belfry::config
