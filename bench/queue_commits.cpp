// SPDX-License-Identifier: Apache-2.0
// What a small push costs in the queue: enqueued in group commits, and its whole life (enqueued, claimed, paged to the
// end by another thread at the same time), through the C table. In turn with bare SQLite writing the same bytes in the
// same batch sizes: one row per batch; for the whole life also one update of it and its deletion. Prints one line of
// JSON. CPU time per push stays meaningful on a busy machine, rates need an idle one.
//
// queue_commits QUEUE_SQLITE.so [PUSHES] [BATCH] [DIRECTORY]: DIRECTORY keeps the queue file, so that the next run
// starts with as many uids in it.
#include <belfry/queue.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

#include <belfry/abi.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "conformance/runner/plugin.h"

namespace {

using belfry::sized;
using belfry::str;
using belfry::conformance::FakeHost;
using belfry::conformance::Instance;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kNode = 1;
constexpr size_t kBodyBytes = 420;  // a usual request in the host's encoding
constexpr size_t kTokenBytes = 160;
constexpr uint32_t kItemsPerClaim = 16;
constexpr int kRounds = 3;

struct Cost {
    double wall_s = 1e9, cpu_s = 1e9, p99_ms = 0;
};

double cpu_now_s() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}

class Stopwatch {
public:
    Cost stop(std::vector<double>& waits_ms) const {
        Cost cost;
        cost.wall_s = std::chrono::duration<double>(Clock::now() - start_).count();
        cost.cpu_s = cpu_now_s() - cpu_start_;
        std::sort(waits_ms.begin(), waits_ms.end());
        if (!waits_ms.empty()) cost.p99_ms = waits_ms[waits_ms.size() * 99 / 100];
        return cost;
    }

private:
    Clock::time_point start_ = Clock::now();
    double cpu_start_ = cpu_now_s();
};

double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void must(belfry_code code, const belfry_why& why, const char* call) {
    if (code != BELFRY_OK) throw std::runtime_error(std::string(call) + ": " + why.text);
}

// The rows of all pushes of a run, made before the clock starts.
class Pushes {
public:
    explicit Pushes(size_t n) : uids_(n), rows_(n) {
        // Unlike in every run, like the uids of a server.
        std::mt19937_64 random(std::random_device{}());
        item_.kind = BELFRY_WORK_LIST;
        item_.picks = {&pick_, 1, sizeof pick_};
        for (size_t i = 0; i < n; ++i) {
            uids_[i].resize(36, '-');
            std::snprintf(uids_[i].data(), 37, "%016llx-%08x-%010llx", static_cast<unsigned long long>(random()),
                          static_cast<unsigned>(i), static_cast<unsigned long long>(random() & 0xffffffffff));
            fill(rows_[i], uids_[i]);
        }
    }
    size_t size() const { return rows_.size(); }
    belfry_list batch(size_t from, size_t n) const {
        return {&rows_[from], static_cast<uint32_t>(std::min(n, rows_.size() - from)), sizeof(belfry_new_push)};
    }

private:
    void fill(belfry_new_push& row, const std::string& uid) {
        row = sized<belfry_new_push>();
        row.flags = BELFRY_NEW_PUSH_SMALL;
        row.lane = BELFRY_LANE_HIGH;
        row.weight = 1;
        row.app = str(std::string_view("default"));
        row.uid = str(std::string_view(uid));
        std::memcpy(row.fingerprint, uid.data(), sizeof row.fingerprint);
        row.body = str(std::string_view(body_));
        row.blobs = {&blob_, 1, sizeof blob_};
        row.items = {&item_, 1, sizeof item_};
    }
    const std::string body_ = std::string(kBodyBytes, 'b'), token_ = std::string(kTokenBytes, 't');
    const belfry_str blob_ = str(std::string_view(token_));
    const uint32_t pick_ = 0;
    belfry_new_item item_ = sized<belfry_new_item>();
    std::vector<std::string> uids_;
    std::vector<belfry_new_push> rows_;
};

struct Opened {
    FakeHost host;
    Instance instance;
    const belfry_queue& table;
    Opened(const std::string& plugin, const std::string& directory)
        : host(directory + "/state"),
          instance(host, plugin, "{\"path\":\"" + directory + "/queue.db\",\"backlog_max\":100000000}",
                   BELFRY_QUEUE_ID),
          table(*static_cast<const belfry_queue*>(instance.interface_table())) {}
};

