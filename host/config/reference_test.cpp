// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "config/config.h"

namespace belfry::config {
namespace {

TEST(ConfigReference, EqualsTheCommittedPage) {
    std::ifstream in(BELFRY_SOURCE_DIR "/docs/configuration.md", std::ios::binary);
    const std::string page((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(page, reference()) << "run: belfry config reference > docs/configuration.md";
}

TEST(ConfigReference, DocumentsDefaultsAndBounds) {
    const std::string page = reference();
    EXPECT_NE(page.find("| `listen` | text | `\"127.0.0.1:8000\"` |"), std::string::npos);
    EXPECT_NE(page.find("| `threads_max` | integer, 4 to 4096 | `256` |"), std::string::npos);
    EXPECT_NE(page.find("## `[providers.<name>]`"), std::string::npos);
}

}  // namespace
}  // namespace belfry::config
