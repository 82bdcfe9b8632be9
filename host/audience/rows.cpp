// SPDX-License-Identifier: Apache-2.0
#include "audience/rows.h"

#include <belfry/abi.hpp>

#include "plugins/call.h"

namespace belfry::audience {

std::vector<belfry_str> views(const std::vector<std::string>& texts) {
    std::vector<belfry_str> out;
    out.reserve(texts.size());
    for (const std::string& text : texts) out.push_back(str(std::string_view(text)));
    return out;
}

Selected::Selected(const Selection& from)
    : users(views(from.users)),
      topics(views(from.topics)),
      providers(views(from.providers)),
      platforms(views(from.platforms)),
      which(sized<belfry_selection>()) {
    which.keys = list_of(from.keys);
    which.users = list_of(users);
    which.topics = list_of(topics);
    which.providers = list_of(providers);
    which.platforms = list_of(platforms);
    which.topic_prefix = str(std::string_view(from.topic_prefix));
}

DeviceRow copied(const belfry_device& from) {
    DeviceRow row;
    row.key = from.key;
    row.provider = text(from.provider);
    row.token = text(from.token);
    row.data = text(from.data);
    row.user = text(from.user);
    row.platform = text(from.platform);
    row.timezone = text(from.timezone);
    row.locale = text(from.locale);
    row.meta = text(from.meta);
    for (const belfry_str& topic : Rows<belfry_str>(from.topics)) row.topics.push_back(text(topic));
    row.created_unix_ms = from.created_unix_ms;
    row.updated_unix_ms = from.updated_unix_ms;
    return row;
}

Error refused(belfry_code code) {
    switch (BELFRY_CODE_CLASS(code)) {
        case BELFRY_CONFLICT:
            return error(ErrorCode::Conflict, "another registration of this token or device came first; try again");
        case BELFRY_TOO_LARGE:
            return error(ErrorCode::TooLarge, "the device is larger than the storage takes");
        case BELFRY_BAD_REQUEST:
            return error(ErrorCode::InvalidArgument, "the storage refuses this device");
        case BELFRY_STORE_FULL:
            return error(ErrorCode::StoreFull, "the storage is full");
        case BELFRY_RETRY_LATER:
        case BELFRY_BUSY:
            return error(ErrorCode::Unavailable, "the storage is busy; try again");
        default:
            return error(ErrorCode::Internal, "the storage failed for this device; see the log");
    }
}

}  // namespace belfry::audience
