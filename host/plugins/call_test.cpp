// SPDX-License-Identifier: Apache-2.0
#include "plugins/call.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace belfry::plugins {
namespace {

belfry_instance* no_instance() {
    return nullptr;
}

struct Row {
    uint32_t size, index;
    belfry_code code;
    uint32_t value;
};
Row a_row(uint32_t index, uint32_t value = 0) {
    return Row{sizeof(Row), index, BELFRY_OK, value};
}

TEST(Door, MapsEveryCodeClassToWhatTheCallerDoesNext) {
    const std::vector<std::pair<belfry_code, ErrorCode>> table = {{BELFRY_RETRY_LATER, ErrorCode::Unavailable},
                                                                  {BELFRY_BUSY, ErrorCode::Busy},
                                                                  {BELFRY_BAD_REQUEST, ErrorCode::InvalidArgument},
                                                                  {BELFRY_AUTH, ErrorCode::Unauthenticated},
                                                                  {BELFRY_NOT_FOUND, ErrorCode::NotFound},
                                                                  {BELFRY_CONFLICT, ErrorCode::Conflict},
                                                                  {BELFRY_DUPLICATE, ErrorCode::Conflict},
                                                                  {BELFRY_TOO_LARGE, ErrorCode::TooLarge},
                                                                  {BELFRY_FENCED, ErrorCode::Cancelled},
                                                                  {BELFRY_STOPPED, ErrorCode::Cancelled},
                                                                  {BELFRY_PAUSED, ErrorCode::Cancelled},
                                                                  {BELFRY_DEADLINE, ErrorCode::DeadlineExceeded},
                                                                  {BELFRY_UNSUPPORTED, ErrorCode::Unsupported},
                                                                  {BELFRY_STORE_FULL, ErrorCode::StoreFull},
                                                                  {BELFRY_CORRUPT, ErrorCode::Corrupt},
                                                                  {BELFRY_CONFIG, ErrorCode::Misconfigured},
                                                                  {BELFRY_INTERNAL, ErrorCode::Internal}};
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    for (const auto& [code, expected] : table) {
        const Status status = door.call("t.call", [c = code](belfry_instance*, belfry_why* why) {
            why->retry_after_ms = 250;
            return because(why, c + 7, "message.token", "it is wrong");  // a detail this host does not know
        });
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, expected);
        EXPECT_EQ(status.error().to_string(), "message.token: it is wrong");
        EXPECT_EQ(status.error().retry_after_ms, 250);
    }
    EXPECT_EQ(faults.total(), 0u);
}

TEST(Door, CountsFailureWithoutReasonAndUnknownCode) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    const Status silent =
        door.call("storage.scan", [](belfry_instance*, belfry_why*) { return belfry_code{BELFRY_BUSY}; });
    EXPECT_EQ(silent.error().code, ErrorCode::Busy);
    EXPECT_EQ(
        silent.error().message,
        "plugin instance \"fcm\" answered BUSY to storage.scan without a reason; report it to the plugin's author");
    const Status strange =
        door.call("storage.scan", [](belfry_instance*, belfry_why* why) { return because(why, 99 << 16, {}, "odd"); });
    EXPECT_EQ(strange.error().code, ErrorCode::Internal);
    EXPECT_EQ(faults.of(Fault::NoReason), 1u);
    EXPECT_EQ(faults.of(Fault::UnknownCode), 1u);
}

TEST(Door, RemembersWhichCallsFoundTheDiskFullUntilTheySucceed) {
    Faults faults("storage");
    Door door(no_instance(), faults, 0);
    const auto answer = [&](const char* name, belfry_code code) {
        static_cast<void>(
            door.call(name, [&](belfry_instance*, belfry_why* why) { return because(why, code, {}, "disk full"); }));
    };
    const auto answer_rows = [&](const char* name, belfry_code of_second) {
        const auto emit_two = [&](belfry_instance*, belfry_emit emit, void* ctx, belfry_why*) {
            Row rows[] = {a_row(0), a_row(1)};
            rows[1].code = of_second;
            emit(ctx, belfry_list{rows, 2, sizeof(Row)});
            return belfry_code{BELFRY_OK};
        };
        EXPECT_TRUE(door.each<Row>(name, 2, emit_two, [](const Row&) {}));
    };
    answer("storage.register", BELFRY_BUSY);
    EXPECT_EQ(faults.full(), "");
    answer("storage.register", BELFRY_STORE_FULL + 7);
    answer("storage.register", BELFRY_STORE_FULL);
    answer_rows("storage.remove", BELFRY_STORE_FULL);
    EXPECT_EQ(faults.full(), "storage.register (disk full), storage.remove");
    answer("storage.register", BELFRY_BUSY);
    answer("storage.scan", BELFRY_OK);
    EXPECT_EQ(faults.full(), "storage.register (disk full), storage.remove") << "none of these has stored anything";
    answer("storage.register", BELFRY_OK);
    EXPECT_EQ(faults.full(), "storage.remove");
    answer_rows("storage.remove", BELFRY_NOT_FOUND);
    EXPECT_EQ(faults.full(), "");
}

