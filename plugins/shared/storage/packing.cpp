// SPDX-License-Identifier: Apache-2.0
#include "storage/packing.h"

#include <algorithm>
#include <belfry/services.hpp>

namespace belfry::storage {

namespace {

uint64_t number_of_topics(std::string_view& bytes) {
    uint64_t value = 0;
    if (!take_number(bytes, &value))
        throw Refused(BELFRY_CORRUPT, {}, "stored topics cannot be read; restore the storage from a backup");
    return value;
}

}  // namespace

void put_number(uint64_t value, std::string& out) {
    while (value >= 0x80) {
        out.push_back(static_cast<char>(value | 0x80U));
        value >>= 7U;
    }
    out.push_back(static_cast<char>(value));
}

void put_text(std::string_view text, std::string& out) {
    put_number(text.size(), out);
    out += text;
}

bool take_number(std::string_view& bytes, uint64_t* value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (bytes.empty()) return false;
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        *value |= uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80) return true;
    }
    return false;
}

void encode_topics(std::span<const TopicRef> topics, std::string& out) {
    out.clear();
    int64_t before = 0;
    for (const TopicRef& ref : topics) {
        put_number((static_cast<uint64_t>(ref.topic - before) << 3U) | ref.origins, out);
        before = ref.topic;
    }
}

void decode_topics(std::string_view bytes, std::vector<TopicRef>& out) {
    out.clear();
    int64_t topic = 0;
    while (!bytes.empty()) {
        const uint64_t number = number_of_topics(bytes);
        topic += static_cast<int64_t>(number >> 3U);
        out.push_back({topic, static_cast<uint32_t>(number & 7U)});
    }
}

void add_origin(std::vector<TopicRef>& topics, int64_t topic, uint32_t origin) {
    const auto at = std::lower_bound(topics.begin(), topics.end(), topic,
                                     [](const TopicRef& ref, int64_t t) { return ref.topic < t; });
    if (at != topics.end() && at->topic == topic) {
        at->origins |= origin;
    } else {
        topics.insert(at, {topic, origin});
    }
}

void drop_origin(std::vector<TopicRef>& topics, uint32_t origin, const std::vector<int64_t>& except) {
    for (TopicRef& ref : topics) {
        if (!std::binary_search(except.begin(), except.end(), ref.topic)) ref.origins &= ~origin;
    }
    std::erase_if(topics, [](const TopicRef& ref) { return ref.origins == 0; });
}

}  // namespace belfry::storage
