// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/readers.h"

#include <gtest/gtest.h>

namespace belfry::storage_pg {
namespace {

using namespace std::chrono_literals;

const pg::Deadline kStart{1000h};

TEST(StoragePgLag, NobodyKnowsBeforeTheFirstNote) {
    const LagNotes notes(10s);
    EXPECT_EQ(notes.lag(kStart, 5), 10s);
}

TEST(StoragePgLag, IsTheAgeOfTheLastNoteThatWasReached) {
    LagNotes notes(10s);
    for (int i = 0; i <= 10; ++i) notes.note(kStart + i * 500ms, 100 + i);
    EXPECT_EQ(notes.lag(kStart + 5s, 110), 0ms) << "has all that is noted";
    EXPECT_EQ(notes.lag(kStart + 5s, 109), 500ms);
    EXPECT_EQ(notes.lag(kStart + 5s, 104), 3000ms);
    EXPECT_EQ(notes.lag(kStart + 6s, 104), 4000ms);
}

TEST(StoragePgLag, AQuietHourProvesNothing) {
    LagNotes notes(10s);
    notes.note(kStart, 100);
    notes.note(kStart + 1h, 900);  // the first look after it
    EXPECT_EQ(notes.lag(kStart + 1h, 500), 1h) << "it may have stood still since";
    EXPECT_EQ(notes.lag(kStart + 1h, 900), 0ms);
}

TEST(StoragePgLag, AnIdlePrimaryDoesNotMakeItsReplicasStale) {
    LagNotes notes(10s);
    for (int i = 0; i < 100; ++i) notes.note(kStart + i * 500ms, 100);
    EXPECT_EQ(notes.lag(kStart + 49500ms, 100), 0ms);
}

TEST(StoragePgLag, WhatIsOlderThanTheNotesIsAsOldAsCanBe) {
    LagNotes notes(2s);
    for (int i = 0; i < 100; ++i) notes.note(kStart + i * 500ms, 100 + i);
    EXPECT_GE(notes.lag(kStart + 49500ms, 50), 2s);
}

}  // namespace
}  // namespace belfry::storage_pg
