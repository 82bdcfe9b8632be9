// SPDX-License-Identifier: Apache-2.0
#include "api/device_json.h"

#include "base/device_id.h"

namespace belfry::api {

std::string id_of(const App& app, int64_t key) {
    return encode_device_id(app.name, key);
}

// Providers with keys of their own keep them as JSON with these two members.
std::string webpush_keys_of(const audience::DeviceRow& row) {
    if (row.data.empty() || !json::check(row.data)) return {};
    const json::Value data = json::root(row.data);
    const json::Value p256dh = json::member(data, "p256dh");
    const json::Value auth = json::member(data, "auth");
    if (!p256dh.is(json::Type::String) || !auth.is(json::Type::String)) return {};
    JsonWriter keys;
    keys.open('{').key("p256dh").raw(p256dh.raw).key("auth").raw(auth.raw).close('}');
    return keys.take();
}

void write_device_state(const audience::DeviceRow& row, JsonWriter& out) {
    out.text_unless_empty("platform", row.platform);
    out.text_unless_empty("user", row.user);
    if (!row.meta.empty() && row.meta != "{}" && json::check(row.meta)) out.key("meta").raw(row.meta);
    if (!row.topics.empty()) {
        out.key("topics").open('[');
        for (const std::string& topic : row.topics) out.text(topic);
        out.close(']');
    }
    out.text_unless_empty("timezone", row.timezone);
    out.text_unless_empty("locale", row.locale);
}

void write_device(const App& app, const audience::DeviceRow& row, bool webpush_keys, JsonWriter& out) {
    out.open('{').key("id").text(id_of(app, row.key));
    out.text_unless_empty("provider", app.wire_of(row.provider));
    out.text_unless_empty("token", row.token);
    write_device_state(row, out);
    out.integer_unless_zero("created_at", row.created_unix_ms / 1000);
    out.integer_unless_zero("updated_at", row.updated_unix_ms / 1000);
    const std::string keys = webpush_keys ? webpush_keys_of(row) : std::string();
    if (!keys.empty()) out.key("webpush_keys").text(keys);
    out.close('}');
}

}  // namespace belfry::api
