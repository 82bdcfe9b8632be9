// SPDX-License-Identifier: Apache-2.0
#include "plugins/crash_record.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "plugins/call.h"

namespace belfry::plugins {
namespace {

class CrashRecordTest : public ::testing::Test {
protected:
    CrashRecordTest() {
        ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
        const char* given = std::getenv("BELFRY_CRASH_TEST_FOLDER");  // a death test runs this again in its child
        std::string pattern = (std::filesystem::temp_directory_path() / "belfry-crash-XXXXXX").string();
        folder_ = given != nullptr ? given : ::mkdtemp(pattern.data());
        ::setenv("BELFRY_CRASH_TEST_FOLDER", folder_.c_str(), 1);
        file_ = folder_ + "/crashed";
    }
    void TearDown() override {
        ::unsetenv("BELFRY_CRASH_TEST_FOLDER");
        std::filesystem::remove_all(folder_);
    }
    void write(const std::string& text) const { std::ofstream(file_) << text; }
    std::string written() const {
        std::ifstream in(file_);
        return std::string((std::istreambuf_iterator<char>(in)), {});
    }
    // What a host does whose plugin crashes.
    void crash(int signal, bool inside) const {
        Result<CrashRecord> record = CrashRecord::open(file_);
        record->watch();
        Faults faults("fcm-shop");
        Door door(nullptr, faults, 0);
        if (!inside) std::raise(signal);
        static_cast<void>(door.call("t", [&](belfry_instance*, belfry_why*) {
            if (signal == SIGABRT) std::abort();
            std::raise(signal);
            return belfry_code{BELFRY_OK};
        }));
    }

    std::string folder_, file_;
};

TEST_F(CrashRecordTest, NamesTheInstanceThatWasRunning) {
    EXPECT_EXIT(crash(SIGSEGV, true), ::testing::KilledBySignal(SIGSEGV),
                "belfry: signal 11 inside plugin instance \"fcm-shop\"; report it to the plugin's author");
    EXPECT_EXIT(crash(SIGABRT, true), ::testing::KilledBySignal(SIGABRT), "inside plugin instance \"fcm-shop\"");
    const Result<CrashRecord> next = CrashRecord::open(file_);
    ASSERT_TRUE(next);
    ASSERT_EQ(next->crashes().size(), 2u);
    EXPECT_EQ(next->crashes()[0].instance, "fcm-shop");
    EXPECT_NE(next->crashes()[0].unix_s, 0);
    EXPECT_EQ(next->blocked("fcm-shop"),
              "it crashed the host twice within 10 minutes and stays off; replace the plugin, then remove " + file_);
    EXPECT_EQ(next->blocked("apns"), "");
}

volatile bool g_enough = false;
int deeper() {
    volatile char room[4096];
    room[0] = 1;
    return g_enough ? 0 : deeper() + room[0];
}

// On a thread of its own, as plugins are called.
TEST_F(CrashRecordTest, NamesTheInstanceWhoseStackIsUsedUp) {
    const auto overflow = [&] {
        Result<CrashRecord> record = CrashRecord::open(file_);
        record->watch();
        Faults faults("fcm-shop");
        Door door(nullptr, faults, 0);
        std::thread([&] {
            static_cast<void>(
                door.call("t", [&](belfry_instance*, belfry_why*) { return belfry_code{deeper() == 0 ? 0 : 1}; }));
        }).join();
    };
    EXPECT_EXIT(overflow(), ::testing::KilledBySignal(SIGSEGV), "inside plugin instance \"fcm-shop\"");
    EXPECT_EQ(CrashRecord::open(file_)->crashes().size(), 1u);
}

TEST_F(CrashRecordTest, KeepsItsListOnAFullDisk) {
    const std::string before = "1000 fcm\n1100 fcm\n";
    write(before);
    ASSERT_NE(::signal(SIGXFSZ, SIG_IGN), SIG_ERR);
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit none{0, limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &none), 0);
    const Result<CrashRecord> record = CrashRecord::open(file_);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    ASSERT_TRUE(record) << record.error().to_string();
    EXPECT_NE(record->blocked("fcm"), "");
    EXPECT_EQ(written(), before);
}

TEST_F(CrashRecordTest, BlamesNobodyForACrashOfTheHost) {
    EXPECT_EXIT(crash(SIGSEGV, false), ::testing::KilledBySignal(SIGSEGV), "");
    EXPECT_EQ(written(), "");
}

TEST_F(CrashRecordTest, ForgivesCrashesThatAreFarApartAndLinesThatAreNone) {
    write("1000 fcm\n1601 fcm\nnonsense\n12x fcm\n99 \n1000 apns\n1600 apns\n");
    const Result<CrashRecord> record = CrashRecord::open(file_);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->crashes().size(), 4u);
    EXPECT_EQ(record->blocked("fcm"), "");
    EXPECT_NE(record->blocked("apns"), "");
}

TEST_F(CrashRecordTest, StaysShort) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += std::to_string(i) + " fcm\n";
    write(text);
    ASSERT_TRUE(CrashRecord::open(file_));
    EXPECT_EQ(CrashRecord::open(file_)->crashes().size(), CrashRecord::kCrashesKept);
    EXPECT_EQ(written().substr(0, 8), "936 fcm\n");
}

TEST_F(CrashRecordTest, SaysWhenItCannotBeKept) {
    EXPECT_EQ(CrashRecord::open(folder_ + "/none/crashed").error().where, folder_ + "/none/crashed");
}

}  // namespace
}  // namespace belfry::plugins
