// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "queue/record_rows.h"
#include "queue_redis/moving.h"
#include "queue_redis/results.h"
#include "queue_redis/turn.h"

namespace belfry::queue_redis {

namespace {

constexpr size_t kRowsPerRead = 250;
constexpr size_t kBundlesPerRead = 16;  // each up to a quarter of a mebibyte

// Reads what comes behind the cursor. Rows are walked in the order of their numbers, items and token blobs as parts of
// their pushes.
class Reader {
public:
    Reader(Core& core, redis::Connection& connection, redis::Deadline deadline, DumpPlace& place, DumpPage& page)
        : core_(core), connection_(connection), deadline_(deadline), place_(place), page_(page) {}

    // Adds rows until the page is full or this part is over. True: there may be more.
    bool read();

private:
    struct Work {
        Item item;
        std::string content;
    };
    // The first numbers from `least` on of the sets by app.
    Ids next_ids(const char* by_app, int64_t least, size_t most);
    std::vector<Push> pushes_from(int64_t least, size_t most);
    // By push; of unfinished ones. In the order of their numbers.
    std::map<int64_t, std::vector<Work>> work_of(const std::vector<Push>& pushes, bool with_content);
    std::vector<Letter> letters(const Ids& ids);
    std::string_view name(uint32_t app);
    std::string text(const redis::Value& value) { return value.is_nil() ? std::string() : std::string(value.text()); }

    bool read_pushes();
    bool read_blobs();
    bool read_items();
    bool read_dead();
    bool read_bundles();

