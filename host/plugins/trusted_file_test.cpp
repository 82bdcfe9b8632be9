// SPDX-License-Identifier: Apache-2.0
#include "plugins/trusted_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace belfry::plugins {
namespace {

namespace fs = std::filesystem;

// A private folder below the temporary one, which is sticky: hence dev = true throughout.
class TrustedFileTest : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "belfry-trust-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = fs::canonical(pattern).string();
        file_ = folder_ + "/acme.so";
        std::ofstream(file_) << "bytes";
        ::chmod(file_.c_str(), 0644);
    }
    void TearDown() override { fs::remove_all(folder_); }
    std::string outcome(bool dev = true) const {
        const Result<TrustedFile> file = read_trusted(file_, 1000, TrustRules{dev});
        return file ? "read" : file.error().to_string();
    }

    std::string folder_, file_;
};

TEST_F(TrustedFileTest, ReadsWhatOnlyItsOwnerCanWrite) {
    const Result<TrustedFile> file = read_trusted(file_, 1000, TrustRules{true});
    ASSERT_TRUE(file) << file.error().to_string();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(file->bytes.data()), file->bytes.size()), "bytes");
}

TEST_F(TrustedFileTest, RefusesWhatEverybodyCanWrite) {
    ::chmod(file_.c_str(), 0666);
    EXPECT_EQ(outcome(), file_ + ": it can be written by everybody (mode 0666); chmod go-w " + file_);
    ::chmod(file_.c_str(), 0644);
    ::chmod(folder_.c_str(), 0777);
    EXPECT_EQ(outcome(),
              file_ + ": its folder " + folder_ + " can be written by everybody (mode 0777); chmod go-w " + folder_);
}

TEST_F(TrustedFileTest, OnlyWarnsAboutItsOwnGroupOnADevelopersMachine) {
    ::chmod(file_.c_str(), 0664);
    EXPECT_EQ(outcome(false), file_ + ": it can be written by its group (mode 0664); chmod g-w " + file_ +
                                  ", or set dev = true on a developer's machine");
    const Result<TrustedFile> file = read_trusted(file_, 1000, TrustRules{true});
    ASSERT_TRUE(file);
    ASSERT_FALSE(file->warnings.empty());
    EXPECT_EQ(file->warnings.front(),
              file_ + ": its group can write to it (mode 0664); tolerated because of dev = true");
}

TEST_F(TrustedFileTest, RefusesStickyFoldersUnlessDev) {
    ::chmod(folder_.c_str(), 01777);
    EXPECT_EQ(outcome(true), "read");
    EXPECT_EQ(outcome(false),
              file_ + ": its folder " + folder_ +
                  " can be written by everybody (mode 1777); move the plugins below folders that others "
                  "cannot write to, like /usr/local/lib, or set dev = true on a developer's machine");
}

TEST_F(TrustedFileTest, RefusesSymbolicLinksFoldersAndPipes) {
    fs::rename(file_, folder_ + "/real.so");
    fs::create_symlink("real.so", file_);
    EXPECT_EQ(outcome(), file_ + ": it is a symbolic link, which could be turned elsewhere; put the file itself there");
    fs::remove(file_);
    fs::create_directory(file_);
    EXPECT_EQ(outcome(), file_ + ": it is not a regular file; put a file there");
    fs::remove(file_);
    ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
    EXPECT_EQ(outcome(), file_ + ": it is not a regular file; put a file there");
}

TEST_F(TrustedFileTest, RefusesTheFileOfAnotherUser) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
    ASSERT_EQ(::chown(file_.c_str(), 12345, 12345), 0);
    EXPECT_EQ(
        outcome(),
        file_ + ": it belongs to user 12345, who could replace it; make root or the user Belfry runs as its owner");
}

TEST_F(TrustedFileTest, SaysWhenThereIsNothingOrTooMuch) {
    EXPECT_NE(read_trusted(file_, 4, TrustRules{true}).error().message.find("longer than 4 bytes"), std::string::npos);
    fs::remove(file_);
    EXPECT_EQ(read_trusted(file_, 4, TrustRules{true}).error().code, ErrorCode::NotFound);
    EXPECT_EQ(read_trusted(folder_ + "/none/acme.so", 4, TrustRules{true}).error().code, ErrorCode::NotFound);
}

TEST_F(TrustedFileTest, ReplacesACopyThatWasTamperedWith) {
    const std::string copies = folder_ + "/run/plugins";
    ASSERT_TRUE(make_private_folder(copies));
    const std::vector<std::byte> bytes(10, std::byte{7});
    ASSERT_TRUE(write_private_copy(copies, "x.so", bytes));
    struct stat first {
    }, second{};
    ASSERT_EQ(::stat((copies + "/x.so").c_str(), &first), 0);
    EXPECT_EQ(first.st_mode & 07777u, 0500u);
    ASSERT_TRUE(write_private_copy(copies, "x.so", bytes));
    ASSERT_EQ(::stat((copies + "/x.so").c_str(), &second), 0);
    EXPECT_EQ(first.st_ino, second.st_ino) << "equal bytes stay";
    fs::remove(copies + "/x.so");
    std::ofstream(copies + "/x.so") << "0123456789";
    ASSERT_TRUE(write_private_copy(copies, "x.so", bytes));
    EXPECT_EQ(read_trusted(copies + "/x.so", 100, TrustRules{true})->bytes, bytes);
}

TEST_F(TrustedFileTest, MakesFoldersPrivate) {
    const std::string copies = folder_ + "/run";
    fs::create_directory(copies);
    ::chmod(copies.c_str(), 0755);
    ASSERT_TRUE(make_private_folder(copies));
    struct stat info {};
    ASSERT_EQ(::stat(copies.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777u, 0700u);
    std::ofstream(folder_ + "/file") << "x";
    EXPECT_FALSE(make_private_folder(folder_ + "/file"));
}

TEST(Sha256Hex, MatchesThePublishedVector) {  // FIPS 180-2, "abc"
    EXPECT_EQ(sha256_hex("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace belfry::plugins
