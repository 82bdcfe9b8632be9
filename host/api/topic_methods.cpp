// SPDX-License-Identifier: Apache-2.0
// Lists of who has which topics.
#include "api/device_json.h"
#include "api/device_methods.h"
#include "api/service.h"
#include "audience/hashes.h"

namespace belfry::api {
namespace {

// Pairs have no number of their own: their id is a hash of what they are.
std::string pair_id(std::string_view kind, std::string_view app, std::string_view owner, std::string_view topic) {
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string out;
    for (const uint8_t byte : audience::hash_of({kind, app, owner, topic})) {
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
    return out;
}

}  // namespace

Answer Service::device_topic_list(const App& app, const Checked& params, std::string_view) {
    audience::Selection selection;
    if (const Checked* filter = params.object("filter")) {
        if (auto fault = keys_of(app, filter->texts("device_ids"), "filter.device_ids", selection.keys))
            return std::move(*fault);
        if (auto fault =
                instances_of(app, filter->texts("device_providers"), "filter.device_providers", selection.providers))
            return std::move(*fault);
        selection.platforms = filter->texts("device_platforms");
        selection.users = filter->texts("device_users");
        selection.topics = filter->texts("topics");
        selection.topic_prefix = filter->text("topic_prefix");
    }
    audience::Paging paging = paging_of(params);
    paging.want_devices = params.boolean("include_device");
    const Result<audience::TopicPage> page = devices_.list_device_topics(app.name, selection, paging);
    if (!page) return fault_of(page.error());
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const audience::TopicRow& row : page->rows) {
        const std::string id = id_of(app, row.key);
        out.open('{').key("id").text(pair_id("device", app.name, id, row.topic)).key("topic").text(row.topic);
        out.key("device");
        if (paging.want_devices) {
            write_device(app, row.device, false, out);
        } else {
            out.open('{').key("id").text(id).close('}');
        }
        out.close('}');
    }
    out.close(']');
    write_page_end(page->next_cursor, page->total, out);
    out.close('}');
    return out.take();
}

Answer Service::user_topic_list(const App& app, const Checked& params, std::string_view) {
    audience::Selection selection;
    if (const Checked* filter = params.object("filter")) {
        selection.users = filter->texts("users");
        selection.topics = filter->texts("topics");
        selection.topic_prefix = filter->text("topic_prefix");
    }
    const Result<audience::TopicPage> page = devices_.list_user_topics(app.name, selection, paging_of(params));
    if (!page) return fault_of(page.error());
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const audience::TopicRow& row : page->rows) {
        out.open('{').key("id").text(pair_id("user", app.name, row.user, row.topic));
        out.key("user").text(row.user).key("topic").text(row.topic).close('}');
    }
    out.close(']');
    write_page_end(page->next_cursor, page->total, out);
    out.close('}');
    return out.take();
}

}  // namespace belfry::api
