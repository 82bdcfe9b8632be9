// SPDX-License-Identifier: Apache-2.0
#include "storage_sqlite/device.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace belfry::storage {

namespace {

void copy_hash(std::string_view bytes, Hash& hash) {
    if (bytes.size() != hash.size())
        throw sqlite::Failure(BELFRY_CORRUPT, "a stored hash has a wrong length; restore the file from a backup");
    std::memcpy(hash.data(), bytes.data(), hash.size());
}

}  // namespace

bool same_state(const Device& a, const Device& b) {
    const auto state = [](const Device& d) {
        return std::tie(d.token_hash, d.identity_hash, d.token, d.data, d.variant, d.provider, d.user, d.platform,
                        d.timezone, d.locale, d.topics, d.meta);
    };
    return state(a) == state(b);
}

DeviceView view_of(const sqlite::Statement& row, Columns columns, Words& words) {
    DeviceView view;
    view.key = row.integer(0);
    const Traits traits(row.integer(1));
    view.token = row.blob(2);
    view.data = row.blob(3);
    if (traits.is_packed()) {
        unpack_labels(traits, words, view);
    } else {
        const Labels labels = decode_labels(row.blob(4));
        view.provider = labels.provider;
        view.platform = labels.platform;
        view.timezone = labels.timezone;
        view.locale = labels.locale;
        view.variant = labels.variant;
    }
    if (columns == Columns::Narrow) return view;
    view.user = row.text(5);
    view.created = row.integer(6);
    view.updated = row.integer(7);
    view.registered = row.integer(8);
    view.topics = row.blob(9);
    view.token_hash = row.blob(10);
    view.identity_hash = row.blob(11);
    view.meta = row.text(12);
    return view;
}

void copy_view(const DeviceView& view, Device& device) {
    device.key = view.key;
    device.provider = view.provider;
    device.token = view.token;
    device.data = view.data;
    device.user = view.user;
    device.platform = view.platform;
    device.timezone = view.timezone;
    device.locale = view.locale;
    device.meta = view.meta;
    device.variant = view.variant;
    device.created = view.created;
    device.updated = view.updated;
    device.registered = view.registered;
    copy_hash(view.token_hash, device.token_hash);
    copy_hash(view.identity_hash, device.identity_hash);
    decode_topics(view.topics, device.topics);
}

}  // namespace belfry::storage
