// SPDX-License-Identifier: Apache-2.0
// The packed columns of the storage file: the token in a subscription row, labels that Traits cannot hold, and the
// cursors of lists; a device's topics: storage/packing.h.
//
// Threads: [any].  Formats are part of the schema: a change of one is a migration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/packing.h"

namespace belfry::storage {

// Token and provider_data as a subscription row carries them: the token, or token + data + 2 bytes of data's length.
// Longer ones than kInlineBytesMax give an empty text: the row is joined with its device.
inline constexpr size_t kInlineBytesMax = 200;
bool pack_token(std::string_view token, std::string_view data, std::string& out);
std::pair<std::string_view, std::string_view> unpack_token(std::string_view bytes, bool has_data);

// Labels and variant of a device for which the dictionary has no room.
struct Labels {
    std::string_view provider, platform, timezone, locale;
    uint32_t variant = 0;
    bool operator==(const Labels&) const = default;
};
void encode_labels(const Labels& labels, std::string& out);
Labels decode_labels(std::string_view bytes);

// Where a list of (owner, topic) pairs goes on: after the topic with this hash, or at `rank` if it is gone. Topics may
// be too long to stand in a cursor.
struct PairCursor {
    int64_t owner = -1;
    uint32_t rank = 0;
    uint64_t hash = 0;
};
std::string encode_cursor(const PairCursor& cursor);
// Nothing for a text that this storage did not make.
std::optional<PairCursor> decode_cursor(std::string_view text);
uint64_t hash_of(std::string_view text) noexcept;

}  // namespace belfry::storage
