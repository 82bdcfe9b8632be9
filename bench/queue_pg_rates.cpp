// SPDX-License-Identifier: Apache-2.0
// What queue_pg reaches on a server, through the C table, in turn with a bare client that writes the same bytes to the
// same server: small pushes stored in batches, and items claimed and finished 16 at a time. The bare client's rows have
// a unique uid and a body; it claims by SKIP LOCKED and deletes. Prints one line of JSON.
//
// queue_pg_rates QUEUE_PG.so DSN [SECONDS] [BATCH]: DSN names a database of its own.
#include <belfry/queue.h>

#include <belfry/abi.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/runner/plugin.h"
#include "pg/connection.h"

namespace {

using belfry::sized;
using belfry::str;
using belfry::conformance::FakeHost;
using belfry::conformance::Instance;
using Clock = std::chrono::steady_clock;
namespace pg = belfry::pg;

constexpr uint64_t kNode = 1;
constexpr size_t kBodyBytes = 420;  // a usual request in the host's encoding
constexpr size_t kTokenBytes = 160;
constexpr uint32_t kItemsPerClaim = 16;

// Runs step(), which answers how much it did, for so long; answers how much a second.
template <class Step>
double rate_of(double seconds, Step&& step) {
    const auto start = Clock::now();
    double took = 0;
    double done = 0;
    while (took < seconds) {
        const double now = step();
        if (now == 0) break;
        done += now;
        took = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return done / took;
}

void must(belfry_code code, const belfry_why& why) {
    if (code != BELFRY_OK) throw std::runtime_error(belfry::conformance::said(code, why));
}

std::string uid_of(uint64_t i) {
    char text[33];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(i * 0x9e3779b97f4a7c15ULL),
                  static_cast<unsigned long long>(i));
    return text;
}

class Plugin {
public:
    Plugin(FakeHost& host, const std::string& path, const std::string& dsn, uint32_t batch)
        : instance_(host, path, R"({"dsn":")" + dsn + R"(","schema":"rates","backlog_max":100000000})",
                    BELFRY_QUEUE_ID),
          queue_(*static_cast<const belfry_queue*>(instance_.interface_table())),
          batch_(batch) {}

    // A batch of pushes; small ones are packed.
    double enqueue(bool small) {
        const std::string body(kBodyBytes, 'b');
        const std::string token(kTokenBytes, 't');
        const uint32_t pick = 0;
        const belfry_str blob = str(std::string_view(token));
        auto item = sized<belfry_new_item>();
        item.kind = BELFRY_WORK_LIST;
        item.picks = belfry::one_row(pick);
        std::vector<std::string> uids;
        for (uint32_t i = 0; i < batch_; ++i) uids.push_back(uid_of(next_++));
        std::vector<belfry_new_push> pushes;
        for (const std::string& uid : uids) {
            auto push = sized<belfry_new_push>();
            push.flags = small ? BELFRY_NEW_PUSH_SMALL : 0;
            push.lane = BELFRY_LANE_NORMAL;
            push.weight = 1;
            push.app = str("default");
            push.uid = str(std::string_view(uid));
            push.body = str(std::string_view(body));
            push.blobs = belfry::one_row(blob);
            push.items = belfry::one_row(item);
            pushes.push_back(push);
        }
        belfry_why why{};
        const auto ignore = [](void*, belfry_list) -> int32_t { return 0; };
        must(queue_.enqueue(instance_.get(), kNode, belfry::list_of(pushes), ignore, nullptr, &why), why);
        return batch_;
    }

