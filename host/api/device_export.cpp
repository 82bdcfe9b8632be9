// SPDX-License-Identifier: Apache-2.0
#include "api/device_export.h"

#include <belfry/storage.h>

#include <algorithm>
#include <set>
#include <span>

#include "api/device_json.h"

namespace belfry::api {

namespace {

bool is_everybody(const audience::Selection& s) {
    return s.keys.empty() && s.users.empty() && s.topics.empty() && s.providers.empty() && s.platforms.empty();
}

void write_binding(const std::string& user, bool more_of_it, std::span<const audience::TopicRow> rows,
                   std::string& lines) {
    JsonWriter out;
    out.open('{').key("user_topic_update").open('{').key("user").text(user);
    out.key("op").text(more_of_it ? "add" : "set").key("topics").open('[');
    for (const audience::TopicRow& row : rows) out.text(row.topic);
    out.close(']').close('}').close('}');
    lines += out.take();
    lines += '\n';
}

}  // namespace

DeviceExport::DeviceExport(std::shared_ptr<const App> app, audience::Devices& devices, audience::Selection selection,
                           bool user_topics)
    : app_(std::move(app)),
      devices_(devices),
      selection_(std::move(selection)),
      part_(user_topics && is_everybody(selection_) ? Part::UserTopics : Part::Devices),
      topics_of_owners_(user_topics && part_ == Part::Devices) {}

Result<bool> DeviceExport::next(std::string& lines) {
    if (part_ == Part::Ended) return false;
    if (part_ == Part::UserTopics) {
        if (const Status written = write_user_topics({}, cursor_, lines); !written) return written.error();
        if (cursor_.empty()) part_ = Part::Devices;
        return true;
    }
    audience::Paging paging;
    paging.cursor = cursor_;
    paging.limit = kExportPageDevices;
    paging.want_meta = paging.want_topics = true;
    Result<audience::DevicePage> page = devices_.list(app_->name, selection_, paging);
    if (!page) return page.error();
    if (const Status kept = keep_own_topics(*page); !kept) return kept.error();
    if (topics_of_owners_) {
        if (const Status written = write_topics_of_owners(*page, lines); !written) return written.error();
    }
    for (const audience::DeviceRow& row : page->rows) write(row, lines);
    cursor_ = page->next_cursor;
    if (cursor_.empty()) part_ = Part::Ended;
    return true;
}

// A user whose topics go beyond a page is set with the first ones; the others are added.
Status DeviceExport::write_user_topics(const audience::Selection& users, std::string& cursor, std::string& lines) {
    audience::Paging paging;
    paging.limit = kExportPageTopics;
    paging.cursor = cursor;
    const Result<audience::TopicPage> page = devices_.list_user_topics(app_->name, users, paging);
    if (!page) return page.error();
    const std::span<const audience::TopicRow> rows = page->rows;
    for (size_t from = 0, to = 0; from < rows.size(); from = to) {
        const std::string& user = rows[from].user;
        while (to < rows.size() && rows[to].user == user) ++to;
        write_binding(user, last_user_ == user, rows.subspan(from, to - from), lines);
        last_user_ = user;
    }
    cursor = page->next_cursor;
    return {};
}

Status DeviceExport::write_topics_of_owners(const audience::DevicePage& page, std::string& lines) {
    std::set<std::string> owners;
    for (const audience::DeviceRow& row : page.rows) {
        if (!row.user.empty()) owners.insert(row.user);
    }
    if (owners.empty()) return {};
    audience::Selection users;
    users.users.assign(owners.begin(), owners.end());
    last_user_.reset();
    std::string cursor;
    do {
        if (Status written = write_user_topics(users, cursor, lines); !written) return written;
    } while (!cursor.empty());
    return {};
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
