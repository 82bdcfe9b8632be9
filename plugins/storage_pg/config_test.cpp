// SPDX-License-Identifier: Apache-2.0
#include "storage_pg/config.h"

#include <gtest/gtest.h>

namespace belfry::storage_pg {
namespace {

std::string refusal(const char* json) {
    try {
        parse_config(json);
    } catch (const Refused& refused) {
        return refused.where() + ": " + refused.what();
    }
    return "taken";
}

TEST(StoragePgConfig, ReadsTextsAndSecrets) {
    const Config config = parse_config(
        R"({"dsn":{"$secret":"7"},"password":"p","schema":"Belfry_2","replicas":["host=r",{"$secret":"8"}],)"
        R"("max_lag_ms":100,"read_connections":64})");
    EXPECT_TRUE(config.place.dsn.is_id);
    EXPECT_EQ(config.place.password.value, "p");
    EXPECT_EQ(config.place.schema, "Belfry_2");
    ASSERT_EQ(config.replicas.size(), 2U);
    EXPECT_FALSE(config.replicas[0].is_id);
    EXPECT_TRUE(config.replicas[1].is_id);
    EXPECT_EQ(config.read_connections, 64U);
    EXPECT_EQ(config.write_connections, 4U);
}

TEST(StoragePgConfig, NamesTheFieldThatIsWrong) {
    EXPECT_EQ(refusal("{}"), "dsn: name the database: dsn = \"postgresql://belfry@localhost/belfry\"");
    EXPECT_EQ(refusal(R"({"dsn":1})"), "dsn: must be a text or a secret");
    EXPECT_EQ(refusal(R"({"dsn":"","schema":"a\"; DROP SCHEMA b"})"),
              "schema: must be letters, digits and underscores, at most 63 of them");
    EXPECT_EQ(refusal(R"({"dsn":"","max_lag_ms":1})"), "max_lag_ms: must be a number from 100 to 600000");
    EXPECT_EQ(refusal(R"({"dsn":"","replicas":"host=r"})"), "replicas: must be a list of connection strings");
}

}  // namespace
}  // namespace belfry::storage_pg
