// SPDX-License-Identifier: Apache-2.0
#include "storage/checks.h"

#include <algorithm>
#include <belfry/services.hpp>

#include "storage/limits.h"

namespace belfry::storage {

namespace {
constexpr uint32_t kPrefixEnd = 1U << 16;
}

bool is_name(belfry_str name, bool may_be_empty) {
    return name.n <= kNameBytesMax && (may_be_empty || name.n > 0);
}

belfry_code check_registration(const belfry_registration& row) {
    if (row.key < -1 || row.key >= BELFRY_KEY_END || row.prefix >= kPrefixEnd) return BELFRY_BAD_REQUEST;
    if (row.token.n == 0 || row.provider.n == 0) return BELFRY_BAD_REQUEST;
    if (row.token.n > kTokenBytesMax || row.data.n > kDataBytesMax || row.meta.n > kMetaBytesMax)
        return BELFRY_TOO_LARGE;
    if (row.topics.n > kTopicsPerDeviceMax) return BELFRY_TOO_LARGE;
    for (const belfry_str label : {row.provider, row.user, row.platform, row.timezone, row.locale}) {
        if (!is_name(label, true)) return BELFRY_TOO_LARGE;
    }
    for (const belfry_str& topic : Rows<belfry_str>(row.topics)) {
        if (topic.n == 0) return BELFRY_BAD_REQUEST;
        if (!is_name(topic, false)) return BELFRY_TOO_LARGE;
    }
    return BELFRY_OK;
}

belfry_code check_names(belfry_list names) {
    for (const belfry_str& name : Rows<belfry_str>(names)) {
        if (name.n == 0) return BELFRY_BAD_REQUEST;
        if (!is_name(name, false)) return BELFRY_TOO_LARGE;
    }
    return BELFRY_OK;
}

void check_patch(const belfry_patch& patch) {
    if ((patch.flags & BELFRY_PATCH_USER) != 0 && !is_name(patch.user, true)) {
        throw Refused(BELFRY_TOO_LARGE, "user", "a user has at most 255 bytes");
    }
    if ((patch.flags & BELFRY_PATCH_META) != 0 && patch.meta.n > kMetaBytesMax) {
        throw Refused(BELFRY_TOO_LARGE, "meta", "meta has at most 16 KiB");
    }
    if (((patch.flags & BELFRY_PATCH_TIMEZONE) != 0 && !is_name(patch.timezone, true)) ||
        ((patch.flags & BELFRY_PATCH_LOCALE) != 0 && !is_name(patch.locale, true))) {
        throw Refused(BELFRY_TOO_LARGE, "timezone, locale", "timezone and locale have at most 255 bytes");
    }
    if ((patch.flags & BELFRY_PATCH_TOPICS) == 0) return;
    if (patch.topic_op < BELFRY_TOPICS_ADD || patch.topic_op > BELFRY_TOPICS_SET) {
        throw Refused(BELFRY_BAD_REQUEST, "topics.op", "the operation is add, remove or set");
    }
    const belfry_code code = check_names(patch.topics);
    if (code != BELFRY_OK) throw Refused(code, "topics", "a topic has 1 to 255 bytes");
}

bool fits(const DeviceRecord& record) {
    for (const std::string_view label :
         {record.provider, record.user, record.platform, record.timezone, record.locale}) {
        if (label.size() > kNameBytesMax) return false;
    }
    const bool has_names = std::all_of(record.topics.begin(), record.topics.end(), [](const auto& topic) {
        return is_name(str(topic.first), false) && topic.second > 0 && topic.second < 8;
    });
    return has_names && record.key >= 0 && record.key < BELFRY_KEY_END && !record.provider.empty() &&
           !record.token.empty() && record.token.size() <= kTokenBytesMax && record.data.size() <= kDataBytesMax &&
           record.meta.size() <= kMetaBytesMax;
}

belfry_item_result item_result(size_t index, int64_t key, belfry_code code, uint32_t changed) {
    belfry_item_result result = sized<belfry_item_result>();
    result.index = static_cast<uint32_t>(index);
    result.key = key;
    result.code = code;
    result.changed = changed;
    return result;
}

}  // namespace belfry::storage
