// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/limiter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>

namespace belfry::queue_pg {

namespace {

using queue_parts::Bucket;
using queue_parts::BucketId;
using queue_parts::Policy;

constexpr int64_t kLookedAt = 5000;  // rows

// In the order of ids, like every call: two that have buckets in common never wait for each other in a circle.
constexpr const char* kLock =
    "SELECT id, full_ms, parts, stamps FROM queue_limit WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE";
// Behind the locks, for whoever waited for them.
constexpr const char* kNow = "SELECT queue_now()";
constexpr const char* kChange =
    "UPDATE queue_limit SET full_ms = n.full_ms, parts = n.parts, stamps = n.stamps FROM unnest($1::uuid[], "
    "$2::bigint[], $3::int[], $4::bytea[]) AS n (id, full_ms, parts, stamps) WHERE queue_limit.id = n.id";
// Another call that adds one of them at this moment is a lost race.
constexpr const char* kAdd =
    "INSERT INTO queue_limit (id, full_ms, parts, stamps) SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::int[], "
    "$4::bytea[]) AS n (id, full_ms, parts, stamps) ORDER BY id";
// What is charged at this moment is locked, and stays.
constexpr const char* kForget =
    "WITH part AS MATERIALIZED (SELECT id, full_ms FROM queue_limit WHERE id > ($1::uuid[])[1] ORDER BY id LIMIT $2), "
    "full_ones AS MATERIALIZED (SELECT id FROM queue_limit WHERE id = ANY (ARRAY(SELECT id FROM part WHERE full_ms < "
    "$3)) AND full_ms < $3 FOR UPDATE SKIP LOCKED), "
    "gone AS (DELETE FROM queue_limit USING full_ones WHERE queue_limit.id = full_ones.id RETURNING 1) "
    "SELECT (SELECT count(*) FROM part), (SELECT count(*) FROM gone), (SELECT id FROM part ORDER BY id DESC LIMIT 1)";

std::string packed(const queue_parts::Stamps& stamps) {
    std::string bytes;
    for (const uint32_t stamp : stamps) {
        if (stamp == 0) break;
        char raw[sizeof stamp];
        std::memcpy(raw, &stamp, sizeof stamp);
        bytes.append(raw, sizeof raw);
    }
    return bytes;
}

queue_parts::Stamps unpacked(std::string_view bytes) {
    queue_parts::Stamps stamps{};
    for (size_t i = 0; i < stamps.size() && (i + 1) * sizeof(uint32_t) <= bytes.size(); ++i)
        std::memcpy(&stamps[i], bytes.data() + i * sizeof(uint32_t), sizeof(uint32_t));
    return stamps;
}

pg::Deadline deadline_of(const Services& services, int64_t deadline_mono_ns) {
    const int64_t left = deadline_mono_ns - services.mono_ns();
    if (left <= 0) throw Refused(BELFRY_DEADLINE, {}, "the deadline had passed before anything was charged");
    const auto most = std::chrono::duration_cast<std::chrono::nanoseconds>(kCallTime);
    return pg::Clock::now() + std::min(std::chrono::nanoseconds(left), most);
}

// Rows of buckets on their way to the database.
struct BucketRows {
    pg::Column ids{pg::Type::Uuid}, full_ms{pg::Type::Int8}, parts{pg::Type::Int4}, stamps{pg::Type::Bytes};

    void add(const BucketId& id, const Bucket& bucket) {
        ids.add(id);
        full_ms.add(bucket.full_ms);
        parts.add4(static_cast<int32_t>(bucket.parts));
        stamps.add(packed(bucket.stamps));
    }
    void send(pg::Connection& connection, const char* sql) const {
        if (!ids.empty()) connection.send(sql, pg::Params().column(ids).column(full_ms).column(parts).column(stamps));
    }
};

// The buckets of one call, in the order of their ids.
class Page {
public:
    Page(const std::vector<Policy>& policies, Rows<belfry_charge> charges) : policies_(policies) {
        for (size_t i = 0; i < charges.size(); ++i) {
            Asked& asked = asked_.emplace_back();
            asked.stamp = queue_parts::kept_stamp(charges.known(i).stamp);
            for (const Policy& policy : policies)
                asked.buckets.push_back(&buckets_[queue_parts::bucket_id(charges.known(i).key, policy)]);
        }
    }

