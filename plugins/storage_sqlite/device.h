// SPDX-License-Identifier: Apache-2.0
// A device as it is stored, and as a row of the device table is read.
//
// Threads: a DeviceView lives until its statement steps on.
#pragma once

#include <belfry/storage.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sqlite/statement.h"
#include "storage_sqlite/codec.h"
#include "storage_sqlite/words.h"

namespace belfry::storage {

using Hash = std::array<uint8_t, 16>;

inline sqlite::Blob blob_of(const Hash& hash) {
    return {hash.data(), hash.size()};
}

struct Device {
    int64_t key = -1;
    std::string provider, token, data, user, platform, timezone, locale, meta;
    uint32_t variant = 0;
    Hash token_hash{}, identity_hash{};
    int64_t created = 0, updated = 0, registered = 0;
    std::vector<TopicRef> topics;  // ascending by number
};

// Whether two devices differ in anything but times.
bool same_state(const Device& a, const Device& b);

struct DeviceView {
    int64_t key = 0;
    std::string_view provider, token, data, user, platform, timezone, locale, meta;
    std::string_view topics, token_hash, identity_hash;  // packed; raw bytes
    uint32_t variant = 0;
    int64_t created = 0, updated = 0, registered = 0;
};

// The columns of a SELECT that view_of reads, in its order. kNarrowColumns is what fan-out needs.
inline constexpr const char* kNarrowColumns = "key, traits, token, data, labels";
inline constexpr const char* kWideColumns =
    "key, traits, token, data, labels, user, created, updated, registered, topics, token_hash, identity_hash, meta";
enum class Columns { Narrow, Wide };
DeviceView view_of(const sqlite::Statement& row, Columns columns, Words& words);

// Fills provider, platform, timezone, locale and variant from packed traits.
inline void unpack_labels(Traits traits, Words& words, DeviceView& view) {
    view.provider = words.text(Word::Provider, traits.id(Word::Provider));
    view.platform = words.text(Word::Platform, traits.id(Word::Platform));
    view.timezone = words.text(Word::Timezone, traits.id(Word::Timezone));
    view.locale = words.text(Word::Locale, traits.id(Word::Locale));
    view.variant = traits.variant();
}

void copy_view(const DeviceView& view, Device& device);

}  // namespace belfry::storage
