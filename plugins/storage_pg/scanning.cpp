// SPDX-License-Identifier: Apache-2.0
// Fan-out reads: pages of a topic or of all devices, devices by value, and where to halve a range. Each page is one
// statement in a transaction of its own; the whole answer is here before the first row leaves, so a lost connection
// never passes for a short page.
#include <algorithm>

#include "storage/halving.h"
#include "storage_pg/outgoing.h"
#include "storage_pg/store.h"

namespace belfry::storage_pg {

using pg::Params;

namespace {

// The topic's number is looked up by the statement itself: no cache can be stale.
constexpr const char* kTopic = "(SELECT id FROM topic WHERE app = $1 AND name = $2)";

const std::string kScanTopic =
    std::string(
        "SELECT key, variant, provider, platform, timezone, locale, token, data FROM subscription "
        "WHERE topic = ") +
    kTopic + " AND key > $3 AND key < $4 ORDER BY key LIMIT $5";
const std::string kScanTopicWide =
    std::string("SELECT ") + kWide + " FROM (SELECT key FROM subscription WHERE topic = " + kTopic +
    " AND key > $3 AND key < $4 ORDER BY key LIMIT $5) s "
    "CROSS JOIN LATERAL (SELECT * FROM device WHERE app = $1 AND key = s.key OFFSET 0) d";
const std::string kScanAll =
    std::string("SELECT ") + kNarrow +
    " FROM device d WHERE d.app = $1 AND $2 = '' AND d.key > $3 AND d.key < $4 ORDER BY d.key LIMIT $5";
const std::string kScanAllWide =
    std::string("SELECT ") + kWide +
    " FROM device d WHERE d.app = $1 AND $2 = '' AND d.key > $3 AND d.key < $4 ORDER BY d.key LIMIT $5";
constexpr const char* kLongTokens =
    "SELECT d.* FROM unnest($2::bigint[]) u (v) CROSS JOIN LATERAL "
    "(SELECT key, token, data FROM device WHERE app = $1 AND key = u.v OFFSET 0) d";

std::string fetch_sql(const char* columns, const char* type, const char* join) {
    return std::string("SELECT u.i, ") + columns + " FROM unnest($2::" + type + "[]) WITH ORDINALITY u (v, i) " + join;
}
// LATERAL with OFFSET 0: as in edit.cpp.
constexpr const char* kByKey =
    "CROSS JOIN LATERAL (SELECT * FROM device WHERE app = $1 AND key = u.v AND $3 > 0 OFFSET 0) d";
constexpr const char* kByIdentity =
    "CROSS JOIN LATERAL (SELECT * FROM device WHERE identity = u.v AND app + 0 = $1 AND $3 > 0 OFFSET 0) d";
constexpr const char* kByUser =
    "CROSS JOIN LATERAL (SELECT * FROM device d WHERE d.usr = u.v AND d.usr <> '' AND d.app + 0 = $1 ORDER BY d.key "
    "LIMIT $3) d";

void check(const belfry_scan& scan) {
    if (scan.by != BELFRY_BY_ALL && scan.by != BELFRY_BY_TOPIC)
        throw Refused(BELFRY_BAD_REQUEST, "by", "a scan is by ALL or by TOPIC");
    if (scan.want == 0 || scan.budget_rows == 0)
        throw Refused(BELFRY_BAD_REQUEST, "want", "a page of no rows cannot advance");
    if (scan.filter.n != 0) throw Refused(BELFRY_UNSUPPORTED, "filter", "this storage does not evaluate filters");
}

Params range_params(const Names::App& app, const belfry_scan& scan, int64_t after, int64_t hi, int64_t limit) {
    return Params()
        .number4(app.number)
        .text(scan.by == BELFRY_BY_TOPIC ? view(scan.value) : std::string_view())
        .number(after)
        .number(hi)
        .number(limit);
}

// Keys of a scan's rows, a round trip each time.
class Range final : public storage::KeyRange {
public:
    Range(pg::Connection& connection, const Names::App& app, const belfry_scan& scan, pg::Deadline deadline)
        : connection_(connection), app_(app), scan_(scan), deadline_(deadline) {}

    std::optional<int64_t> edge(int64_t after, int64_t hi, bool last) override {
        const std::vector<int64_t> keys = select(after, hi, 1, last);
        return keys.empty() ? std::nullopt : std::optional(keys.front());
    }
    std::vector<int64_t> keys(int64_t after, int64_t hi, uint32_t limit) override {
        return select(after, hi, limit, false);
    }

private:
    std::vector<int64_t> select(int64_t after, int64_t hi, uint32_t limit, bool backwards) {
        const std::string from = scan_.by == BELFRY_BY_TOPIC ? std::string("subscription WHERE topic = ") + kTopic
                                                             : std::string("device WHERE app = $1 AND $2 = ''");
        const pg::Result rows = connection_.run("SELECT key FROM " + from + " AND key > $3 AND key < $4 ORDER BY key " +
                                                    (backwards ? "DESC" : "ASC") + " LIMIT $5",
                                                range_params(app_, scan_, after, hi, limit), deadline_);
        std::vector<int64_t> keys;
        for (int row = 0; row < rows.rows(); ++row) keys.push_back(rows.number(row, 0));
        return keys;
    }