    std::vector<belfry_charged> run(pg::Connection& connection, pg::Deadline deadline) {
        const int64_t now = read(connection, deadline);
        std::vector<belfry_charged> rows;
        rows.reserve(asked_.size());
        for (const Asked& asked : asked_) rows.push_back(charge(asked, static_cast<uint32_t>(rows.size()), now));
        write(connection);
        connection.send("COMMIT");
        connection.trip(deadline);
        return rows;
    }

private:
    struct Kept {
        Bucket before, bucket;
        bool is_stored = false;
    };
    struct Asked {
        uint32_t stamp = 0;
        std::vector<Kept*> buckets;
    };

    int64_t read(pg::Connection& connection, pg::Deadline deadline) {
        pg::Column ids(pg::Type::Uuid);
        for (auto& [id, kept] : buckets_) {
            kept = {};  // of an earlier try
            ids.add(id);
        }
        connection.send("BEGIN");
        connection.send(kLock, pg::Params().column(ids));
        connection.send(kNow);
        const std::vector<pg::Result> results = connection.trip(deadline);
        const pg::Result& found = results[1];
        for (int row = 0; row < found.rows(); ++row) {
            Kept& kept = buckets_.at(found.hash(row, 0));
            kept.bucket = {found.number(row, 1), static_cast<uint32_t>(found.number4(row, 2)),
                           unpacked(found.bytes(row, 3))};
            kept.before = kept.bucket;
            kept.is_stored = true;
        }
        return results[2].number(0, 0);
    }
    belfry_charged charge(const Asked& asked, uint32_t index, int64_t now) const {
        std::array<Bucket*, BELFRY_POLICIES_MAX> buckets{};
        for (size_t i = 0; i < asked.buckets.size(); ++i) buckets[i] = &asked.buckets[i]->bucket;
        const queue_parts::Charged charged =
            queue_parts::charge(policies_, std::span(buckets).first(asked.buckets.size()), asked.stamp, now);
        auto row = sized<belfry_charged>();
        row.index = index;
        row.code = charged.code;
        row.wait_ms = charged.wait_ms;
        return row;
    }
    void write(pg::Connection& connection) const {
        BucketRows changed, added;
        for (const auto& [id, kept] : buckets_) {
            if (kept.bucket == kept.before) continue;
            (kept.is_stored ? changed : added).add(id, kept.bucket);
        }
        changed.send(connection, kChange);
        added.send(connection, kAdd);
    }

    const std::vector<Policy>& policies_;
    std::map<BucketId, Kept> buckets_;
    std::vector<Asked> asked_;
};

}  // namespace

std::vector<belfry_charged> RateLimits::charge(Rows<belfry_policy> policies, Rows<belfry_charge> charges,
                                               int64_t deadline_mono_ns) {
    const std::vector<Policy> checked = queue_parts::checked(policies);
    queue_parts::check_count(charges);
    const pg::Deadline deadline = deadline_of(core_.services, deadline_mono_ns);
    if (charges.empty()) return {};
    Page page(checked, charges);
    return core_.progress.with(deadline, [&](pg::Connection& connection) { return page.run(connection, deadline); });
}

bool RateLimits::forget(int64_t now) {
    const pg::Deadline deadline = call_deadline();
    return core_.progress.with(deadline, [&](pg::Connection& connection) {
        pg::Column from(pg::Type::Uuid);
        from.add(looked_to_);
        const pg::Result row =
            connection.run(kForget, pg::Params().column(from).number(kLookedAt).number(now), deadline);
        const int64_t looked = row.number(0, 0);
        looked_to_ = looked < kLookedAt ? pg::Hash{} : row.hash(0, 2);
        return 2 * row.number(0, 1) > kLookedAt;
    });
}

}  // namespace belfry::queue_pg
