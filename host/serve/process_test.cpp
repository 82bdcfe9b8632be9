// SPDX-License-Identifier: Apache-2.0
#include "serve/process.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace belfry::serve {
namespace {

namespace fs = std::filesystem;

class DataDirCheck : public testing::Test {
protected:
    DataDirCheck() {
        std::string pattern = (fs::temp_directory_path() / "belfry-data-dir-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }
    ~DataDirCheck() override { fs::remove_all(folder_); }
    // The check's line, which open's must be, too; empty: both are content.
    static std::string said_of(const fs::path& path) {
        const Status checked = DataDir::check(path);
        const Result<DataDir> opened = DataDir::open(path);
        EXPECT_EQ(checked.has_value(), opened.has_value()) << path;
        if (checked || opened) return {};
        EXPECT_EQ(checked.error().to_string(), opened.error().to_string());
        return checked.error().to_string();
    }

    fs::path folder_;
};

TEST_F(DataDirCheck, IsContentWithAFolderThatCanBeMadeAndMakesNone) {
    EXPECT_TRUE(DataDir::check(folder_ / "a/b"));
    EXPECT_FALSE(fs::exists(folder_ / "a"));
    EXPECT_EQ(said_of(folder_ / "a/b"), "");
    EXPECT_EQ(said_of(folder_ / "a/b"), "") << "now that it is there";
}

TEST_F(DataDirCheck, SaysWhatOpenWouldSayOfAFile) {
    std::ofstream(folder_ / "file") << "x";
    EXPECT_EQ(said_of(folder_ / "file"),
              (folder_ / "file").string() + ": cannot be made: Not a directory; choose another data_dir");
    EXPECT_EQ(said_of(folder_ / "file/below"),
              (folder_ / "file/below").string() + ": cannot be made: Not a directory; choose another data_dir");
}

TEST_F(DataDirCheck, DoesNotMindAServerThatUsesIt) {
    const Result<DataDir> server = DataDir::open(folder_);
    ASSERT_TRUE(server);
    EXPECT_TRUE(DataDir::check(folder_));
}

// Nothing is forbidden to root: the child becomes somebody else.
TEST_F(DataDirCheck, SaysWhatOpenWouldSayOfFoldersOfOthers) {
    fs::create_directory(folder_ / "theirs");
    fs::permissions(folder_, fs::perms(0755));
    fs::permissions(folder_ / "theirs", fs::perms(0555));
    const auto both = [&] {
        if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(3);
        const std::string there = (folder_ / "theirs").string();
        const bool good =
            said_of(there) == there + ": cannot be written: Permission denied; give it to this user" &&
            said_of(there + "/new") == there + "/new: cannot be made: Permission denied; choose another data_dir";
        ::_exit(good && !HasFailure() ? 0 : 1);
    };
    EXPECT_EXIT(both(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace belfry::serve
