// SPDX-License-Identifier: Apache-2.0
#include "base/small_file.h"

#include <gtest/gtest.h>

#include <fstream>

namespace belfry {
namespace {

std::string written(const std::string& text) {
    std::string path = testing::TempDir() + "small_file_test";
    std::ofstream(path, std::ios::binary) << text;
    return path;
}

TEST(SmallFile, IsReadAsAWholeUpToItsBound) {
    const std::string text(100'000, 'x');
    const std::string path = written(text);
    EXPECT_EQ(*read_small_file(path, text.size()), text);
    const auto longer = read_small_file(path, text.size() - 1);
    ASSERT_FALSE(longer);
    EXPECT_EQ(longer.error().code, ErrorCode::TooLarge);
}

TEST(SmallFile, AnEndlessFileIsRefused) {
    const auto endless = read_small_file("/dev/zero", 1 << 20);
    ASSERT_FALSE(endless);
    EXPECT_EQ(endless.error().message, "longer than 1 MiB");
}

TEST(SmallFile, WhatCannotBeReadIsSaidInTheSystemsWords) {
    EXPECT_EQ(read_small_file("/nowhere/at/all", 1).error().message, "No such file or directory");
    EXPECT_EQ(read_small_file("/", 1).error().message, "Is a directory");
}

TEST(SmallFile, ASecretLosesItsLineEndUnlessItIsBinary) {
    EXPECT_EQ(*read_secret_file(written("key\r\n")), "key");
    EXPECT_EQ(*read_secret_file(written(std::string("k\0\n", 3))), std::string("k\0\n", 3));
}

}  // namespace
}  // namespace belfry
