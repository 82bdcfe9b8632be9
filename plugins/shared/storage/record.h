// SPDX-License-Identifier: Apache-2.0
// The records of dump and load: what a storage holds, in a form that every storage plugin can read, whatever its own
// tables look like. One byte says the kind, then fields follow in a fixed order: numbers as LEB128, texts with their
// length before them. Later fields are only ever appended, and readers ignore what they do not know.
//
//     D  key created updated registered variant provider token data user platform timezone locale meta token_hash
//        identity_hash n (topic origins)*
//     B  user n topic*             bound topics of a user, "" being everybody
//     K  key version value         cluster state
//     N  next                      the sequence of keys: what was minted before it is not minted again
//
// Threads: [any].  Views of a decoded record live as long as its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace belfry::storage {

struct DeviceRecord {
    int64_t key = 0, created = 0, updated = 0, registered = 0;
    uint32_t variant = 0;
    std::string_view provider, token, data, user, platform, timezone, locale, meta;
    std::string_view token_hash, identity_hash;                 // 16 bytes each
    std::vector<std::pair<std::string_view, uint32_t>> topics;  // with their origins
};
struct BindingRecord {
    std::string_view user;
    std::vector<std::string_view> topics;
};
struct StateRecord {
    std::string_view key, value;
    int64_t version = 0;
};
struct SequenceRecord {
    int64_t next = 0;
};
using Record = std::variant<std::monostate, DeviceRecord, BindingRecord, StateRecord, SequenceRecord>;

// Appends the record's bytes.
void encode_record(const DeviceRecord& device, std::string& out);
void encode_record(const BindingRecord& binding, std::string& out);
void encode_record(const StateRecord& state, std::string& out);
void encode_record(const SequenceRecord& sequence, std::string& out);
// std::monostate for bytes that are no record.
Record decode_record(std::string_view bytes);

}  // namespace belfry::storage
