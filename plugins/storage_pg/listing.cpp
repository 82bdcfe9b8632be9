// SPDX-License-Identifier: Apache-2.0
// Lists and counts: pages in key order after a cursor, filtered by the server.
#include <algorithm>
#include <charconv>

#include "storage/arena.h"
#include "storage/limits.h"
#include "storage/paging.h"
#include "storage_pg/outgoing.h"
#include "storage_pg/selection.h"
#include "storage_pg/store.h"

namespace belfry::storage_pg {

using pg::Params;

namespace {

// Devices looked at together when their topics are listed or counted.
constexpr uint32_t kDevicesPerTrip = 1000;

constexpr const char* kTopicName = "SELECT name FROM topic WHERE id = $1";
constexpr const char* kPairNames =
    "SELECT u.name, t.name FROM bound_user u, topic t WHERE u.id = $1 AND t.id = $2 AND u.app = $3";

std::string hex(int64_t number) {
    char text[20];
    const auto end = std::to_chars(text, text + sizeof text, static_cast<uint64_t>(number), 16).ptr;
    return {text, end};
}

int64_t unhex(std::string_view text) {
    int64_t number = -1;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number, 16);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || number < 0) storage::refuse_cursor();
    return number;
}

// "a.b", both in hex.
std::pair<int64_t, int64_t> unhex_pair(std::string_view text) {
    const size_t dot = text.find('.');
    if (dot == std::string_view::npos) storage::refuse_cursor();
    return {unhex(text.substr(0, dot)), unhex(text.substr(dot + 1))};
}

// The rows of one page of pairs, with everything they point to.
struct PairPage {
    storage::Arena arena;
    std::vector<belfry_topic_row> rows;
    std::vector<std::unique_ptr<belfry_device>> devices;
    std::vector<std::unique_ptr<std::vector<belfry_str>>> topics;

    void add(int64_t key, std::string_view user, std::string_view topic, uint32_t origins,
             const belfry_device* device) {
        belfry_topic_row row = sized<belfry_topic_row>();
        row.origins = origins;
        row.key = key;
        row.user = arena.keep(user);
        row.topic = arena.keep(topic);
        row.device = device;
        rows.push_back(row);
    }
    // Its texts are copied: the result goes before the page leaves.
    const belfry_device* keep(const Row& row, uint32_t fields, const TopicNames& names) {
        topics.push_back(std::make_unique<std::vector<belfry_str>>());
        devices.push_back(std::make_unique<belfry_device>(Outgoing::row_of(row, fields, &names, *topics.back())));
        belfry_device& device = *devices.back();
        for (belfry_str* text : {&device.provider, &device.token, &device.data, &device.user, &device.platform,
                                 &device.timezone, &device.locale, &device.meta}) {
            *text = arena.keep(view(*text));
        }
        for (belfry_str& topic : *topics.back()) topic = arena.keep(view(topic));
        return &device;
    }
    void emit_to(const Emit<belfry_topic_row>& emit) const {
        for (size_t at = 0; at < rows.size(); at += storage::kRowsPerEmit) {
            const auto n = static_cast<uint32_t>(std::min<size_t>(storage::kRowsPerEmit, rows.size() - at));
            if (emit.raw()(emit.ctx(), belfry_list{rows.data() + at, n, sizeof(belfry_topic_row)}) != 0) return;
        }
    }
};

std::unordered_map<std::string_view, int64_t> numbers_by_name(const TopicNames& names) {
    std::unordered_map<std::string_view, int64_t> numbers;
    for (const auto& [number, name] : names) numbers.emplace(name, number);
    return numbers;
}

}  // namespace

void Store::walk(App app, const belfry_selection& which, const char* columns, int64_t after, uint32_t portion,
                 pg::Deadline deadline, const Visit& visit) {
    const Selection selection(which);
    const std::string sql = selection.page_sql(columns);
    for (bool more = true; more;) {
        const pg::Result rows = reads_->primary().with(deadline, [&](pg::Connection& connection) {
            const auto number = names_.find_app(connection, app, deadline);
            if (!number) return pg::Result();
            return connection.run(sql, selection.params(number->number, after, portion), deadline);
        });
        more = static_cast<uint32_t>(rows.rows()) == portion;
        if (rows.rows() == 0 || !visit(rows)) return;
        after = Row(rows, rows.rows() - 1).key();
    }
}

std::unordered_map<int64_t, std::string> Store::names_in(const pg::Result& rows, int at, pg::Deadline deadline) {
    std::vector<int64_t> numbers;
    std::vector<TopicRef> refs;
    for (int row = 0; row < rows.rows(); ++row) {
        storage::decode_topics(Row(rows, row, at).topics(), refs);
        for (const TopicRef& ref : refs) numbers.push_back(ref.topic);
    }
    if (numbers.empty()) return {};
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    return reads_->primary().with(
        deadline, [&](pg::Connection& connection) { return names_.topic_names(connection, numbers, deadline); });
}

void Store::list_devices(App app, const belfry_selection& which, const belfry_paging& paging,
                         const Emit<belfry_device>& emit, belfry_page_end& end) {
    storage::start_page(paging, &end);
    const pg::Deadline deadline = until();
    const int64_t after = paging.cursor.n == 0 ? -1 : unhex(view(paging.cursor));
    const bool wide = is_wide(paging.fields);
    const auto limit = std::min(paging.limit, uint32_t{1} << 20U);
    bool goes_on = true;
    walk(app, which, wide ? kWide : kNarrow, after, limit + 1, deadline, [&](const pg::Result& rows) {
        const TopicNames names =
            (paging.fields & BELFRY_FIELD_TOPICS) != 0 ? names_in(rows, 0, deadline) : TopicNames();
        Outgoing out(emit, paging.fields, &names);
        const int n = std::min(rows.rows(), static_cast<int>(limit));
        for (int i = 0; i < n && goes_on; ++i) goes_on = out.add(Row(rows, i), 0);
        goes_on = out.flush();
        if (rows.rows() > n) storage::put_cursor(hex(Row(rows, n - 1).key()), &end);
        return false;
    });
    if (goes_on && paging.want_total != 0) end.total = count(app, which, 0);
}

