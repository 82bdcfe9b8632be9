// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "config/config.h"

namespace belfry::config {
namespace {

Config embedded_in(const std::string& folder) {
    Config config;
    config.data_dir = folder;
    config.apps.push_back({std::string(kDefaultApp), {}, {}, {}});
    return config;
}

TEST(EmbeddedKey, IsMadeOnceAndOnlyForTheOwner) {
    std::string pattern = (std::filesystem::temp_directory_path() / "belfry-key-XXXXXX").string();
    const std::string folder = std::string(::mkdtemp(pattern.data())) + "/data";
    Config first = embedded_in(folder);
    const Result<EmbeddedKey> made = add_embedded_key(first);
    ASSERT_TRUE(made) << made.error().to_string();
    EXPECT_TRUE(made->created);
    EXPECT_EQ(made->file, folder + "/api-key");
    struct stat facts {};
    ASSERT_EQ(::stat(made->file.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0600u);
    ASSERT_EQ(::stat(folder.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777, 0700u);
    EXPECT_EQ(first.apps[0].keys.at(0).key.reveal().size(), 48u);

    Config second = embedded_in(folder);
    const Result<EmbeddedKey> found = add_embedded_key(second);
    ASSERT_TRUE(found);
    EXPECT_FALSE(found->created);
    EXPECT_EQ(second.apps[0].keys.at(0).key.reveal(), first.apps[0].keys.at(0).key.reveal());
    EXPECT_FALSE(wants_embedded_key(second));
    std::filesystem::remove_all(std::filesystem::path(folder).parent_path());
}

TEST(EmbeddedKey, SaysWhereItCannotBeKept) {
    Config config = embedded_in("/proc/belfry");
    const Result<EmbeddedKey> key = add_embedded_key(config);
    ASSERT_FALSE(key);
    EXPECT_NE(key.error().to_string().find("/proc/belfry/api-key"), std::string::npos) << key.error().to_string();
}

}  // namespace
}  // namespace belfry::config