    Core& core_;
    redis::Connection& connection_;
    const redis::Deadline deadline_;
    DumpPlace& place_;
    DumpPage& page_;
    std::map<uint32_t, std::string> names_;
};

bool Reader::read() {
    switch (place_.part) {
        case DumpPlace::Pushes:
            return read_pushes();
        case DumpPlace::Blobs:
            return read_blobs();
        case DumpPlace::Items:
            return read_items();
        case DumpPlace::Laters:  // among the items
            return false;
        case DumpPlace::Dead:
            return read_dead();
        case DumpPlace::Bundles:
            break;
    }
    return read_bundles();
}

std::string_view Reader::name(uint32_t app) {
    const auto known = names_.find(app);
    if (known != names_.end()) return known->second;
    return names_[app] = core_.apps.name(connection_, app, deadline_);
}

Ids Reader::next_ids(const char* by_app, int64_t least, size_t most) {
    const redis::Reply apps = connection_.run({"HKEYS", core_.keys.of("appname")}, deadline_);
    const std::string from = std::to_string(least), count = std::to_string(most);
    for (size_t i = 0; i < apps.size(); ++i)
        connection_.send({"ZRANGEBYSCORE", core_.keys.of(by_app, apps[i].number()), from, "+inf", "LIMIT", "0", count});
    std::set<int64_t> ids;
    for (const redis::Reply& found : connection_.trip(deadline_)) {
        for (size_t i = 0; i < found.size(); ++i) ids.insert(found[i].number());
    }
    Ids first(ids.begin(), ids.end());
    first.resize(std::min(first.size(), most));
    return first;
}

std::vector<Push> Reader::pushes_from(int64_t least, size_t most) {
    const Ids ids = next_ids("pushes", least, most);
    if (ids.empty()) return {};
    send_rows(connection_, core_.keys.of("push"), ids);
    const std::vector<redis::Reply> replies = connection_.trip(deadline_);
    std::vector<Push> pushes;
    for (size_t i = 0; i < ids.size(); ++i) {
        if (!replies[0][i].is_nil()) pushes.push_back(unpack_push(ids[i], replies[0][i].text()));
    }
    return pushes;
}

std::map<int64_t, std::vector<Reader::Work>> Reader::work_of(const std::vector<Push>& pushes, bool with_content) {
    std::map<int64_t, std::vector<Work>> works;
    Ids ids;
    for (const Push& push : pushes)
        connection_.send({"SUNION", core_.keys.of("of", push.id), core_.keys.of("owed", push.id)});
    for (const redis::Reply& found : connection_.trip(deadline_)) {
        for (size_t i = 0; i < found.size(); ++i) ids.push_back(found[i].number());
    }
    std::sort(ids.begin(), ids.end());
    if (ids.empty()) return works;
    send_rows(connection_, core_.keys.of("item"), ids);
    if (with_content) send_rows(connection_, core_.keys.of("content"), ids);
    const std::vector<redis::Reply> replies = connection_.trip(deadline_);
    for (size_t i = 0; i < ids.size(); ++i) {
        if (replies[0][i].is_nil()) continue;
        Work work{unpack_item(ids[i], replies[0][i].text()), with_content ? text(replies[1][i]) : std::string()};
        works[work.item.push].push_back(std::move(work));
    }
    return works;
}

bool Reader::read_pushes() {
    std::vector<Push> pushes = pushes_from(place_.id + 1, kRowsPerRead);
    if (pushes.empty()) return false;
    pushes.resize(std::min(pushes.size(), page_.room()));
    const std::map<int64_t, std::vector<Work>> works = work_of(pushes, false);
    for (const Push& push : pushes) {
        const std::string body = std::to_string(push.body);
        connection_.send({"HGETALL", core_.keys.of("count", push.id)});
        connection_.send({"LRANGE", core_.keys.of("sample", push.id), "0", "-1"});
        connection_.send({"HSTRLEN", core_.keys.of("blob"), body});
    }
    std::vector<redis::Reply> replies = connection_.trip(deadline_);
    // As many bodies as fit the page.
    size_t fit = 0;
    Ids bodies;
    for (size_t bytes = 0; fit < pushes.size() && bytes < DumpPage::kBytesMax; ++fit) {
        bytes += static_cast<size_t>(replies[3 * fit + 2].number());
        bodies.push_back(pushes[fit].body);
    }
    if (fit == 0) return true;
    send_rows(connection_, core_.keys.of("blob"), bodies);
    const std::vector<redis::Reply> found = connection_.trip(deadline_);
    const std::vector<Work> none;
    for (size_t i = 0; i < fit; ++i) {
        if (page_.is_full()) return true;
        PushRecord record = record_of_push(pushes[i]);
        const auto mine = works.find(pushes[i].id);
        record.undiscovered = pushes[i].bundle != 0 ? 1 : 0;
        for (const Work& work : mine != works.end() ? mine->second : none)
            record.undiscovered += (work.item.flags & kInitial) != 0 ? 1 : 0;
        record.app = name(pushes[i].app);
        record.counters = read_counters(replies[3 * i], replies[3 * i + 1]);
        if (!found[0][i].is_nil()) record.body_bytes = found[0][i].text();
        page_.add(record);
        place_.id = pushes[i].id;
    }
    return true;
}

// Those that something still picks from.
bool Reader::read_blobs() {
    const std::vector<Push> pushes = pushes_from(std::max<int64_t>(1, place_.id), kRowsPerRead);
    if (pushes.empty()) return false;
    std::map<int64_t, std::set<int64_t>> wanted;  // by push
    for (const auto& [push, works] : work_of(pushes, false)) {
        for (const Work& work : works) wanted[push].insert(work.item.blob);
    }
    Ids dead;
    for (const Push& push : pushes) connection_.send({"ZRANGE", core_.keys.of("letters", push.id), "0", "-1"});
    for (const redis::Reply& found : connection_.trip(deadline_)) {
        for (size_t i = 0; i < found.size(); ++i) dead.push_back(found[i].number());
    }
    for (const Letter& letter : letters(dead)) wanted[letter.work.push].insert(letter.work.blob);
    for (const Push& push : pushes) {
        for (const int64_t blob : wanted[push.id]) {
            const int64_t ordinal = ordinal_of(blob, push.body);
            if (ordinal < 1 || ordinal > push.blobs) continue;
            if (push.id == place_.id && ordinal <= place_.sub) continue;
            if (page_.is_full()) return true;
            const redis::Reply bytes =
                connection_.run({"HGET", core_.keys.of("blob"), std::to_string(blob)}, deadline_);
            if (!bytes.is_nil()) page_.add(BlobRecord{push.id, ordinal, bytes.text()});
            place_.id = push.id;
            place_.sub = ordinal;
        }
    }
    place_.id = pushes.back().id + 1;
    place_.sub = 0;
    return true;
}

bool Reader::read_items() {
    const std::vector<Push> pushes = pushes_from(std::max<int64_t>(1, place_.id), kRowsPerRead);
    if (pushes.empty()) return false;
    std::map<int64_t, std::vector<Work>> works = work_of(pushes, true);
    for (const Push& push : pushes) {
        for (const Work& work : works[push.id]) {
            const Item& item = work.item;
            if (push.id == place_.id && item.id <= place_.sub) continue;
            if (page_.is_full()) return true;
            auto record = record_of_work<WorkRecord>(item, push.body, work.content);
            if (item.place == Place::Later) {
                // What a stop made due at once stands as 0.
                record.due_unix_ms = std::max<int64_t>(1, item.due_unix_ms);
            } else {
                record.ready_unix_ms = item.ready_unix_ms;
                record.crashes = item.crashes;
            }
            page_.add(record);
            place_.id = push.id;
            place_.sub = item.id;
        }
    }
    place_.id = pushes.back().id + 1;
    place_.sub = 0;
    return true;
}

std::vector<Letter> Reader::letters(const Ids& ids) {
    std::vector<Letter> letters;
    if (ids.empty()) return letters;
    send_rows(connection_, core_.keys.of("dead"), ids);
    const std::vector<redis::Reply> replies = connection_.trip(deadline_);
    for (size_t i = 0; i < ids.size(); ++i) {
        if (!replies[0][i].is_nil()) letters.push_back(unpack_letter(ids[i], replies[0][i].text()));
    }
    return letters;
}

bool Reader::read_dead() {
    const Ids ids = next_ids("graves", place_.id + 1, std::min(kRowsPerRead, page_.room()));
    if (ids.empty()) return page_.is_full();
    const std::vector<Letter> found = letters(ids);
    Ids pushes, works;
    for (const Letter& letter : found) {
        pushes.push_back(letter.work.push);
        works.push_back(letter.work.id);
    }
    std::vector<redis::Reply> replies;
    if (!found.empty()) {
        send_rows(connection_, core_.keys.of("push"), pushes);
        send_rows(connection_, core_.keys.of("content"), works);
        replies = connection_.trip(deadline_);
    }
    for (size_t i = 0; i < found.size(); ++i) {
        if (page_.is_full()) return true;
        const Letter& letter = found[i];
        place_.id = letter.work.id;
        if (replies[0][i].is_nil()) continue;
        const int64_t body = unpack_push(letter.work.push, replies[0][i].text()).body;
        const std::string content = text(replies[1][i]);
        auto record = record_of_work<DeadRecord>(letter.work, body, content);
        record.buried_unix_ms = letter.buried_unix_ms;
        record.replayed_unix_ms = letter.replayed_unix_ms;
        record.entries = letter.entries;
        record.note = letter.note;
        page_.add(record);
    }
    place_.id = ids.back();
    return true;
}

bool Reader::read_bundles() {
    const Ids ids = next_ids("bundles", place_.id + 1, kBundlesPerRead);
    if (ids.empty()) return false;
    for (const char* key : {"bundle", "item", "content"}) send_rows(connection_, core_.keys.of(key), ids);
    const std::vector<redis::Reply> replies = connection_.trip(deadline_);
    for (size_t i = 0; i < ids.size(); ++i) {
        if (page_.is_full()) return true;
        place_.id = ids[i];
        if (replies[0][i].is_nil()) continue;
        const Bundle bundle = unpack_bundle(ids[i], replies[0][i].text());
        const bool has_item = !replies[1][i].is_nil();
        const Item item = has_item ? unpack_item(ids[i], replies[1][i].text()) : Item();
        const std::string content = text(replies[2][i]);
        page_.add(
            record_of_bundle(bundle, has_item ? &item : nullptr, content, [&](uint32_t app) { return name(app); }));
    }
    return true;
}

}  // namespace

std::string Moving::dump(std::string_view cursor, DumpPage& page) {
    DumpPlace place = DumpPlace::parse(cursor);
    for (;;) {
        const redis::Deadline deadline = call_deadline();
        // A lost connection repeats a part of which nothing was added twice: the place moves with each record.
        while (core_.pool.with(deadline, [&](redis::Connection& connection) {
            return Reader(core_, connection, deadline, place, page).read();
        })) {
            if (page.is_full()) return place.text();
        }
        if (!place.go_on()) return {};
    }
}

}  // namespace belfry::queue_redis