void Store::list_device_topics(App app, const belfry_selection& which, const belfry_paging& paging,
                               const Emit<belfry_topic_row>& emit, belfry_page_end& end) {
    storage::start_page(paging, &end);
    const pg::Deadline deadline = until();
    std::pair<int64_t, int64_t> start{0, -1};
    std::string start_name;
    if (paging.cursor.n != 0) {
        start = unhex_pair(view(paging.cursor));
        const pg::Result name = reads_->primary().with(deadline, [&](pg::Connection& connection) {
            return connection.run(kTopicName, Params().number(start.second), deadline);
        });
        if (name.rows() == 0) storage::refuse_cursor();
        start_name = name.bytes(0, 0);
    }
    const Selection selection(which);
    PairPage page;
    std::string last;
    const uint32_t portion = std::min(paging.limit + 1, kDevicesPerTrip);
    walk(app, which, kWide, start.first - 1, portion, deadline, [&](const pg::Result& rows) {
        const TopicNames names = names_in(rows, 0, deadline);
        const auto numbers = numbers_by_name(names);
        for (int i = 0; i < rows.rows(); ++i) {
            const Row row(rows, i);
            const belfry_device* shown = nullptr;
            for (const auto& [name, origins] : named_topics(row.topics(), names)) {
                const bool is_before = row.key() == start.first && start.second >= 0 && name <= start_name;
                if (is_before || !selection.is_wanted_topic(name)) continue;
                if (page.rows.size() == paging.limit) {
                    storage::put_cursor(last, &end);
                    return false;
                }
                if (shown == nullptr && paging.fields != 0) shown = page.keep(row, paging.fields, names);
                const bool with_user = (paging.fields & BELFRY_FIELD_USER) != 0;
                page.add(row.key(), with_user ? row.user() : std::string_view(), name, origins, shown);
                last = hex(row.key()) + "." + hex(numbers.at(name));
            }
        }
        return true;
    });
    page.emit_to(emit);
    if (paging.want_total == 0) return;
    walk(app, which, kWide, -1, kDevicesPerTrip, deadline, [&](const pg::Result& rows) {
        const TopicNames names = names_in(rows, 0, deadline);
        for (int i = 0; i < rows.rows(); ++i) {
            for (const auto& [name, origins] : named_topics(Row(rows, i).topics(), names))
                end.total += selection.is_wanted_topic(name) ? 1 : 0;
        }
        return true;
    });
}

void Store::list_user_topics(App app, const belfry_selection& which, const belfry_paging& paging,
                             const Emit<belfry_topic_row>& emit, belfry_page_end& end) {
    storage::start_page(paging, &end);
    const pg::Deadline deadline = until();
    const Selection selection(which);
    std::pair<int64_t, int64_t> start{-1, -1};
    if (paging.cursor.n != 0) start = unhex_pair(view(paging.cursor));
    PairPage page;
    reads_->primary().with(deadline, [&](pg::Connection& connection) {
        page.rows.clear();
        const auto number = names_.find_app(connection, app, deadline);
        if (!number) {
            if (start.first >= 0) storage::refuse_cursor();
            return;
        }
        std::string user, topic;
        if (start.first >= 0) {
            const pg::Result names = connection.run(
                kPairNames, Params().number(start.first).number(start.second).number4(number->number), deadline);
            if (names.rows() == 0) storage::refuse_cursor();
            user = names.bytes(0, 0);
            topic = names.bytes(0, 1);
        }
        const auto params = [&](int64_t limit) {
            return selection.pair_params(number->number, start.first >= 0, user, topic, limit);
        };
        const pg::Result rows = connection.run(Selection::pairs_sql(), params(int64_t{paging.limit} + 1), deadline);
        for (int row = 0; row < std::min<int64_t>(rows.rows(), paging.limit); ++row) {
            const std::string_view name = rows.bytes(row, 2);
            page.add(0, name, rows.bytes(row, 3), name.empty() ? BELFRY_ORIGIN_GLOBAL : BELFRY_ORIGIN_USER, nullptr);
        }
        const auto n = static_cast<int>(page.rows.size());
        if (rows.rows() > n) storage::put_cursor(hex(rows.number(n - 1, 0)) + "." + hex(rows.number(n - 1, 1)), &end);
        if (paging.want_total == 0) return;
        end.total = connection
                        .run(Selection::pair_count_sql(),
                             selection.pair_params(number->number, false, {}, {}, INT64_MAX), deadline)
                        .number(0, 0);
    });
    page.emit_to(emit);
}

int64_t Store::count(App app, const belfry_selection& which, int64_t deadline_mono_ns) {
    const pg::Deadline deadline = until(deadline_mono_ns);
    const Selection selection(which);
    return reads_->primary().with(deadline, [&](pg::Connection& connection) -> int64_t {
        const auto number = names_.find_app(connection, app, deadline);
        if (!number) return 0;
        return connection.run(selection.count_sql(), selection.params(number->number, -1, 0), deadline).number(0, 0);
    });
}

}  // namespace belfry::storage_pg