    // Claims and finishes; answers how many items.
    double work() {
        std::vector<belfry_checkpoint> checkpoints;
        belfry_why why{};
        must(belfry::collect<belfry_claimed>(
                 [&](belfry_emit emit, void* ctx) {
                     return queue_.claim(instance_.get(), kNode, BELFRY_LANE_NORMAL, {}, kItemsPerClaim, 0, emit, ctx,
                                         &why);
                 },
                 [&](const belfry_claimed& row) {
                     auto checkpoint = sized<belfry_checkpoint>();
                     checkpoint.item = row.item;
                     checkpoint.epoch = row.epoch;
                     checkpoint.request = ++request_;
                     checkpoint.next = BELFRY_NEXT_FINISH;
                     checkpoints.push_back(checkpoint);
                 }),
             why);
        if (checkpoints.empty()) return 0;
        const auto ignore = [](void*, belfry_list) -> int32_t { return 0; };
        must(queue_.page(instance_.get(), kNode, belfry::list_of(checkpoints), ignore, nullptr, &why), why);
        return static_cast<double>(checkpoints.size());
    }

private:
    Instance instance_;
    const belfry_queue& queue_;
    const uint32_t batch_;
    uint64_t next_ = 0, request_ = 0;
};

class Bare {
public:
    explicit Bare(const pg::Address& address) : connection_(address) {
        for (const char* sql : {"DROP SCHEMA IF EXISTS bare CASCADE", "CREATE SCHEMA bare",
                                "CREATE TABLE stored (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner bigint "
                                "NOT NULL, uid bytea "
                                "NOT NULL UNIQUE, body bytea NOT NULL)",
                                "CREATE INDEX stored_free ON stored (id) WHERE owner = 0"}) {
            connection_.run(sql, {}, far_);
        }
    }

    double insert(uint32_t batch) {
        const std::string body(kBodyBytes + kTokenBytes, 'b');
        pg::Column uids(pg::Type::Bytes);
        pg::Column bodies(pg::Type::Bytes);
        for (uint32_t i = 0; i < batch; ++i) {
            uids.add(uid_of(next_++));
            bodies.add(body);
        }
        connection_.send("BEGIN");
        connection_.send("INSERT INTO stored (owner, uid, body) SELECT 0, * FROM unnest($1::bytea[], $2::bytea[])",
                         pg::Params().column(uids).column(bodies));
        connection_.send("COMMIT");
        connection_.trip(far_);
        return batch;
    }

    double work() {
        const pg::Result rows = connection_.run(
            "WITH c AS MATERIALIZED (SELECT id FROM stored WHERE owner = 0 ORDER BY id LIMIT $1 FOR UPDATE SKIP "
            "LOCKED) "
            "UPDATE stored SET owner = 1 FROM c WHERE stored.id = c.id RETURNING stored.id, body",
            pg::Params().number(kItemsPerClaim), far_);
        std::vector<int64_t> ids;
        for (int row = 0; row < rows.rows(); ++row) ids.push_back(rows.number(row, 0));
        connection_.run("DELETE FROM stored WHERE id = ANY ($1::bigint[])", pg::Params().column(pg::numbers(ids)),
                        far_);
        return static_cast<double>(ids.size());
    }

private:
    const pg::Deadline far_ = pg::Clock::now() + std::chrono::hours(1);
    pg::Connection connection_;
    uint64_t next_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s QUEUE_PG.so DSN [SECONDS] [BATCH]\n", argv[0]);
        return 2;
    }
    try {
        const double seconds = argc > 3 ? std::strtod(argv[3], nullptr) : 3;
        const auto batch = static_cast<uint32_t>(argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 32);
        std::string folder = (std::filesystem::temp_directory_path() / "queue-pg-rates-XXXXXX").string();
        if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
        double stored = 0, stored_bare = 0, worked = 0, worked_bare = 0;
        {
            FakeHost host(folder);
            Plugin plugin(host, argv[1], argv[2], batch);
            pg::Address address(argv[2]);
            address.schema = "bare";
            Bare bare(address);
            stored_bare = rate_of(seconds, [&] { return bare.insert(batch); });
            stored = rate_of(seconds, [&] { return plugin.enqueue(true); });
            while (plugin.work() > 0) {
            }
            rate_of(seconds, [&] { return plugin.enqueue(false); });
            worked_bare = rate_of(seconds, [&] { return bare.work(); });
            worked = rate_of(seconds, [&] { return plugin.work(); });
        }
        std::filesystem::remove_all(folder);
        std::printf(
            "{\"name\":\"queue_pg_rates\",\"batch\":%u,\"stored_per_s\":%.0f,\"bare_stored_per_s\":%.0f,"
            "\"stored_ratio\":%.2f,\"claimed_and_finished_per_s\":%.0f,\"bare_claimed_and_deleted_per_s\":%.0f,"
            "\"claimed_ratio\":%.2f}\n",
            batch, stored, stored_bare, stored / stored_bare, worked, worked_bare, worked / worked_bare);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
