// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <belfry/config.hpp>
#include <belfry/json.hpp>

#include "fakes/service_host.h"

namespace belfry::fakes {
namespace {

class SdkJson : public testing::Test {
protected:
    TestHost host;
    const Services services{host.abi()};
};

TEST_F(SdkJson, FindsValuesWithoutATree) {
    const Json json = Json::checked(
        services, R"({"a":{"b":"x\ny"},"n":3600,"s":"3600","w":"1h","f":true,"z":null,"l":[1,{"k":"v"}]})");
    EXPECT_EQ(json.string("a.b"), "x\ny");
    EXPECT_EQ(json.at("a").string("b"), "x\ny");
    EXPECT_EQ(json.number("n"), 3600);
    EXPECT_EQ(json.number("s"), 3600);
    EXPECT_FALSE(json.number("w"));
    EXPECT_FALSE(json.number("a"));
    EXPECT_TRUE(json.flag("f"));
    EXPECT_TRUE(json.flag("absent", true));
    EXPECT_TRUE(json.has("f"));
    EXPECT_FALSE(json.has("z"));
    EXPECT_TRUE(json.is_object());
    EXPECT_FALSE(json.is_object("l"));
    size_t n = 0;
    json.each("l", [&](const belfry_json_entry& entry) { n += json.at(entry.value).string("k") == "v" ? 10U : 1U; });
    EXPECT_EQ(n, 11U);
    json.each("n", [&](const belfry_json_entry&) { ADD_FAILURE(); });
}

TEST_F(SdkJson, WhatIsNoJsonIsEmptyOrRefused) {
    EXPECT_EQ(Json::of(services, "<html>").string("a"), "");
    EXPECT_FALSE(Json::of(services, "").is_object());
    EXPECT_THROW(Json::checked(services, "{"), Refused);
}

TEST_F(SdkJson, ObjectsAreEscaped) {
    EXPECT_EQ(JsonObject(services).text("a\"", "\n").number("n", -1).raw("r", "[]").str(),
              R"({"a\"":"\n","n":-1,"r":[]})");
    EXPECT_EQ(JsonObject(services).str(), "{}");
}

TEST_F(SdkJson, ACredentialThatCannotBeUsedIsAMistakeInTheConfiguration) {
    EXPECT_EQ(with_credential("key", "give another", [] { return 7; }), 7);
    const auto said = [](const std::string& advice) {
        try {
            with_credential("key", advice, [] { throw Refused(BELFRY_BAD_REQUEST, "pem", "no key"); });
        } catch (const Refused& refused) {
            EXPECT_EQ(refused.code(), BELFRY_CONFIG);
            return refused.where() + ": " + refused.what();
        }
        return std::string();
    };
    EXPECT_EQ(said("give another"), "key: no key; give another");
    EXPECT_EQ(said(""), "key: no key");
}

TEST_F(SdkJson, SettingsNameThePlaceOfWhatIsMissing) {
    const auto section = Settings::section(
        services, R"({"id":"x","empty":"","key":{"$secret":"s1"},"list":["a","b"],"keys":[{"$secret":"s2"}],"n":5})");
    EXPECT_EQ(section.text("id"), "x");
    EXPECT_EQ(section.text("empty", "default"), "default");
    EXPECT_EQ(section.secret_id("key"), "s1");
    EXPECT_EQ(section.secret_id("id"), "");
    EXPECT_EQ(section.texts("list"), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(section.secret_ids("keys"), std::vector<std::string>{"s2"});
    EXPECT_EQ(section.number("n", 1), 5);
    EXPECT_EQ(section.number("m", 1), 1);
    const auto where = [&](const auto& call) {
        try {
            call();
        } catch (const Refused& refused) {
            EXPECT_EQ(refused.code(), BELFRY_CONFIG);
            return refused.where() + ": " + refused.what();
        }
        return std::string("nothing");
    };
    EXPECT_EQ(where([&] { section.needed("team", "see there"); }), "team: missing: see there");
    EXPECT_EQ(where([&] { Settings::key_file(services, "PEM", "account", "make one"); }),
              "account: is not a JSON key file; make one");
    EXPECT_EQ(where([&] { Settings::key_file(services, "{}", "account", "").needed("id", "again"); }),
              "account.id: missing: again");
}

}  // namespace
}  // namespace belfry::fakes
