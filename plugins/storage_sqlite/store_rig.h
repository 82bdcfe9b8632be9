// SPDX-License-Identifier: Apache-2.0
// A Store in a temporary directory, for the tests of this folder.
// Threads: the test's.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <belfry/abi.hpp>

#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "sqlite/failure.h"
#include "storage_sqlite/store.h"

namespace belfry::storage {

inline constexpr std::string_view kApp = "default";

// A host with nothing but a clock.
struct ClockHost {
    belfry_host table{};
    static inline int64_t unix_ms = 1000;
    static const void* service(const belfry_host*, belfry_str id) noexcept {
        static const belfry_clock clock{sizeof(belfry_clock), 0, [](const belfry_host*) -> int64_t { return 1; },
                                        [](const belfry_host*) -> int64_t { return unix_ms; }};
        return view(id) == BELFRY_CLOCK_ID ? &clock : nullptr;
    }
    ClockHost() {
        table.size = sizeof table;
        table.service = service;
    }
};

class SqliteStore : public testing::Test {
protected:
    SqliteStore() {
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-store-XXXXXX").string();
        directory_ = ::mkdtemp(pattern.data());
    }
    ~SqliteStore() override {
        ClockHost::unix_ms = 1000;
        store_.reset();
        std::filesystem::remove_all(directory_);
    }
    std::string file() const { return (directory_ / "storage.db").string(); }
    Config config() const {
        Config config;
        config.path = file();
        config.readers = 2;
        config.cache_mib = cache_mib_;
        return config;
    }
    Store& store() {
        if (!store_) {
            store_ = std::make_unique<Store>(&host_.table, config());
            store_->start();
        }
        return *store_;
    }
    belfry_code start_code(belfry_why* why) {
        Store other(&host_.table, config());
        return sqlite::guarded(why, [&] { other.start(); });
    }

    // Devices with made-up identities; the rest as the row says.
    void add(const std::vector<std::string>& tokens, const belfry_registration& like = sized<belfry_registration>()) {
        std::vector<belfry_registration> rows;
        for (const std::string& token : tokens) {
            rows.push_back(like);
            rows.back().key = -1;
            rows.back().token = str(std::string_view(token));
            if (like.provider.n == 0) rows.back().provider = belfry_str{"fcm", 3};
            const uint64_t hash = std::hash<std::string>{}(token);
            std::memcpy(rows.back().identity_hash, &hash, sizeof hash);
        }
        add_rows(rows);
    }
    void add_rows(const std::vector<belfry_registration>& rows) {
        size_t done = 0;
        collect<belfry_registered>(
            [&](belfry_emit emit, void* ctx) {
                store().writer().register_devices(kApp, list_of(rows), emit, ctx);
                return BELFRY_OK;
            },
            [&](const belfry_registered& row) { done += row.code == BELFRY_OK ? 1 : 0; });
        EXPECT_EQ(done, rows.size());
    }
    static std::vector<std::string> tokens(size_t n, const std::string& name = "token") {
        std::vector<std::string> all;
        for (size_t i = 0; i < n; ++i) all.push_back(name + std::to_string(i));
        return all;
    }
    std::string value(const std::string& sql) { return store().writer().database().value(sql); }

    std::filesystem::path directory_;
    ClockHost host_;
    std::unique_ptr<Store> store_;
    uint32_t cache_mib_ = Config().cache_mib;  // of stores that are opened from now on
};

}  // namespace belfry::storage
