// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/device.h"

#include <tuple>

namespace belfry::storage_pg {

bool same_fanout(const Device& a, const Device& b) {
    const auto fanout = [](const Device& d) {
        return std::tie(d.token, d.data, d.variant, d.provider, d.platform, d.timezone, d.locale);
    };
    return fanout(a) == fanout(b);
}

bool same_state(const Device& a, const Device& b) {
    const auto rest = [](const Device& d) { return std::tie(d.token_hash, d.identity, d.user, d.topics, d.meta); };
    return same_fanout(a, b) && rest(a) == rest(b);
}

Device Row::device() const {
    Device device;
    device.key = key();
    device.variant = variant();
    device.provider = provider();
    device.platform = platform();
    device.timezone = timezone();
    device.locale = locale();
    device.token = token();
    device.data = data();
    device.user = user();
    device.created = created();
    device.updated = updated();
    device.registered = registered();
    device.meta = meta();
    storage::decode_topics(topics(), device.topics);
    device.identity = identity();
    device.token_hash = token_hash();
    return device;
}

}  // namespace belfry::storage_pg
