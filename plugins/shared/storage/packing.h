// SPDX-License-Identifier: Apache-2.0
// How our storages pack numbers, texts and a device's topics into bytes.
//
// Threads: [any].  Formats are part of the schemas: a change of one is a migration.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace belfry::storage {

// LEB128; a text behind its length.
void put_number(uint64_t value, std::string& out);
void put_text(std::string_view text, std::string& out);
// Takes a number from the front of `bytes`; false if it is cut or longer than 64 bits.
bool take_number(std::string_view& bytes, uint64_t* value);

// One subscription of a device: topic number and a bit mask of belfry_origin.
struct TopicRef {
    int64_t topic = 0;
    uint32_t origins = 0;
    bool operator==(const TopicRef&) const = default;
};

// Topics in ascending order of their numbers, as LEB128 of (distance << 3 | origins). Throws Refused: CORRUPT.
void encode_topics(std::span<const TopicRef> topics, std::string& out);
void decode_topics(std::string_view bytes, std::vector<TopicRef>& out);

// Adds an origin to the topic's entry, or an entry; keeps the order.
void add_origin(std::vector<TopicRef>& topics, int64_t topic, uint32_t origin);
// Takes an origin from every entry that is not in `except` (ascending), and entries without origins away.
void drop_origin(std::vector<TopicRef>& topics, uint32_t origin, const std::vector<int64_t>& except);

}  // namespace belfry::storage
