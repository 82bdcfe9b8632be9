// SPDX-License-Identifier: Apache-2.0
#include "api/reference.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace belfry::api {
namespace {

TEST(ApiReference, EqualsTheCommittedPage) {
    std::ifstream in(BELFRY_SOURCE_DIR "/docs/api.md", std::ios::binary);
    const std::string page((std::istreambuf_iterator<char>(in)), {});
    EXPECT_TRUE(page == reference()) << "run: belfry api reference > docs/api.md";
}

}  // namespace
}  // namespace belfry::api
