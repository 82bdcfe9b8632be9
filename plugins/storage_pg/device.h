// SPDX-License-Identifier: Apache-2.0
// A device as it is stored, and how its row is read.
#pragma once

#include <belfry/storage.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pg/values.h"
#include "storage/packing.h"

namespace belfry::storage_pg {

using pg::Hash;
using storage::TopicRef;

struct Device {
    int64_t key = -1;
    std::string provider, token, data, user, platform, timezone, locale, meta;
    uint32_t variant = 0;
    Hash token_hash{}, identity{};
    int64_t created = 0, updated = 0, registered = 0;
    std::vector<TopicRef> topics;  // ascending by number
};

// Whether two devices differ in anything but times.
bool same_state(const Device& a, const Device& b);
// Whether their subscription rows are the same.
bool same_fanout(const Device& a, const Device& b);

// Columns of a SELECT whose device table is `d`; each list begins with the one before it.
inline constexpr const char* kNarrow =
    "d.key, d.variant, d.provider, d.platform, d.timezone, d.locale, d.token, d.data";
inline constexpr const char* kWide =
    "d.key, d.variant, d.provider, d.platform, d.timezone, d.locale, d.token, d.data, "
    "d.usr, d.created, d.updated, d.registered, d.meta, d.topics";
inline constexpr const char* kFull =
    "d.key, d.variant, d.provider, d.platform, d.timezone, d.locale, d.token, d.data, "
    "d.usr, d.created, d.updated, d.registered, d.meta, d.topics, d.identity, d.token_hash";

// A row of a result, `at` columns to the right; views live as long as the result.
class Row {
public:
    Row(const pg::Result& result, int row, int at = 0) : result_(result), row_(row), at_(at) {}
    int64_t key() const noexcept { return result_.number(row_, at_); }
    uint32_t variant() const noexcept { return static_cast<uint32_t>(result_.number4(row_, at_ + 1)); }
    std::string_view provider() const noexcept { return result_.bytes(row_, at_ + 2); }
    std::string_view platform() const noexcept { return result_.bytes(row_, at_ + 3); }
    std::string_view timezone() const noexcept { return result_.bytes(row_, at_ + 4); }
    std::string_view locale() const noexcept { return result_.bytes(row_, at_ + 5); }
    bool is_token_elsewhere() const noexcept { return result_.is_null(row_, at_ + 6); }
    std::string_view token() const noexcept { return result_.bytes(row_, at_ + 6); }
    std::string_view data() const noexcept { return result_.bytes(row_, at_ + 7); }
    std::string_view user() const noexcept { return result_.bytes(row_, at_ + 8); }
    int64_t created() const noexcept { return result_.number(row_, at_ + 9); }
    int64_t updated() const noexcept { return result_.number(row_, at_ + 10); }
    int64_t registered() const noexcept { return result_.number(row_, at_ + 11); }
    std::string_view meta() const noexcept { return result_.bytes(row_, at_ + 12); }
    std::string_view topics() const noexcept { return result_.bytes(row_, at_ + 13); }
    Hash identity() const noexcept { return result_.hash(row_, at_ + 14); }
    Hash token_hash() const noexcept { return result_.hash(row_, at_ + 15); }

    Device device() const;  // of a row with kFull

private:
    const pg::Result& result_;
    int row_, at_;
};

}  // namespace belfry::storage_pg
