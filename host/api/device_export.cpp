// SPDX-License-Identifier: Apache-2.0
#include "api/device_export.h"

#include <belfry/storage.h>

#include <algorithm>

#include "api/device_json.h"

namespace belfry::api {

Result<bool> DeviceExport::next(std::string& lines) {
    if (ended_) return false;
    audience::Paging paging;
    paging.cursor = cursor_;
    paging.limit = kExportPageDevices;
    paging.want_meta = paging.want_topics = true;
    Result<audience::DevicePage> page = devices_.list(app_->name, selection_, paging);
    if (!page) return page.error();
    if (const Status kept = keep_own_topics(*page); !kept) return kept.error();
    for (const audience::DeviceRow& row : page->rows) write(row, lines);
    cursor_ = page->next_cursor;
    ended_ = cursor_.empty();
    return true;
}

// Lists of devices do not say where a topic comes from; the lists of topics do.
Status DeviceExport::keep_own_topics(audience::DevicePage& page) {
    audience::Selection selection;
    for (const audience::DeviceRow& row : page.rows) {
        if (!row.topics.empty()) selection.keys.push_back(row.key);
    }
    if (selection.keys.empty()) return {};
    for (audience::DeviceRow& row : page.rows) row.topics.clear();
    audience::Paging paging;
    paging.limit = kExportPageTopics;
    do {
        Result<audience::TopicPage> topics = devices_.list_device_topics(app_->name, selection, paging);
        if (!topics) return topics.error();
        for (audience::TopicRow& topic : topics->rows) {
            if ((topic.origins & BELFRY_ORIGIN_DEVICE) == 0) continue;
            const auto row = std::lower_bound(page.rows.begin(), page.rows.end(), topic.key,
                                              [](const audience::DeviceRow& r, int64_t key) { return r.key < key; });
            if (row != page.rows.end() && row->key == topic.key) row->topics.push_back(std::move(topic.topic));
        }
        paging.cursor = topics->next_cursor;
    } while (!paging.cursor.empty());
    return {};
}

void DeviceExport::write(const audience::DeviceRow& row, std::string& lines) const {
    JsonWriter out;
    out.open('{').key("id").text(id_of(*app_, row.key)).key("provider").text(app_->wire_of(row.provider));
    const std::string keys = webpush_keys_of(row);
    if (keys.empty()) {
        out.key("token").text(row.token);
    } else {
        JsonWriter subscription;
        subscription.open('{').key("endpoint").text(row.token).key("keys").raw(keys).close('}');
        out.key("token").text(subscription.take());
    }
    write_device_state(row, out);
    out.close('}');
    lines += out.take();
    lines += '\n';
}

}  // namespace belfry::api
