// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/words.h"

namespace belfry::storage {

Words::Words(sqlite::Database& database, Use use)
    : newer_(database.prepare("SELECT id, text FROM word WHERE kind = ?1 AND id >= ?2 ORDER BY id")) {
    if (use == Use::Write) insert_ = database.prepare("INSERT INTO word (kind, id, text) VALUES (?1, ?2, ?3)");
}

void Words::read_newer(Word word, std::optional<uint32_t> wanted) {
    Kind& kind = kinds_[static_cast<size_t>(word)];
    newer_.with(static_cast<int64_t>(word), static_cast<int64_t>(kind.texts.size()));
    const sqlite::ResetAtEnd reset(newer_);
    while (newer_.step()) {
        if (newer_.integer(0) != static_cast<int64_t>(kind.texts.size())) break;
        kind.texts.emplace_back(newer_.text(1));
        kind.ids.emplace(kind.texts.back(), static_cast<uint32_t>(kind.texts.size() - 1));
    }
    if (wanted && *wanted >= kind.texts.size()) {
        throw sqlite::Failure(BELFRY_CORRUPT,
                              "a device refers to a word that is not stored; restore the file from a backup");
    }
}

std::optional<uint32_t> Words::find(Word word, std::string_view text) {
    Kind& kind = kinds_[static_cast<size_t>(word)];
    auto found = kind.ids.find(text);
    if (found == kind.ids.end()) {
        read_newer(word, std::nullopt);
        found = kind.ids.find(text);
    }
    if (found == kind.ids.end()) return std::nullopt;
    return found->second;
}

std::optional<uint32_t> Words::intern(Word word, std::string_view text) {
    if (const auto known = find(word, text)) return known;
    Kind& kind = kinds_[static_cast<size_t>(word)];
    if (kind.texts.size() >= Traits::room_for(word)) return std::nullopt;
    const auto id = static_cast<uint32_t>(kind.texts.size());
    insert_.with(static_cast<int64_t>(word), id, text).run();
    kind.texts.emplace_back(text);
    kind.ids.emplace(kind.texts.back(), id);
    return id;
}

void Words::forget() {
    for (Kind& kind : kinds_) kind = Kind();
}

}  // namespace belfry::storage