    pg::Connection& connection_;
    const Names::App& app_;
    const belfry_scan& scan_;
    pg::Deadline deadline_;
};

// Tokens that are too long for subscription rows, by key.
struct LongTokens {
    pg::Result rows;
    std::unordered_map<int64_t, int> at;
};

LongTokens long_tokens(pg::Connection& connection, const Names::App& app, const pg::Result& page,
                       pg::Deadline deadline) {
    LongTokens tokens;
    pg::Column keys(pg::Type::Int8);
    for (int row = 0; row < page.rows(); ++row) {
        if (Row(page, row).is_token_elsewhere()) keys.add(Row(page, row).key());
    }
    if (keys.empty()) return tokens;
    tokens.rows = connection.run(kLongTokens, Params().number4(app.number).column(keys), deadline);
    for (int row = 0; row < tokens.rows.rows(); ++row) tokens.at.emplace(tokens.rows.number(row, 0), row);
    return tokens;
}

}  // namespace

bool Store::scan(const belfry_scan& what, const Emit<belfry_device>& emit, int64_t& cursor) {
    check(what);
    const pg::Deadline deadline = until(what.deadline_mono_ns);
    if (pg::Clock::now() >= deadline) throw Refused(BELFRY_DEADLINE, {}, "no row was read before the deadline");
    const bool wide = is_wide(what.fields);
    const bool by_topic = what.by == BELFRY_BY_TOPIC;
    const std::string& sql = by_topic ? (wide ? kScanTopicWide : kScanTopic) : (wide ? kScanAllWide : kScanAll);
    const auto limit = static_cast<int>(std::min({what.want, what.budget_rows, uint32_t{1} << 20U}));
    LongTokens tokens;
    // What a call without rows answers: all of the range is done.
    cursor = std::max(what.after, what.hi - 1);
    const pg::Result page = reads_->with_any(deadline, [&](pg::Connection& connection, pg::Deadline in_time) {
        const auto app = names_.find_app(connection, view(what.app), in_time);
        if (!app) return pg::Result();
        // One row more than wanted tells whether there are more.
        pg::Result rows = connection.run(sql, range_params(*app, what, what.after, what.hi, limit + 1), in_time);
        if (by_topic && !wide && (what.fields & BELFRY_FIELD_TOKEN) != 0)
            tokens = long_tokens(connection, *app, rows, in_time);
        return rows;
    });
    const TopicNames names = (what.fields & BELFRY_FIELD_TOPICS) != 0 ? names_in(page, 0, deadline) : TopicNames();
    Outgoing out(emit, what.fields, &names);
    bool goes_on = true;
    const int n = std::min(page.rows(), limit);
    for (int i = 0; i < n && goes_on; ++i) {
        const Row row(page, i);
        if (!row.is_token_elsewhere() || (what.fields & BELFRY_FIELD_TOKEN) == 0) {
            goes_on = out.add(row, 0);
        } else if (const auto token = tokens.at.find(row.key()); token != tokens.at.end()) {
            goes_on = out.add(row, 0, tokens.rows.bytes(token->second, 1), tokens.rows.bytes(token->second, 2));
        }
    }
    goes_on = out.flush();
    if (!goes_on) {
        cursor = out.last_key();
    } else if (page.rows() > limit) {
        cursor = Row(page, limit - 1).key();
    }
    return goes_on && page.rows() <= limit;
}

void Store::fetch(App app, int32_t by, belfry_list values, uint32_t each, uint32_t fields, int64_t deadline_mono_ns,
                  const Emit<belfry_device>& emit) {
    if (by != BELFRY_BY_KEY && by != BELFRY_BY_USER && by != BELFRY_BY_IDENTITY)
        throw Refused(BELFRY_BAD_REQUEST, "by", "devices are fetched by KEY, USER or IDENTITY");
    const char* columns = is_wide(fields) ? kWide : kNarrow;
    pg::Column column(by == BELFRY_BY_KEY ? pg::Type::Int8 : by == BELFRY_BY_USER ? pg::Type::Text : pg::Type::Uuid);
    std::string sql;
    if (by == BELFRY_BY_KEY) {
        for (const int64_t key : Rows<int64_t>(values)) column.add(key);
        sql = fetch_sql(columns, "bigint", kByKey);
    } else if (by == BELFRY_BY_USER) {
        for (const belfry_str& user : Rows<belfry_str>(values)) column.add(view(user));
        sql = fetch_sql(columns, "text", kByUser);
    } else {
        for (const Hash& hash : Rows<Hash>(values)) column.add(hash);
        sql = fetch_sql(columns, "uuid", kByIdentity);
    }
    const pg::Deadline deadline = until(deadline_mono_ns);
    const pg::Result rows = reads_->primary().with(deadline, [&](pg::Connection& connection) {
        const auto number = names_.find_app(connection, app, deadline);
        if (!number) return pg::Result();
        return connection.run(sql, Params().number4(number->number).column(column).number(each), deadline);
    });
    const TopicNames names = (fields & BELFRY_FIELD_TOPICS) != 0 ? names_in(rows, 1, deadline) : TopicNames();
    Outgoing out(emit, fields, &names);
    for (int i = 0; i < rows.rows(); ++i) {
        if (!out.add(Row(rows, i, 1), static_cast<uint32_t>(rows.number(i, 0) - 1))) return;
    }
    out.flush();
}

int64_t Store::split(const belfry_scan& what) {
    check(what);
    const pg::Deadline deadline = until(what.deadline_mono_ns);
    const auto middle =
        reads_->with_any(deadline, [&](pg::Connection& connection, pg::Deadline in_time) -> std::optional<int64_t> {
            const auto app = names_.find_app(connection, view(what.app), in_time);
            if (!app) return std::nullopt;
            Range range(connection, *app, what, in_time);
            return storage::middle_of(range, what.after, what.hi);
        });
    if (!middle) throw Refused(BELFRY_NOT_FOUND, {}, "fewer than two rows: nothing to halve");
    return *middle;
}

}  // namespace belfry::storage_pg
