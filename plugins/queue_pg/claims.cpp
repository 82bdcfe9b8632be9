// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/claims.h"

#include <algorithm>
#include <optional>

#include "queue/items.h"
#include "queue_pg/tables.h"

namespace belfry::queue_pg {

namespace {

using std::chrono::milliseconds;

// Another process's work is found within this.
constexpr milliseconds kFirstLook{1};
constexpr milliseconds kLongestLook{20};

// Each shelf gives its first rows, the union is cut again; what was locked in vain is free at the end of the statement.
// MATERIALIZED, or the plan might look again for rows that are locked by now.
const std::string kClaim =
    std::string(
        "WITH c AS MATERIALIZED (SELECT i.id, i.vt, s.shelf FROM unnest($2::bigint[], $3::bigint[]) s (shelf, floor) "
        "CROSS JOIN "
        "LATERAL (SELECT id, vt FROM queue_item WHERE lane = $1 AND shelf = s.shelf AND vt >= s.floor "
        "ORDER BY vt, id LIMIT $4 FOR UPDATE SKIP LOCKED) i WHERE NOT EXISTS (SELECT FROM queue_node WHERE id = $5 AND "
        "dead) ORDER BY i.vt, i.id LIMIT $4), "
        "i AS (UPDATE queue_item w SET owner = $5, epoch = $6, shelf = NULL, vt = greatest(w.vt, $7) "
        "FROM c WHERE w.id = c.id RETURNING w.*, c.vt AS was, c.shelf AS place) SELECT ") +
    kItemColumns + ", i.content, queue_now(), i.was, i.place, " + kPushColumns +
    " FROM i LEFT JOIN queue_push p ON p.id = i.push ORDER BY i.vt, i.id";
constexpr int kContentAt = kItemColumnCount;
constexpr int kNowAt = kContentAt + 1;
constexpr int kWasAt = kNowAt + 1;
constexpr int kPlaceAt = kWasAt + 1;
constexpr int kPushAt = kPlaceAt + 1;

constexpr const char* kIsDead = "SELECT count(*) FROM queue_node WHERE id = $1 AND dead";
constexpr const char* kPutAside =
    "UPDATE queue_item SET owner = 0 WHERE id = ANY ($1::bigint[]) AND owner = $2 AND epoch = $3";
const std::string kResults =
    std::string("SELECT ") + kBundleColumns + " FROM queue_bundle b WHERE b.id = ANY ($1::bigint[])";
constexpr const char* kBegin = "BEGIN";
constexpr const char* kLockPushes =
    "SELECT id FROM queue_push WHERE id = ANY (ARRAY(SELECT push FROM queue_item WHERE id = ANY ($1::bigint[]))) "
    "ORDER BY id FOR SHARE";
// 3, 5, 6: paused, cancelled, expired.
constexpr const char* kPark =
    "UPDATE queue_item i SET owner = 0, shelf = CASE WHEN p.state = 3 THEN NULL WHEN p.state IN (5, 6) THEN -1 ELSE "
    "i.gate END FROM queue_push p WHERE i.id = ANY ($1::bigint[]) AND i.owner = $2 AND i.epoch = $3 AND p.id = i.push";
constexpr const char* kCommit = "COMMIT";
constexpr const char* kGiveBack =
    "UPDATE queue_item SET owner = 0, shelf = gate WHERE id = ANY ($1::bigint[]) AND owner = $2 AND epoch = $3";

int64_t bits(uint64_t value) {
    return static_cast<int64_t>(value);
}
int32_t bits(uint32_t value) {
    return static_cast<int32_t>(value);
}

}  // namespace

std::vector<Grant> Claims::claim(uint64_t node, int32_t lane, Rows<uint32_t> open_gates, uint32_t n, uint32_t wait_ms) {
    if (lane < BELFRY_LANE_HIGH || lane > BELFRY_LANE_LOW)
        throw Refused(BELFRY_BAD_REQUEST, "lane", "must be 1, 2 or 3");
    std::set<int64_t> shelves{kStoppedShelf, 0};
    for (const uint32_t gate : open_gates) shelves.insert(gate);
    const uint32_t most = std::min(n, kClaimMax);
    const pg::Deadline until = pg::Clock::now() + milliseconds(wait_ms);
    milliseconds look = kFirstLook;
    for (;;) {
        const uint64_t rings = core_.bell.rings();
        if (most == 0) return {};
        if (!quiet_.is_quiet(lane, shelves, rings, Quiet::Clock::now())) {
            std::vector<Grant> grants = take(node, lane, shelves, most, false);
            if (!grants.empty()) return grants;
            quiet_.found_nothing(lane, shelves, rings, Quiet::Clock::now());
        }
        const pg::Deadline now = pg::Clock::now();
        if (now >= until) return {};
        core_.bell.wait(rings, std::min(look, std::chrono::ceil<milliseconds>(until - now)));
        look = std::min(look * 2, kLongestLook);
    }
}

std::vector<Grant> Claims::take(uint64_t node, int32_t lane, const std::set<int64_t>& shelves, uint32_t n, bool whole) {
    const pg::Deadline deadline = call_deadline();
    const Held::Taking taking(core_.held);
    pg::Column shelf(pg::Type::Int8);
    pg::Column floor(pg::Type::Int8);
    bool cut = false;
    for (const int64_t one : shelves) {
        const int64_t from = whole ? -1 : core_.lanes.floor(lane, one);
        cut = cut || from > 0;
        shelf.add(one);
        floor.add(from);
    }
    std::vector<Grant> grants = core_.claims.with(deadline, [&](pg::Connection& connection) {
        connection.send(kClaim, pg::Params()
                                    .number4(lane)
                                    .column(shelf)
                                    .column(floor)
                                    .number(n)
                                    .number(bits(node))
                                    .number4(bits(taking.epoch()))
                                    .number(core_.lanes.vt(lane)));
        connection.send(kIsDead, pg::Params().number(bits(node)));
        const std::vector<pg::Result> results = connection.trip(deadline);
        const pg::Result& rows = results[0];
        if (rows.rows() == 0 && results[1].number(0, 0) > 0)
            throw Refused(BELFRY_FENCED, "node", "gave no sign of life for a lease; start as a new node");
        std::vector<Grant> found;
        for (int row = 0; row < rows.rows(); ++row) {
            Grant& grant = found.emplace_back();
            grant.item = read_item(rows, row);
            grant.content = rows.bytes(row, kContentAt);
            grant.now = rows.number(row, kNowAt);
            grant.was = rows.number(row, kWasAt);
            grant.shelf = rows.number(row, kPlaceAt);
            if (!rows.is_null(row, kPushAt)) grant.push = read_push(rows, row, kPushAt);
        }
        put_aside(connection, found, node, deadline);
        park(connection, found, node, deadline);
        add_marks(connection, found, deadline);
        for (Grant& grant : found) {
            if (!grant.item.is_bundle()) grant.app = core_.apps.name(connection, grant.push.app, deadline);
        }
        return found;
    });
    std::map<int64_t, int64_t> lowest;  // by shelf
    for (const Grant& grant : grants) {
        core_.held.add(grant.item.id, {node, grant.item.epoch, grant.item.serial});
        core_.lanes.reach(lane, grant.item.vt);
        const auto [entry, is_new] = lowest.emplace(grant.shelf, grant.was);
        if (!is_new) entry->second = std::min(entry->second, grant.was);
    }
    for (const auto& [one, vt] : lowest) core_.lanes.claimed(lane, one, vt);
    if (grants.size() < n) core_.lanes.forget_floors(lane);
    return grants.empty() && cut ? take(node, lane, shelves, n, true) : std::move(grants);
}

void Claims::put_aside(pg::Connection& connection, std::vector<Grant>& grants, uint64_t node, pg::Deadline deadline) {
    const auto is_damaged = [](const Grant& grant) {
        return grant.item.is_bundle() ? !has_members(grant.content) : grant.push.id == 0;
    };
    std::vector<int64_t> ids;
    uint32_t epoch = 0;
    for (const Grant& grant : grants) {
        if (!is_damaged(grant)) continue;
        ids.push_back(grant.item.id);
        epoch = grant.item.epoch;
        core_.services.error("work item put aside, it is not sent; restore the database from a backup",
                             {{"item", std::to_string(grant.item.id)},
                              {"push", std::to_string(grant.item.push)},
                              {"reason", "its push or its members are damaged"}});
    }
    if (ids.empty()) return;
    connection.run(kPutAside, pg::Params().column(pg::numbers(ids)).number(bits(node)).number4(bits(epoch)), deadline);
    std::erase_if(grants, is_damaged);
}

// An item that was put back while its push was being paused.
void Claims::park(pg::Connection& connection, std::vector<Grant>& grants, uint64_t node, pg::Deadline deadline) {
    std::vector<int64_t> ids;
    uint32_t epoch = 0;
    for (const Grant& grant : grants) {
        if (grant.item.is_bundle() || grant.push.state != BELFRY_PUSH_PAUSED) continue;
        ids.push_back(grant.item.id);
        epoch = grant.item.epoch;
    }
    if (ids.empty()) return;
    connection.send(kBegin);
    connection.send(kLockPushes, pg::Params().column(pg::numbers(ids)));
    connection.send(kPark, pg::Params().column(pg::numbers(ids)).number(bits(node)).number4(bits(epoch)));
    connection.send(kCommit);
    connection.trip(deadline);
    std::erase_if(grants,
                  [](const Grant& grant) { return !grant.item.is_bundle() && grant.push.state == BELFRY_PUSH_PAUSED; });
}

void Claims::add_marks(pg::Connection& connection, std::vector<Grant>& grants, pg::Deadline deadline) {
    std::vector<int64_t> marked;
    for (const Grant& grant : grants) {
        if (grant.item.is_bundle() && (grant.item.flags & kMarked) != 0) marked.push_back(grant.item.id);
    }
    if (marked.empty()) return;
    const pg::Result rows = connection.run(kResults, pg::Params().column(pg::numbers(marked)), deadline);
    for (int row = 0; row < rows.rows(); ++row) {
        // What is damaged shows no marks; its page puts it aside.
        const std::optional<Bundle> bundle = intact_bundle(rows, row);
        for (Grant& grant : grants) {
            if (bundle && grant.item.id == bundle->id) grant.marks = marks_of(bundle->results);
        }
    }
}

void Claims::give_back(uint64_t node, const std::vector<Grant>& grants, size_t from) {
    if (from >= grants.size()) return;
    std::vector<int64_t> ids;
    for (size_t i = from; i < grants.size(); ++i) ids.push_back(grants[i].item.id);
    const pg::Deadline deadline = call_deadline();
    core_.claims.with(deadline, [&](pg::Connection& connection) {
        connection.run(kGiveBack,
                       pg::Params().column(pg::numbers(ids)).number(bits(node)).number4(bits(grants[from].item.epoch)),
                       deadline);
    });
    for (const int64_t id : ids) core_.held.drop(id, grants[from].item.epoch);
}

ClaimedRow Grant::claimed() const {
    if (item.is_bundle()) return {item, marks, content, now};
    const ClaimedPush shown{push.state,           push.live_items,      push.weight, push.id, push.body,
                            push.created_unix_ms, push.expires_unix_ms, app,         push.uid};
    return {item, shown, content, now};
}

}  // namespace belfry::queue_pg
