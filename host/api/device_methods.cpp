// SPDX-License-Identifier: Apache-2.0
#include "api/device_methods.h"

#include <algorithm>
#include <set>

#include "api/json_writer.h"
#include "api/place_names.h"
#include "api/service.h"
#include "base/device_id.h"

namespace belfry::api {
namespace {

// The later of two equal keys counts, as in a Go map.
std::variant<std::string, Fault> compact_meta(const json::Value& meta) {
    std::vector<std::pair<std::string, std::string>> members;
    for (const json::Entry& entry : json::Entries(meta)) {
        const std::string key = json::unescape(entry.key);
        std::erase_if(members, [&](const auto& member) { return member.first == key; });
        members.emplace_back(key, json::unescape(entry.value));
    }
    if (members.empty()) return std::string();
    JsonWriter out;
    out.open('{');
    size_t bytes = 0;
    for (const auto& [key, value] : members) {
        out.key(key).text(value);
        bytes += key.size() + value.size();
    }
    if (bytes > static_cast<size_t>(kMetaBytesMax)) {
        return bad_request("meta: must have at most " + std::to_string(kMetaBytesMax) + " bytes in all");
    }
    out.close('}');
    return out.take();
}

std::vector<std::string> without_duplicates(std::vector<std::string> texts) {
    std::set<std::string> seen;
    std::erase_if(texts, [&](const std::string& text) { return !seen.insert(text).second; });
    return texts;
}

std::string id_of(const App& app, int64_t key) {
    return encode_device_id(app.name, key);
}

// Providers with keys of their own keep them as JSON with these two members.
void write_webpush_keys(const audience::DeviceRow& row, JsonWriter& out) {
    if (row.data.empty() || !json::check(row.data)) return;
    const json::Value data = json::root(row.data);
    const json::Value p256dh = json::member(data, "p256dh");
    const json::Value auth = json::member(data, "auth");
    if (!p256dh.is(json::Type::String) || !auth.is(json::Type::String)) return;
    JsonWriter keys;
    keys.open('{').key("p256dh").raw(p256dh.raw).key("auth").raw(auth.raw).close('}');
    out.key("webpush_keys").text(keys.take());
}

void write_device(const App& app, const audience::DeviceRow& row, bool webpush_keys, JsonWriter& out) {
    out.open('{').key("id").text(id_of(app, row.key));
    out.text_unless_empty("platform", row.platform);
    out.text_unless_empty("provider", app.wire_of(row.provider));
    out.text_unless_empty("token", row.token);
    out.text_unless_empty("user", row.user);
    out.integer_unless_zero("created_at", row.created_unix_ms / 1000);
    out.integer_unless_zero("updated_at", row.updated_unix_ms / 1000);
    if (!row.meta.empty() && row.meta != "{}" && json::check(row.meta)) out.key("meta").raw(row.meta);
    if (!row.topics.empty()) {
        out.key("topics").open('[');
        for (const std::string& topic : row.topics) out.text(topic);
        out.close(']');
    }
    out.text_unless_empty("timezone", row.timezone);
    out.text_unless_empty("locale", row.locale);
    if (webpush_keys) write_webpush_keys(row, out);
    out.close('}');
}

}  // namespace

std::optional<Fault> keys_of(const App& app, const std::vector<std::string>& ids, const std::string& path,
                             std::vector<int64_t>& keys) {
    for (size_t i = 0; i < ids.size(); ++i) {
        const Result<int64_t> key = decode_device_id(app.name, ids[i]);
        if (!key) return bad_request(path + "[" + std::to_string(i) + "]: " + key.error().message);
        keys.push_back(*key);
    }
    return std::nullopt;
}

std::optional<Fault> instances_of(const App& app, const std::vector<std::string>& wire_names, const std::string& path,
                                  std::vector<std::string>& instances) {
    for (size_t i = 0; i < wire_names.size(); ++i) {
        const ProviderName* name = app.by_wire(wire_names[i]);
        if (!name) {
            return bad_request(path + "[" + std::to_string(i) + "]: this app has no provider \"" + wire_names[i] +
                               "\"; " + app.known());
        }
        instances.push_back(name->instance);
    }
    return std::nullopt;
}

std::variant<audience::Registration, Fault> registration_of(const App& app, const Checked& params) {
    audience::Registration out;
    out.app = app.name;
    if (params.has("id")) {
        const Result<int64_t> key = decode_device_id(app.name, params.text("id"));
        if (!key) return bad_request("id: " + key.error().message);
        out.key = *key;
    }
    const std::string wire = params.text("provider");
    const ProviderName* provider = app.by_wire(wire);
    if (!provider) return bad_request("provider: this app has no provider \"" + wire + "\"; " + app.known());
    out.wire_name = provider->wire;
    out.provider = provider->instance;
    out.token = params.text("token");
    out.platform = params.text("platform");
    out.user = params.text("user");
    std::variant<std::string, Fault> meta = compact_meta(params.value("meta"));
    if (Fault* fault = std::get_if<Fault>(&meta)) return std::move(*fault);
    out.meta = std::move(std::get<std::string>(meta));
    out.topics = without_duplicates(params.texts("topics"));
    out.timezone = params.text("timezone");
    if (!out.timezone.empty() && !is_timezone(out.timezone)) {
        return bad_request("timezone: \"" + out.timezone + "\" is no IANA timezone; use a name like Europe/Berlin");
    }
    out.locale = params.text("locale");
    if (!out.locale.empty() && !is_locale(out.locale)) {
        return bad_request("locale: \"" + out.locale + "\" is no BCP 47 language tag; use one like pt-BR");
    }
    return out;
}

Answer Service::device_register(const App& app, const Checked& params, std::string_view) {
    std::variant<audience::Registration, Fault> registration = registration_of(app, params);
    if (Fault* fault = std::get_if<Fault>(&registration)) return std::move(*fault);
    const Result<audience::Registered> done = devices_.register_device(std::get<audience::Registration>(registration));
    if (!done) return fault_of(done.error());
    return "{\"id\":\"" + id_of(app, done->key) + "\"}";
}

Answer Service::device_list(const App& app, const Checked& params, std::string_view) {
    audience::Selection selection;
    if (const Checked* filter = params.object("filter")) {
        if (auto fault = keys_of(app, filter->texts("ids"), "filter.ids", selection.keys)) return std::move(*fault);
        if (auto fault = instances_of(app, filter->texts("providers"), "filter.providers", selection.providers))
            return std::move(*fault);
        selection.users = filter->texts("users");
        selection.topics = filter->texts("topics");
        selection.platforms = filter->texts("platforms");
    }
    audience::Paging paging;
    paging.cursor = params.text("cursor");
    const int64_t limit = params.integer("limit");
    paging.limit = static_cast<uint32_t>(limit > 0 ? limit : kListLimitDefault);
    paging.want_total = params.boolean("include_total_count");
    paging.want_meta = params.boolean("include_meta");
    paging.want_topics = params.boolean("include_topics");
    const Result<audience::DevicePage> page = devices_.list(app.name, selection, paging);
    if (!page) return fault_of(page.error());
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const audience::DeviceRow& row : page->rows)
        write_device(app, row, params.boolean("include_webpush_keys"), out);
    out.close(']');
    out.text_unless_empty("next_cursor", page->next_cursor);
    if (page->total > 0) out.key("total_count").integer(page->total);
    out.close('}');
    return out.take();
}

Answer Service::device_remove(const App& app, const Checked& params, std::string_view) {
    if (!params.has("ids") && !params.has("users"))
        return bad_request("ids: give ids, users or both; nothing was removed");
    std::vector<int64_t> keys;
    if (auto fault = keys_of(app, params.texts("ids"), "ids", keys)) return std::move(*fault);
    const Result<uint64_t> removed = devices_.remove(app.name, keys, params.texts("users"));
    if (!removed) return fault_of(removed.error());
    return "{}";
}

Answer Service::user_topic_update(const App& app, const Checked& params, std::string_view) {
    const std::string op = params.text("op");
    if (op.empty()) return bad_request("op: must be one of add, remove, set");
    const audience::TopicOp what = op == "add"      ? audience::TopicOp::Add
                                   : op == "remove" ? audience::TopicOp::Remove
                                                    : audience::TopicOp::Set;
    const std::vector<std::string> topics = without_duplicates(params.texts("topics"));
    if (topics.empty() && what != audience::TopicOp::Set) return bad_request("topics: is required for add and remove");
    const Status done = devices_.update_user_topics(app.name, params.text("user"), what, topics);
    if (!done) return fault_of(done.error());
    return "{}";
}

}  // namespace belfry::api