void enqueue_all(Opened& queue, const Pushes& pushes, size_t batch, std::vector<double>& waits_ms) {
    for (size_t at = 0; at < pushes.size(); at += batch) {
        const auto start = Clock::now();
        belfry_why why{};
        const auto emit = [](void*, belfry_list answers) -> int32_t {
            for (const belfry_enqueued& answer : belfry::Rows<belfry_enqueued>(answers)) {
                if (answer.code != BELFRY_OK) return 1;
            }
            return 0;
        };
        must(queue.table.enqueue(queue.instance.get(), kNode, pushes.batch(at, batch), emit, nullptr, &why), why,
             "enqueue");
        waits_ms.push_back(ms_since(start));
    }
}

// What a page of a bundle reports: one delivery per member, accepted.
struct Page {
    belfry_checkpoint row = sized<belfry_checkpoint>();
    std::vector<belfry_tally> tallies, planned;
};

std::vector<Page> claim_pages(Opened& queue, uint64_t& request) {
    struct Claimed {
        std::vector<Page> pages;
        uint64_t* request;
    } claimed{{}, &request};
    belfry_why why{};
    const auto emit = [](void* ctx, belfry_list rows) -> int32_t {
        auto& into = *static_cast<Claimed*>(ctx);
        for (const belfry_claimed& item : belfry::Rows<belfry_claimed>(rows)) {
            Page& page = into.pages.emplace_back();
            page.row.item = item.item;
            page.row.epoch = item.epoch;
            page.row.next = BELFRY_NEXT_FINISH;
            page.row.request = ++*into.request;
            for (const belfry_member& member : belfry::Rows<belfry_member>(item.members)) {
                auto tally = sized<belfry_tally>();
                tally.gate = 1;
                tally.member = member.index;
                tally.n = 1;
                page.planned.push_back(tally);
                tally.outcome = BELFRY_FINAL_ACCEPTED;
                page.tallies.push_back(tally);
            }
        }
        return 0;
    };
    constexpr uint32_t kWaitMs = 5;
    must(queue.table.claim(queue.instance.get(), kNode, BELFRY_LANE_HIGH, {}, kItemsPerClaim, kWaitMs, emit, &claimed,
                           &why),
         why, "claim");
    return std::move(claimed.pages);
}

// Claims and ends bundles until `pushes` of them are through.
void deliver_all(Opened& queue, size_t pushes) {
    uint64_t request = 0;
    for (size_t done = 0; done < pushes;) {
        std::vector<Page> pages = claim_pages(queue, request);
        std::vector<belfry_checkpoint> rows;
        for (Page& page : pages) {
            page.row.tallies = belfry::list_of(page.tallies);
            page.row.planned_of = belfry::list_of(page.planned);
            rows.push_back(page.row);
            done += page.tallies.size();
        }
        if (rows.empty()) continue;
        belfry_why why{};
        const auto emit = [](void*, belfry_list) -> int32_t { return 0; };
        must(queue.table.page(queue.instance.get(), kNode, belfry::list_of(rows), emit, nullptr, &why), why, "page");
    }
}

Cost run_enqueue(Opened& queue, const Pushes& pushes, size_t batch) {
    std::vector<double> waits_ms;
    const Stopwatch watch;
    enqueue_all(queue, pushes, batch, waits_ms);
    return watch.stop(waits_ms);
}

Cost run_life(Opened& queue, const Pushes& pushes, size_t batch) {
    std::vector<double> waits_ms;
    const Stopwatch watch;
    std::thread worker([&] { deliver_all(queue, pushes.size()); });
    enqueue_all(queue, pushes, batch, waits_ms);
    worker.join();
    return watch.stop(waits_ms);
}

// One connection, one row per batch with the bytes of its pushes.
class Bare {
public:
    explicit Bare(const std::string& directory) {
        const std::string path = directory + "/bare.db";
        std::filesystem::remove(path);
        if (sqlite3_open(path.c_str(), &connection_) != SQLITE_OK) throw std::runtime_error("cannot open " + path);
        run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE batch (id INTEGER PRIMARY KEY, content BLOB); CREATE TABLE result (id INTEGER PRIMARY KEY, "
            "content BLOB)");
    }
    ~Bare() { sqlite3_close_v2(connection_); }
    Bare(const Bare&) = delete;
    Bare& operator=(const Bare&) = delete;

