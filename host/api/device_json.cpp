// SPDX-License-Identifier: Apache-2.0
#include "api/device_json.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "base/device_id.h"

namespace belfry::api {

std::string id_of(const App& app, int64_t key) {
    return encode_device_id(app.name, key);
}

namespace {

// Of a point on P-256 and of 16 bytes, in base64url.
constexpr size_t kPointText = 87, kSecretText = 22;

bool is_base64url(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

}  // namespace

// Web Push keeps "<p256dh>.<auth>" (belfry/provider.h, belfry_token.data); no other provider's data looks like it.
std::string webpush_keys_of(const audience::DeviceRow& row) {
    const std::string_view data = row.data;
    if (data.size() != kPointText + 1 + kSecretText || data[kPointText] != '.') return {};
    const std::string_view p256dh = data.substr(0, kPointText), auth = data.substr(kPointText + 1);
    if (!is_base64url(p256dh) || !is_base64url(auth)) return {};
    JsonWriter keys;
    keys.open('{').key("p256dh").text(p256dh).key("auth").text(auth).close('}');
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
