// SPDX-License-Identifier: Apache-2.0
#include "audience/row_filter.h"

#include <belfry/abi.hpp>

#include <algorithm>

namespace belfry::audience {

namespace {

bool allows(const std::vector<std::string>& list, belfry_str value) noexcept {
    return list.empty() || std::find(list.begin(), list.end(), view(value)) != list.end();
}

}  // namespace

uint32_t RowFilter::fields() const noexcept {
    uint32_t wanted = 0;
    if (!users.empty()) wanted |= BELFRY_FIELD_USER;
    if (!topics.empty()) wanted |= BELFRY_FIELD_TOPICS;
    if (!providers.empty()) wanted |= BELFRY_FIELD_PROVIDER;
    if (!platforms.empty()) wanted |= BELFRY_FIELD_PLATFORM;
    return wanted;
}

bool RowFilter::matches(const belfry_device& device) const noexcept {
    if (!allows(providers, device.provider) || !allows(platforms, device.platform) || !allows(users, device.user))
        return false;
    if (topics.empty()) return true;
    const Rows<belfry_str> subscribed(device.topics);
    return std::any_of(topics.begin(), topics.end(), [&](const std::string& topic) {
        for (const belfry_str& one : subscribed) {
            if (view(one) == topic) return true;
        }
        return false;
    });
}

}  // namespace belfry::audience