    Cost run(size_t pushes, size_t batch, bool whole_life) {
        constexpr size_t kUidBytes = 36 + 16;
        const std::string content(batch * (kBodyBytes + kTokenBytes + kUidBytes), 'c');
        const std::string results(batch * kUidBytes, 'r');
        std::vector<double> waits_ms;
        const Stopwatch watch;
        for (size_t at = 0; at < pushes; at += batch) {
            const auto start = Clock::now();
            run("BEGIN IMMEDIATE");
            ++id_;
            put("INSERT INTO batch VALUES (?1, ?2)", content);
            put("INSERT INTO result VALUES (?1, ?2)", results);
            run("COMMIT");
            waits_ms.push_back(ms_since(start));
            if (!whole_life) continue;
            run("PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE");
            put("UPDATE result SET content=?2 WHERE id=?1", results);
            put("DELETE FROM batch WHERE id=?1", {});
            run("COMMIT; PRAGMA synchronous=FULL");
        }
        return watch.stop(waits_ms);
    }

private:
    void run(const char* sql) {
        if (sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
    }
    void put(const char* sql, const std::string& bytes) {
        sqlite3_stmt* statement = nullptr;
        if (sqlite3_prepare_v2(connection_, sql, -1, &statement, nullptr) != SQLITE_OK) fail();
        sqlite3_bind_int64(statement, 1, id_);
        if (!bytes.empty()) {
            sqlite3_bind_blob(statement, 2, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
        }
        const int code = sqlite3_step(statement);
        sqlite3_finalize(statement);
        if (code != SQLITE_DONE) fail();
    }
    [[noreturn]] void fail() { throw std::runtime_error(sqlite3_errmsg(connection_)); }

    sqlite3* connection_ = nullptr;
    sqlite3_int64 id_ = 0;
};

struct Figures {
    Cost enqueue, life, bare_enqueue, bare_life;
};

// By CPU time, which other programs disturb least.
void keep_better(Cost& best, const Cost& now) {
    if (now.cpu_s < best.cpu_s) best = now;
}

int run(int argc, char** argv) {
    const size_t count = argc > 2 ? static_cast<size_t>(std::atoll(argv[2])) : 40'000;
    const size_t batch = argc > 3 ? static_cast<size_t>(std::atoll(argv[3])) : 32;
    const bool kept = argc > 4;
    const std::string directory =
        kept ? argv[4] : (std::filesystem::temp_directory_path() / ("commits-" + std::to_string(getpid()))).string();
    std::filesystem::create_directories(directory);
    Figures best;
    {
        Opened queue(argv[1], directory);
        Bare bare(directory);
        for (int round = 0; round < kRounds; ++round) {
            keep_better(best.bare_enqueue, bare.run(count, batch, false));
            const Pushes first(count);
            keep_better(best.enqueue, run_enqueue(queue, first, batch));
            deliver_all(queue, count);
            keep_better(best.bare_life, bare.run(count, batch, true));
            const Pushes second(count);
            keep_better(best.life, run_life(queue, second, batch));
        }
    }
    if (!kept) std::filesystem::remove_all(directory);
    const auto n = static_cast<double>(count);
    const auto us = [&](const Cost& cost) { return cost.cpu_s * 1e6 / n; };
    std::printf(
        "{\"scenario\":\"queue_commits\",\"pushes\":%zu,\"batch\":%zu,\"enqueue_per_s\":%.0f,\"enqueue_cpu_us\":%.2f,"
        "\"enqueue_p99_ms\":%.2f,\"life_per_s\":%.0f,\"life_cpu_us\":%.2f,\"life_p99_ms\":%.2f,\"bare_enqueue_cpu_us\":"
        "%.2f,\"bare_life_cpu_us\":%.2f,\"enqueue_cpu_ratio\":%.2f,\"life_cpu_ratio\":%.2f}\n",
        count, batch, n / best.enqueue.wall_s, us(best.enqueue), best.enqueue.p99_ms, n / best.life.wall_s,
        us(best.life), best.life.p99_ms, us(best.bare_enqueue), us(best.bare_life),
        us(best.enqueue) / us(best.bare_enqueue), us(best.life) / us(best.bare_life));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: queue_commits QUEUE_SQLITE.so [PUSHES] [BATCH] [DIRECTORY]\n");
        return 2;
    }
    try {
        return run(argc, argv);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "queue_commits: %s\n", failure.what());
        return 1;
    }
}