TEST(Door, KeepsReasonsOnOneLine) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    const Status status = door.call("t.call", [](belfry_instance*, belfry_why* why) {
        return because(why, BELFRY_BUSY, "a\nb", "first\r\nbelfry: a forged line\x1b[31m");
    });
    EXPECT_EQ(status.error().to_string(), "a b: first  belfry: a forged line [31m");
}

TEST(Door, TurnsAnExceptionOfThePluginIntoInternal) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 1);
    for (int i = 0; i < 3; ++i) {  // the concurrency slot comes back each time
        const Status status =
            door.call("t.call", [](belfry_instance*, belfry_why*) -> belfry_code { throw std::runtime_error("boom"); });
        EXPECT_EQ(status.error().code, ErrorCode::Internal);
    }
    EXPECT_EQ(faults.of(Fault::Threw), 3u);
}

TEST(Door, LetsAnExceptionOfTheRowCallbackReachItsCaller) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    int32_t answer = 0;
    const auto emit_two = [&](belfry_instance*, belfry_emit emit, void* ctx, belfry_why*) {
        const Row rows[] = {a_row(0), a_row(1)};
        answer = emit(ctx, belfry_list{rows, 2, sizeof(Row)});
        return belfry_code{BELFRY_OK};
    };
    const auto run = [&] {
        static_cast<void>(door.rows<Row>("t", emit_two, [](const Row&) { throw std::length_error("full"); }));
    };
    EXPECT_THROW(run(), std::length_error);
    EXPECT_NE(answer, 0) << "the plugin was not told to stop";
    EXPECT_EQ(faults.total(), 0u);
}

TEST(Door, StopsEmissionForGoodWhenTheCallbackSaysSo) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    int seen = 0;
    const Status status = door.rows<Row>(
        "t",
        [&](belfry_instance*, belfry_emit emit, void* ctx, belfry_why*) {
            for (uint32_t i = 0; i < 5; ++i)
                static_cast<void>(emit(ctx, one_row(a_row(i))));  // a plugin that ignores the answer
            return belfry_code{BELFRY_OK};
        },
        [&](const Row&) { return ++seen < 2; });
    EXPECT_TRUE(status);
    EXPECT_EQ(seen, 2);
}

TEST(Door, ReadsShorterRowsOfOlderPluginsAsZeroBeyondTheirEnd) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    struct OldRow {
        uint32_t size, index;
        belfry_code code;
    };
    const std::vector<OldRow> old_rows = {{sizeof(OldRow), 0, BELFRY_OK}, {sizeof(OldRow), 1, BELFRY_CONFLICT}};
    std::vector<Row> got;
    const Status status = door.each<Row>(
        "t", 2,
        [&](belfry_instance*, belfry_emit emit, void* ctx, belfry_why*) {
            static_cast<void>(emit(ctx, list_of(old_rows)));
            return belfry_code{BELFRY_OK};
        },
        [&](const Row& row) { got.push_back(row); });
    EXPECT_TRUE(status);
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[1].code, BELFRY_CONFLICT);
    EXPECT_EQ(got[0].value, 0u);
    EXPECT_EQ(got[1].value, 0u);
}

TEST(Door, AnswersEveryItemOfABatchOnceWhateverThePluginEmits) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    std::vector<std::pair<uint32_t, belfry_code>> got;
    const Status status = door.each<Row>(
        "t", 4,
        [&](belfry_instance*, belfry_emit emit, void* ctx, belfry_why*) {
            for (const uint32_t index : {2u, 0u, 2u, 9u}) static_cast<void>(emit(ctx, one_row(a_row(index))));
            return belfry_code{BELFRY_OK};
        },
        [&](const Row& row) { got.emplace_back(row.index, row.code); });
    EXPECT_TRUE(status);
    const std::vector<std::pair<uint32_t, belfry_code>> expected = {
        {2, BELFRY_OK}, {0, BELFRY_OK}, {1, BELFRY_INTERNAL}, {3, BELFRY_INTERNAL}};
    EXPECT_EQ(got, expected);
    EXPECT_EQ(faults.of(Fault::RepeatedRow), 1u);
    EXPECT_EQ(faults.of(Fault::ForeignRow), 1u);
    EXPECT_EQ(faults.of(Fault::MissingRow), 2u);
}

