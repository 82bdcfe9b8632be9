// SPDX-License-Identifier: Apache-2.0
// The dictionary behind Traits: provider, platform, timezone and locale texts by small numbers. It only grows, to a
// bound per kind, and numbers never change, so every connection keeps its own copy.
//
// Threads: those of its connection.  Owner: Reader, Writer.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sqlite/database.h"
#include "storage_sqlite/traits.h"

namespace belfry::storage {

class Words {
public:
    enum class Use { Read, Write };
    Words(sqlite::Database& database, Use use);
    Words(const Words&) = delete;
    Words& operator=(const Words&) = delete;

    // The text behind a number that a stored row carries; stays as long as this object. Fails: CORRUPT for a number
    // nobody gave.
    std::string_view text(Word word, uint32_t id) {
        auto& kind = kinds_[static_cast<size_t>(word)];
        if (id >= kind.texts.size()) read_newer(word, id);
        return kind.texts[id];
    }
    std::optional<uint32_t> find(Word word, std::string_view text);
    // The number of a text, given now if it has none; nothing if the dictionary is full. Inside a write transaction.
    std::optional<uint32_t> intern(Word word, std::string_view text);
    // After a rollback: numbers given since the transaction began are no longer true.
    void forget();

private:
    struct Kind {
        std::deque<std::string> texts{std::string()};  // by number; views into it must survive growth
        std::unordered_map<std::string_view, uint32_t> ids{{std::string_view(), 0U}};
    };
    void read_newer(Word word, std::optional<uint32_t> wanted);

    sqlite::Statement newer_, insert_;
    std::array<Kind, kWordKinds> kinds_;
};

}  // namespace belfry::storage
