// SPDX-License-Identifier: Apache-2.0
// Errors as the one line of JSON that a push shows.
#include "delivery/sample_line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace belfry::delivery {
namespace {

TEST(SampleLine, IsOneLineOfJsonOfAtMost512Bytes) {
    SampleFacts facts;
    facts.provider = "fcm";
    facts.outcome = "refused";
    facts.device_key = 77;
    facts.attempt = 2;
    facts.status = 400;
    facts.reason = "INVALID \"x\"\n\x01 \xff \xc3\xa9";
    const auto line = nlohmann::json::parse(sample_line(facts));
    EXPECT_EQ(line["provider"], "fcm");
    EXPECT_EQ(line["outcome"], "refused");
    EXPECT_EQ(line["device_key"], 77);
    EXPECT_EQ(line["attempt"], 2);
    EXPECT_EQ(line["status"], 400);
    EXPECT_EQ(line["error"], "INVALID \"x\"\n\x01 ? \xc3\xa9");
    std::string endless;
    for (int i = 0; i < 700; ++i) endless += i % 3 == 0 ? "\xe2\x82\xac" : "\"";
    facts.reason = endless;
    EXPECT_LE(sample_line(facts).size(), 512u);
    EXPECT_TRUE(nlohmann::json::accept(sample_line(facts)));
}

}  // namespace
}  // namespace belfry::delivery