TEST(Door, RefusesUnreadableListsAndRowsWithoutSize) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    int seen = 0;
    const auto count = [&](const Row&) { ++seen; };
    const auto emitting = [&](belfry_list list) {
        return door.rows<Row>(
            "t",
            [&](belfry_instance*, belfry_emit emit, void* ctx, belfry_why*) {
                static_cast<void>(emit(ctx, list));
                return belfry_code{BELFRY_OK};
            },
            count);
    };
    const Row unsized{0, 0, 0, 0};
    EXPECT_TRUE(emitting(belfry_list{nullptr, 3, sizeof(Row)}));
    EXPECT_TRUE(emitting(belfry_list{&unsized, 2, 0}));
    EXPECT_TRUE(emitting(one_row(unsized)));
    EXPECT_EQ(seen, 0);
    EXPECT_EQ(faults.of(Fault::BadRow), 3u);
}

TEST(Door, CountsRowsThatComeAfterTheCallOrFromAnotherThread) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 0);
    belfry_emit kept = nullptr;
    void* kept_ctx = nullptr;
    int seen = 0;
    const Row row = a_row(0);
    const Status status = door.rows<Row>(
        "t",
        [&](belfry_instance*, belfry_emit emit, void* ctx, belfry_why*) {
            kept = emit;
            kept_ctx = ctx;
            int32_t answer = 0;
            std::thread([&] { answer = emit(ctx, one_row(row)); }).join();
            EXPECT_NE(answer, 0);
            return belfry_code{BELFRY_OK};
        },
        [&](const Row&) { ++seen; });
    EXPECT_TRUE(status);
    EXPECT_NE(kept(kept_ctx, one_row(row)), 0);
    EXPECT_EQ(seen, 0);
    EXPECT_EQ(faults.of(Fault::EmitAfterReturn), 2u);
}

TEST(Door, RunsAtMostTheDeclaredNumberOfCallsAtOnce) {
    Faults faults("fcm");
    Door door(no_instance(), faults, 2);
    std::atomic<int> inside{0}, most{0}, done{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&] {
            for (int n = 0; n < 200; ++n) {
                const Status status = door.call("t", [&](belfry_instance*, belfry_why*) {
                    const int now = ++inside;
                    int before = most;
                    while (before < now && !most.compare_exchange_weak(before, now)) {
                    }
                    std::this_thread::yield();
                    --inside;
                    return belfry_code{BELFRY_OK};
                });
                if (status) ++done;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(done, 1200);
    EXPECT_LE(most, 2);
}

TEST(Door, LeavesABreadcrumbOfWhoIsRunning) {
    Faults outer_faults("outer"), inner_faults("inner");
    Door outer(no_instance(), outer_faults, 0), inner(no_instance(), inner_faults, 0);
    EXPECT_EQ(running_instance(), nullptr);
    const Status status = outer.call("t", [&](belfry_instance*, belfry_why*) {
        EXPECT_STREQ(running_instance(), "outer");
        const Status nested = inner.call("t", [](belfry_instance*, belfry_why*) {
            EXPECT_STREQ(running_instance(), "inner");
            return belfry_code{BELFRY_OK};
        });
        EXPECT_TRUE(nested);
        EXPECT_STREQ(running_instance(), "outer");
        return belfry_code{BELFRY_OK};
    });
    EXPECT_TRUE(status);
    EXPECT_EQ(running_instance(), nullptr);
}

TEST(Because, CutsLongTextsBetweenCharacters) {
    belfry_why why{};
    std::string text(502, 'x');
    text += "\xc3\xa9\xc3\xa9";  // the first two-byte character would straddle the end of the buffer
    because(&why, BELFRY_BUSY, {}, text);
    EXPECT_EQ(std::string_view(why.text), std::string(502, 'x'));
    EXPECT_STREQ(why.where, "");
}

}  // namespace
}  // namespace belfry::plugins
