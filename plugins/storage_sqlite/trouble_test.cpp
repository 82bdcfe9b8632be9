// SPDX-License-Identifier: Apache-2.0
// Disks that refuse, disks that are slow, files that others lock or that are damaged: each ends in a clear error, and
// nothing that was answered is lost.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "sqlite/faulty_disk.h"
#include "storage_sqlite/store_rig.h"

namespace belfry::storage {
namespace {

class TroubledStore : public SqliteStore {
protected:
    ~TroubledStore() override { store_.reset(); }

    // The code of registering `n` devices of one topic; how many are stored afterwards is counted by `answered_`.
    belfry_code try_add(size_t n, belfry_why* why) {
        const std::vector<std::string> names = tokens(n, "batch" + std::to_string(batch_++) + "-");
        const belfry_str topic{"x", 1};
        // So long that a few hundred rows take several writes.
        const std::string meta(1500, 'm');
        std::vector<belfry_registration> rows;
        for (size_t i = 0; i < names.size(); ++i) {
            rows.push_back(sized<belfry_registration>());
            rows.back().key = -1;
            rows.back().token = str(std::string_view(names[i]));
            rows.back().provider = belfry_str{"fcm", 3};
            rows.back().topics = one_row(topic);
            rows.back().meta = str(std::string_view(meta));
            const uint64_t hash[2] = {batch_, i};
            std::memcpy(rows.back().identity_hash, hash, sizeof hash);
        }
        return sqlite::guarded(why, [&] {
            collect<belfry_registered>(
                [&](belfry_emit emit, void* ctx) {
                    store().writer().register_devices(kApp, list_of(rows), emit, ctx);
                    return BELFRY_OK;
                },
                [&](const belfry_registered& row) { answered_ += row.code == BELFRY_OK ? 1 : 0; });
        });
    }
    void expect_whole() {
        EXPECT_EQ(value("SELECT count(*) FROM device"), std::to_string(answered_));
        EXPECT_EQ(value("SELECT count(*) FROM subscription"), std::to_string(answered_));
        EXPECT_EQ(value("PRAGMA integrity_check"), "ok");
    }

