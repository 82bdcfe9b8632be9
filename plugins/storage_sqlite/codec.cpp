// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/codec.h"

#include <array>
#include <charconv>
#include <cstdio>

#include "sqlite/failure.h"

namespace belfry::storage {

namespace {

[[noreturn]] void corrupt(const char* what) {
    throw sqlite::Failure(BELFRY_CORRUPT,
                          std::string("stored ") + what + " cannot be read; restore the file from a backup");
}

uint64_t label_number(std::string_view& bytes) {
    uint64_t value = 0;
    if (!take_number(bytes, &value)) corrupt("labels");
    return value;
}

std::string_view take_text(std::string_view& bytes) {
    const uint64_t n = label_number(bytes);
    if (n > bytes.size()) corrupt("labels");
    const std::string_view text = bytes.substr(0, n);
    bytes.remove_prefix(n);
    return text;
}

}  // namespace

bool pack_token(std::string_view token, std::string_view data, std::string& out) {
    out.clear();
    if (token.size() + data.size() > kInlineBytesMax) return false;
    out += token;
    if (data.empty()) return false;
    out += data;
    out.push_back(static_cast<char>(data.size() >> 8U));
    out.push_back(static_cast<char>(data.size() & 0xffU));
    return true;
}

std::pair<std::string_view, std::string_view> unpack_token(std::string_view bytes, bool has_data) {
    if (!has_data) return {bytes, {}};
    if (bytes.size() < 2) corrupt("token");
    const auto high = static_cast<unsigned char>(bytes[bytes.size() - 2]);
    const auto low = static_cast<unsigned char>(bytes[bytes.size() - 1]);
    const size_t data = (size_t{high} << 8U) | low;
    if (data + 2 > bytes.size()) corrupt("token");
    return {bytes.substr(0, bytes.size() - 2 - data), bytes.substr(bytes.size() - 2 - data, data)};
}

void encode_labels(const Labels& labels, std::string& out) {
    out.clear();
    put_number(labels.variant, out);
    for (const std::string_view text : {labels.provider, labels.platform, labels.timezone, labels.locale})
        put_text(text, out);
}

Labels decode_labels(std::string_view bytes) {
    Labels labels;
    labels.variant = static_cast<uint32_t>(label_number(bytes));
    labels.provider = take_text(bytes);
    labels.platform = take_text(bytes);
    labels.timezone = take_text(bytes);
    labels.locale = take_text(bytes);
    return labels;
}

std::string encode_cursor(const PairCursor& cursor) {
    std::array<char, 64> text{};
    const int n = std::snprintf(text.data(), text.size(), "%llx.%x.%llx", static_cast<unsigned long long>(cursor.owner),
                                cursor.rank, static_cast<unsigned long long>(cursor.hash));
    return {text.data(), static_cast<size_t>(n)};
}

std::optional<PairCursor> decode_cursor(std::string_view text) {
    PairCursor cursor;
    const char* at = text.data();
    const char* end = at + text.size();
    uint64_t owner = 0;
    const auto dot = [&] { return at != end && *at++ == '.'; };
    const auto number = [&](auto& value) {
        const auto read = std::from_chars(at, end, value, 16);
        at = read.ptr;
        return read.ec == std::errc{};
    };
    if (!number(owner) || !dot() || !number(cursor.rank) || !dot() || !number(cursor.hash) || at != end)
        return std::nullopt;
    cursor.owner = static_cast<int64_t>(owner);
    return cursor;
}

// FNV-1a.
uint64_t hash_of(std::string_view text) noexcept {
    uint64_t hash = 14695981039346656037ULL;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return hash;
}

}  // namespace belfry::storage
