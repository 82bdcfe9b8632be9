// SPDX-License-Identifier: Apache-2.0
// What the fan-out read benchmarks share: a topic of many members registered and read through the storage ABI.
//
// Threads: one.
#pragma once

#include <belfry/storage.h>
#include <sys/resource.h>

#include <belfry/abi.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>
#include <vector>

#include "conformance/runner/plugin.h"

namespace belfry::bench {

using belfry::conformance::FakeHost;
using belfry::conformance::Instance;
using Clock = std::chrono::steady_clock;

inline constexpr int kRounds = 5;
inline constexpr size_t kBatch = 1000;
inline constexpr size_t kTokenBytes = 152;  // an FCM token of today
inline constexpr const char* kTopic = "news";
inline constexpr uint32_t kFields =
    BELFRY_FIELD_PROVIDER | BELFRY_FIELD_TOKEN | BELFRY_FIELD_PLATFORM | BELFRY_FIELD_TIMEZONE | BELFRY_FIELD_LOCALE;

struct Cost {
    double wall_s = 1e9, cpu_s = 1e9;
    void best_of(const Cost& other) {
        wall_s = std::min(wall_s, other.wall_s);
        cpu_s = std::min(cpu_s, other.cpu_s);
    }
};

inline double cpu_now_s() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

class Stopwatch {
public:
    Cost stop() const {
        return {std::chrono::duration<double>(Clock::now() - start_).count(), cpu_now_s() - cpu_start_};
    }

private:
    Clock::time_point start_ = Clock::now();
    double cpu_start_ = cpu_now_s();
};

struct Opened {
    FakeHost host;
    Instance instance;
    const belfry_storage& table;
    Opened(const std::string& plugin, const std::string& directory, const std::string& config)
        : host(directory + "/state"),
          instance(host, plugin, config, BELFRY_STORAGE_ID),
          table(*static_cast<const belfry_storage*>(instance.interface_table())) {}
};

inline void fill_row(belfry_registration& row, std::string& token, uint64_t i) {
    const uint64_t hash = (i + 1) * 0x9e3779b97f4a7c15ULL;
    token.assign(kTokenBytes, 'x');
    std::snprintf(token.data(), 40, "%016llx%016llx", static_cast<unsigned long long>(hash),
                  static_cast<unsigned long long>(i));
    token[32] = ':';
    row = belfry::sized<belfry_registration>();
    row.key = -1;
    row.prefix = static_cast<uint32_t>(hash >> 56U);
    std::memcpy(row.identity_hash, &hash, sizeof hash);
    std::memcpy(row.token_hash, &hash, sizeof hash);
    row.provider = belfry_str{"fcm", 3};
    row.platform = belfry_str{"android", 7};
    row.timezone = belfry_str{"Europe/Berlin", 13};
    row.locale = belfry_str{"de-DE", 5};
    row.token = belfry::str(std::string_view(token));
}

inline Cost register_members(Opened& opened, size_t members) {
    std::vector<belfry_registration> rows(kBatch);
    std::vector<std::string> tokens(kBatch);
    const belfry_str topic{kTopic, std::strlen(kTopic)};
    const Stopwatch watch;
    for (size_t at = 0; at < members; at += kBatch) {
        for (size_t i = 0; i < kBatch; ++i) {
            fill_row(rows[i], tokens[i], at + i);
            rows[i].topics = belfry::one_row(topic);
        }
        belfry_why why{};
        size_t done = 0;
        belfry::collect<belfry_registered>(
            [&](belfry_emit emit, void* ctx) {
                return opened.table.register_devices(opened.instance.get(), belfry_str{"default", 7},
                                                     belfry::list_of(rows), emit, ctx, &why);
            },
            [&](const belfry_registered& row) { done += row.code == BELFRY_OK ? 1 : 0; });
        if (done != kBatch)
            throw std::runtime_error(std::string("registration failed: ") + static_cast<const char*>(why.text));
    }
    return watch.stop();
}

struct Sum {
    size_t rows = 0;
    uint64_t bytes = 0;
};

// Looks at what a receiver copies: the token and the lengths of the rest.
inline int32_t look(void* ctx, belfry_list rows) {
    auto& sum = *static_cast<Sum*>(ctx);
    for (const belfry_device& row : belfry::Rows<belfry_device>(rows)) {
        sum.bytes +=
            row.token.n + static_cast<unsigned char>(row.token.p[0]) + row.provider.n + row.platform.n + row.timezone.n;
    }
    sum.rows += rows.n;
    return 0;
}

inline Cost scan_through_abi(Opened& opened, uint32_t page, Sum* sum) {
    belfry_scan scan = belfry::sized<belfry_scan>();
    scan.fields = kFields;
    scan.by = BELFRY_BY_TOPIC;
    scan.want = page;
    scan.budget_rows = page;
    scan.app = belfry_str{"default", 7};
    scan.value = belfry_str{kTopic, std::strlen(kTopic)};
    scan.after = -1;
    scan.hi = BELFRY_KEY_END;
    scan.deadline_mono_ns = opened.host.far_deadline();
    const Stopwatch watch;
    for (int32_t end = 0; end == 0;) {
        belfry_why why{};
        const belfry_code code = opened.table.scan(opened.instance.get(), &scan, look, sum, &scan.after, &end, &why);
        if (code != BELFRY_OK)
            throw std::runtime_error(std::string("scan failed: ") + static_cast<const char*>(why.text));
    }
    return watch.stop();
}

// One line of JSON. registered_s: 0 if the members were there before.
inline void report(const char* scenario, size_t members, uint32_t page, const Cost& abi, const Cost& bare,
                   double registered_s) {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto n = static_cast<double>(members);
    const double ratio = bare.wall_s / abi.wall_s;
    std::printf("{\"scenario\": \"%s\", \"members\": %zu, \"page\": %u, \"rows_per_s\": %.0f, ", scenario, members,
                page, n / abi.wall_s);
    std::printf("\"baseline_per_s\": %.0f, \"cpu_us\": %.3f, \"baseline_cpu_us\": %.3f, ", n / bare.wall_s,
                abi.cpu_s * 1e6 / n, bare.cpu_s * 1e6 / n);
    if (registered_s > 0) std::printf("\"registered_per_s\": %.0f, ", n / registered_s);
    std::printf("\"rss_peak_mb\": %.0f, \"ratio\": %.3f, \"cpu_ratio\": %.3f, \"floor\": 0.6, \"goal\": 0.75}\n",
                static_cast<double>(usage.ru_maxrss) / 1024, ratio, bare.cpu_s / abi.cpu_s);
}

}  // namespace belfry::bench