    sqlite::FaultyDisk disk_;
    size_t answered_ = 0;
    uint64_t batch_ = 0;
};

TEST_F(TroubledStore, EveryRefusedWriteIsAClearErrorAndLosesNothing) {
    belfry_why why{};
    ASSERT_EQ(try_add(100, &why), BELFRY_OK) << why.text;
    int refusals = 0;
    for (int k = 0; k < 8; ++k) {
        for (const int code : {SQLITE_FULL, SQLITE_IOERR_WRITE}) {
            disk_.refuse_writes_after(k, code);
            const belfry_code answer = try_add(k == 0 ? 20 : 400, &why);
            disk_.heal();
            if (answer == BELFRY_OK) continue;
            ++refusals;
            EXPECT_EQ(BELFRY_CODE_CLASS(answer), code == SQLITE_FULL ? BELFRY_STORE_FULL : BELFRY_RETRY_LATER);
            EXPECT_NE(std::string(why.text).find("storage.db"), std::string::npos) << why.text;
        }
    }
    EXPECT_GT(refusals, 8);
    expect_whole();
    ASSERT_EQ(try_add(50, &why), BELFRY_OK) << why.text;
    store_.reset();
    expect_whole();
}

TEST_F(TroubledStore, RefusedCheckpointLosesNothing) {
    belfry_why why{};
    for (int k = 0; k < 6; ++k) {
        ASSERT_EQ(try_add(200, &why), BELFRY_OK) << why.text;
        disk_.refuse_writes_after(k, SQLITE_FULL);
        const belfry_code code = sqlite::guarded(&why, [&] { store().writer().database().checkpoint(); });
        EXPECT_EQ(BELFRY_CODE_CLASS(code), BELFRY_STORE_FULL) << k;
        disk_.heal();
        expect_whole();
    }
    EXPECT_TRUE(store().writer().database().checkpoint());
    expect_whole();
}

TEST_F(TroubledStore, StartOnAFullDiskSaysSoAndTheNextStartSucceeds) {
    belfry_why why{};
    int refusals = 0;
    for (belfry_code code = BELFRY_STORE_FULL; code != BELFRY_OK; ++refusals) {
        disk_.refuse_writes_after(refusals, SQLITE_FULL);
        code = start_code(&why);
        EXPECT_TRUE(code == BELFRY_OK || BELFRY_CODE_CLASS(code) == BELFRY_STORE_FULL) << refusals << why.text;
        disk_.heal();
    }
    EXPECT_GT(refusals, 3);
    ASSERT_EQ(try_add(10, &why), BELFRY_OK) << why.text;
    expect_whole();
}

TEST_F(TroubledStore, RefusedSyncRefusesTheRegistration) {
    belfry_why why{};
    ASSERT_EQ(try_add(10, &why), BELFRY_OK) << why.text;
    disk_.refuse_syncs_after(0, SQLITE_IOERR_FSYNC);
    EXPECT_EQ(BELFRY_CODE_CLASS(try_add(10, &why)), BELFRY_RETRY_LATER);
    EXPECT_STRNE(why.text, "");
    disk_.heal();
    ASSERT_EQ(try_add(10, &why), BELFRY_OK) << why.text;
    expect_whole();
}

TEST_F(TroubledStore, SlowDiskHoldsUpRegistrationsButNoReader) {
    belfry_why why{};
    ASSERT_EQ(try_add(10, &why), BELFRY_OK) << why.text;
    const auto devices = [&] {
        int64_t n = 0;
        store().reader()->count(
            kApp, sized<belfry_selection>(), [] { return true; }, &n);
        return n;
    };
    disk_.hold_syncs();
    belfry_code code = BELFRY_INTERNAL;
    std::thread other([&] { code = try_add(10, &why); });
    disk_.wait_for_held_sync();
    EXPECT_EQ(devices(), 10);
    disk_.release_syncs();
    other.join();
    EXPECT_EQ(code, BELFRY_OK) << why.text;
    EXPECT_EQ(devices(), 20);
}

TEST_F(TroubledStore, FileThatAStrangerLocksIsRetriedLater) {
    belfry_why why{};
    ASSERT_EQ(try_add(10, &why), BELFRY_OK) << why.text;
    sqlite3_busy_timeout(store().writer().database().connection(), 10);
    sqlite3* stranger = nullptr;
    ASSERT_EQ(sqlite3_open(file().c_str(), &stranger), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(stranger, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_EQ(BELFRY_CODE_CLASS(try_add(10, &why)), BELFRY_RETRY_LATER);
    EXPECT_NE(std::string(why.text).find("locked"), std::string::npos) << why.text;
    sqlite3_exec(stranger, "ROLLBACK", nullptr, nullptr, nullptr);
    sqlite3_close(stranger);
    ASSERT_EQ(try_add(10, &why), BELFRY_OK) << why.text;
    expect_whole();
}

TEST_F(TroubledStore, DamagedPageRefusesRegistrationsAsCorrupt) {
    belfry_why why{};
    ASSERT_EQ(try_add(500, &why), BELFRY_OK) << why.text;
    const auto page = std::stoll(value("SELECT rootpage FROM sqlite_schema WHERE name = 'device_identity'"));
    store_.reset();
    {
        std::fstream raw(file(), std::ios::in | std::ios::out | std::ios::binary);
        raw.seekp((page - 1) * 4096);
        raw << std::string(4096, '\x5a');
    }
    EXPECT_EQ(BELFRY_CODE_CLASS(try_add(10, &why)), BELFRY_CORRUPT);
    EXPECT_NE(std::string(why.text).find("restore the file"), std::string::npos) << why.text;
    EXPECT_EQ(value("SELECT count(*) FROM subscription"), "500");
}

}  // namespace
}  // namespace belfry::storage
