// SPDX-License-Identifier: Apache-2.0
#include "api/device_methods.h"

#include <algorithm>
#include <set>

#include "api/device_json.h"
#include "api/json_writer.h"
#include "api/place_names.h"
#include "api/service.h"
#include "base/device_id.h"

namespace belfry::api {

// The later of two equal keys counts, as in a Go map.
std::variant<std::string, Fault> compact_meta(const json::Value& meta, const std::string& path) {
    std::vector<std::pair<std::string, std::string>> members;
    for (const json::Entry& entry : json::Entries(meta)) {
        const std::string key = json::unescape(entry.key);
        std::erase_if(members, [&](const auto& member) { return member.first == key; });
        members.emplace_back(key, json::unescape(entry.value));
    }
    if (members.empty()) return std::string();
    JsonWriter out;
    out.open('{');
    for (const auto& [key, value] : members) out.key(key).text(value);
    out.close('}');
    std::string text = out.take();
    if (text.size() > static_cast<size_t>(kMetaBytesMax))
        return bad_request(path + ": must have at most " + std::to_string(kMetaBytesMax) + " bytes as JSON");
    return text;
}

std::optional<Fault> check_timezone(const std::string& name, const std::string& path) {
    if (name.empty() || is_timezone(name)) return std::nullopt;
    return bad_request(path + ": \"" + name + "\" is no IANA timezone; use a name like Europe/Berlin");
}

std::optional<Fault> check_locale(const std::string& tag, const std::string& path) {
    if (tag.empty() || is_locale(tag)) return std::nullopt;
    return bad_request(path + ": \"" + tag + "\" is no BCP 47 language tag; use one like pt-BR");
}

std::vector<std::string> without_duplicates(std::vector<std::string> texts) {
    std::set<std::string> seen;
    std::erase_if(texts, [&](const std::string& text) { return !seen.insert(text).second; });
    return texts;
}

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
    std::variant<std::string, Fault> meta = compact_meta(params.value("meta"), "meta");
    if (Fault* fault = std::get_if<Fault>(&meta)) return std::move(*fault);
    out.meta = std::move(std::get<std::string>(meta));
    out.topics = without_duplicates(params.texts("topics"));
    out.timezone = params.text("timezone");
    if (auto fault = check_timezone(out.timezone, "timezone")) return std::move(*fault);
    out.locale = params.text("locale");
    if (auto fault = check_locale(out.locale, "locale")) return std::move(*fault);
    return out;
}

std::variant<TopicChange, Fault> topic_change_of(const Checked& object, const std::string& path) {
    const std::string op = object.text("op");
    if (op.empty()) return bad_request(path + "op: must be one of add, remove, set");
    TopicChange out;
    out.op = op == "add" ? audience::TopicOp::Add : op == "remove" ? audience::TopicOp::Remove : audience::TopicOp::Set;
    out.topics = without_duplicates(object.texts("topics"));
    if (out.topics.empty() && out.op != audience::TopicOp::Set)
        return bad_request(path + "topics: is required for add and remove");
    return out;
}

std::variant<audience::UserTopics, Fault> user_topics_of(const Checked& params, const std::string& path) {
    std::variant<TopicChange, Fault> read = topic_change_of(params, path);
    if (Fault* fault = std::get_if<Fault>(&read)) return std::move(*fault);
    TopicChange& change = std::get<TopicChange>(read);
    return audience::UserTopics{params.text("user"), change.op, std::move(change.topics)};
}

audience::Paging paging_of(const Checked& params) {
    audience::Paging paging;
    paging.cursor = params.text("cursor");
    const int64_t limit = params.integer("limit");
    paging.limit = static_cast<uint32_t>(limit > 0 ? limit : kListLimitDefault);
    paging.want_total = params.boolean("include_total_count");
    return paging;
}

void write_page_end(const std::string& next_cursor, int64_t total, JsonWriter& out) {
    out.text_unless_empty("next_cursor", next_cursor);
    if (total > 0) out.key("total_count").integer(total);
}

std::variant<audience::Selection, Fault> device_filter_of(const App& app, const Checked* filter) {
    audience::Selection selection;
    if (!filter) return selection;
    if (auto fault = keys_of(app, filter->texts("ids"), "filter.ids", selection.keys)) return std::move(*fault);
    if (auto fault = instances_of(app, filter->texts("providers"), "filter.providers", selection.providers))
        return std::move(*fault);
    selection.users = filter->texts("users");
    selection.topics = filter->texts("topics");
    selection.platforms = filter->texts("platforms");
    return selection;
}

namespace {

Answer answer_of(const Result<audience::Registered>& registered, const App& app) {
    if (!registered) return fault_of(registered.error());
    return "{\"id\":\"" + id_of(app, registered->key) + "\"}";
}

}  // namespace

Answer Service::device_register(const App& app, const Checked& params, std::string_view) {
    std::variant<audience::Registration, Fault> registration = registration_of(app, params);
    if (Fault* fault = std::get_if<Fault>(&registration)) return std::move(*fault);
    const audience::Registration& one = std::get<audience::Registration>(registration);
    return answer_of(devices_.register_device(one), app);
}

void Service::register_then(const App& app, const Checked& params, AnswerDone done) {
    std::variant<audience::Registration, Fault> registration = registration_of(app, params);
    if (Fault* fault = std::get_if<Fault>(&registration)) return done(std::move(*fault));
    devices_.register_then(std::move(std::get<audience::Registration>(registration)),
                           [&app, done = std::move(done)](Result<audience::Registered>&& registered) {
                               done(answer_of(registered, app));
                           });
}

Answer Service::device_list(const App& app, const Checked& params, std::string_view) {
    std::variant<audience::Selection, Fault> selection = device_filter_of(app, params.object("filter"));
    if (Fault* fault = std::get_if<Fault>(&selection)) return std::move(*fault);
    audience::Paging paging = paging_of(params);
    paging.want_meta = params.boolean("include_meta");
    paging.want_topics = params.boolean("include_topics");
    const Result<audience::DevicePage> page = devices_.list(app.name, std::get<audience::Selection>(selection), paging);
    if (!page) return fault_of(page.error());
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const audience::DeviceRow& row : page->rows)
        write_device(app, row, params.boolean("include_webpush_keys"), out);
    out.close(']');
    write_page_end(page->next_cursor, page->total, out);
    out.close('}');
    return out.take();
}

}  // namespace belfry::api
