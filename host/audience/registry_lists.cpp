// SPDX-License-Identifier: Apache-2.0
// What the registry reads: pages of devices and of topics.
#include <belfry/abi.hpp>

#include "audience/registry.h"
#include "audience/rows.h"

namespace belfry::audience {
namespace {

uint32_t fields_of(const Paging& wanted) {
    uint32_t fields = BELFRY_FIELD_PROVIDER | BELFRY_FIELD_TOKEN | BELFRY_FIELD_USER | BELFRY_FIELD_PLATFORM |
                      BELFRY_FIELD_TIMEZONE | BELFRY_FIELD_LOCALE | BELFRY_FIELD_TIMES;
    if (wanted.want_meta) fields |= BELFRY_FIELD_META;
    if (wanted.want_topics) fields |= BELFRY_FIELD_TOPICS;
    return fields;
}

belfry_paging paging_of(const Paging& wanted, uint32_t fields) {
    belfry_paging paging = sized<belfry_paging>();
    paging.limit = wanted.limit;
    paging.fields = fields;
    paging.want_total = wanted.want_total ? 1 : 0;
    paging.cursor = str(std::string_view(wanted.cursor));
    return paging;
}

TopicRow topic_of(const belfry_topic_row& from) {
    TopicRow row;
    row.key = from.key;
    row.user = text(from.user);
    row.topic = text(from.topic);
    row.origins = from.origins;
    if (from.device != nullptr) row.device = copied(*from.device);
    return row;
}

Result<TopicPage> ended(TopicPage&& page, Result<plugins::ListEnd>& end) {
    if (!end) return end.error();
    if (end->more) page.next_cursor = std::move(end->cursor);
    page.total = end->total;
    return std::move(page);
}

}  // namespace

Result<DevicePage> Registry::list(std::string_view app, const Selection& selection, const Paging& wanted) {
    const Selected selected(selection);
    const belfry_paging paging = paging_of(wanted, fields_of(wanted));
    DevicePage page;
    Result<plugins::ListEnd> end = storage_.list_devices(
        app, selected.which, paging, [&](const belfry_device& row) { page.rows.push_back(copied(row)); });
    if (!end) return end.error();
    if (end->more) page.next_cursor = std::move(end->cursor);
    page.total = end->total;
    return page;
}

Result<TopicPage> Registry::list_device_topics(std::string_view app, const Selection& selection, const Paging& wanted) {
    const Selected selected(selection);
    TopicPage page;
    Result<plugins::ListEnd> end =
        storage_.list_device_topics(app, selected.which, paging_of(wanted, wanted.want_devices ? fields_of(wanted) : 0),
                                    [&](const belfry_topic_row& row) { page.rows.push_back(topic_of(row)); });
    return ended(std::move(page), end);
}

Result<TopicPage> Registry::list_user_topics(std::string_view app, const Selection& selection, const Paging& wanted) {
    const Selected selected(selection);
    TopicPage page;
    Result<plugins::ListEnd> end =
        storage_.list_user_topics(app, selected.which, paging_of(wanted, 0),
                                  [&](const belfry_topic_row& row) { page.rows.push_back(topic_of(row)); });
    return ended(std::move(page), end);
}

}  // namespace belfry::audience
