// SPDX-License-Identifier: Apache-2.0
#include "plugins/schema.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace belfry::plugins {
namespace {

constexpr const char* kSchema = R"({
    "type": "object",
    "required": ["credentials"],
    "properties": {
        "credentials": {"type": "string", "format": "secret", "minLength": 3},
        "project_id": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8},
        "timeout_s": {"type": "integer", "minimum": 1, "maximum": 60, "description": "Seconds until it gives up"},
        "environment": {"enum": ["production", "sandbox", "both"]},
        "cache": {"type": "string", "format": "path"},
        "routes": {"type": "array", "items": {"$ref": "#/definitions/route"}}
    },
    "definitions": {
        "route": {"type": "object", "additionalProperties": false,
                  "properties": {"key": {"type": "string", "format": "secret"}, "weight": {"type": "integer"}}}
    }
})";

std::unique_ptr<const Schema> schema(const char* text = kSchema) {
    Result<std::unique_ptr<const Schema>> parsed = Schema::parse(text);
    EXPECT_TRUE(parsed) << parsed.error().to_string();
    return std::move(*parsed);
}

std::string finding(const std::string& section) {
    const Result<CheckedSection> checked = schema()->check(section, SecretStore(), "/etc/belfry");
    return checked ? "accepted" : checked.error().to_string();
}

TEST(Schema, NamesThePlaceAndWhatIsWrong) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {R"({"credentials": "abc", "timeout_s": 5})", "accepted"},
        {R"({"credentials": "abc", "timeout": 5})", "/timeout: is not a known key; did you mean \"timeout_s\"?"},
        {R"({"credentials": "abc", "zzz": 5})", "/zzz: is not a known key; remove it"},
        {R"({"timeout_s": 5})", "the key \"credentials\" is missing; add it"},
        {R"({"credentials": "abc", "timeout_s": "5"})",
         "/timeout_s: must be of type integer (Seconds until it gives up)"},
        {R"({"credentials": "abc", "timeout_s": 61})", "/timeout_s: must be at most 60 (Seconds until it gives up)"},
        {R"({"credentials": "abc", "timeout_s": 0})", "/timeout_s: must be at least 1 (Seconds until it gives up)"},
        {R"({"credentials": "ab"})", "/credentials: is shorter than 3 characters"},
        {R"({"credentials": "abc", "project_id": "abcdefghi"})", "/project_id: is longer than 8 characters"},
        {R"({"credentials": "abc", "environment": "prod"})",
         "/environment: must be one of \"production\", \"sandbox\", \"both\""},
        {R"({"credentials": "abc", "project_id": "A1"})", "/project_id: does not match the pattern \"^[a-z]+$\""},
        {R"({"credentials": "abc", "routes": [{"weight": 1}, {"wieght": 1}]})",
         "/routes/1/wieght: is not a known key; did you mean \"weight\"?"},
        {R"({"credentials": "abc", "routes": [{"weight": "x"}]})", "/routes/0/weight: must be of type integer"},
        {R"({"credentials": 7})", "/credentials: must be of type string"},
        {R"([])", "must be a table of keys and values"}};
    for (const auto& [section, expected] : cases) EXPECT_EQ(finding(section), expected) << section;
}

TEST(Schema, SaysWhatAMissingKeyIsFor) {
    const auto described = schema(R"({"type": "object", "required": ["subject"],
        "properties": {"subject": {"type": "string", "description": "Whom to ask: mailto:name@host"}}})");
    const Result<CheckedSection> checked = described->check("{}", SecretStore(), "/etc");
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().message, "the key \"subject\" is missing; add it (Whom to ask: mailto:name@host)");
}

TEST(Schema, NeverShowsASecretInItsFinding) {
    const std::string line = finding(R"({"credentials": "pw"})");
    EXPECT_EQ(line.rfind("/credentials: ", 0), 0u) << line;
    EXPECT_EQ(line.find("pw"), std::string::npos) << line;
}

TEST(Schema, ReplacesSecretsAndKeepsTheirValuesApart) {
    SecretStore given;
    given.add("providers.fcm.credentials", "from-config");
    const Result<CheckedSection> checked = schema()->check(
        R"({"credentials": {"$secret": "providers.fcm.credentials"}, "routes": [{"weight": 1}, {"key": "in-line"}]})",
        given, "/etc");
    ASSERT_TRUE(checked) << checked.error().to_string();
    EXPECT_EQ(*checked->secrets.read("providers.fcm.credentials"), "from-config");
    EXPECT_EQ(*checked->secrets.read("routes.1.key"), "in-line");
    EXPECT_EQ(checked->config.find("from-config"), std::string::npos);
    EXPECT_EQ(checked->config.find("in-line"), std::string::npos);
    EXPECT_EQ(json::find(checked->config, "credentials.$secret").raw, "\"providers.fcm.credentials\"");
    EXPECT_EQ(json::find(checked->config, "routes.1.key.$secret").raw, "\"routes.1.key\"");
}

TEST(Schema, ReadsSecretsFromFilesAndTheEnvironment) {
    const std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("belfry-schema-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "key.txt") << "filed\n";
    ::setenv("BELFRY_SCHEMA_TEST", "environmental", 1);
    const auto read = [&](const std::string& section) {
        const Result<CheckedSection> checked = schema()->check(section, SecretStore(), folder.string());
        return checked ? *checked->secrets.read("credentials") : checked.error().to_string();
    };
    EXPECT_EQ(read(R"({"credentials": {"file": "key.txt"}})"), "filed");
    EXPECT_EQ(read(R"({"credentials": {"env": "BELFRY_SCHEMA_TEST"}})"), "environmental");
    EXPECT_EQ(read(R"({"credentials": {"env": "BELFRY_NOT_SET"}})"),
              "/credentials: the environment variable BELFRY_NOT_SET is not set; set it or name another one");
    EXPECT_EQ(read(R"({"credentials": {"file": "no.txt"}})"),
              "/credentials: cannot read the secret's file " + (folder / "no.txt").string() +
                  " (No such file or directory); check path and permissions");
    ::unsetenv("BELFRY_SCHEMA_TEST");
    std::filesystem::remove_all(folder);
}

TEST(Schema, MakesPathsAbsoluteAndRevealsWhatIsNoSecret) {
    SecretStore given;
    given.add("id", "shop");
    const Result<CheckedSection> checked = schema()->check(
        R"({"credentials": "abc", "cache": "../var/fcm", "project_id": {"$secret": "id"}})", given, "/etc/belfry");
    ASSERT_TRUE(checked) << checked.error().to_string();
    EXPECT_EQ(json::find(checked->config, "cache").raw, "\"/etc/var/fcm\"");
    EXPECT_EQ(json::find(checked->config, "project_id").raw, "\"shop\"");
}

TEST(Schema, StartsPathsThatStandInNoFileAtTheirOwnFolder) {
    const std::string section = R"({"credentials": "abc", "cache": "./fcm"})";
    const Result<CheckedSection> loose =
        schema()->check(section, SecretStore(), "/etc/belfry", {{"/credentials", "/cache"}, "/home/me"});
    const Result<CheckedSection> other =
        schema()->check(section, SecretStore(), "/etc/belfry", {{"/cach", "/cache/0"}, "/home/me"});
    ASSERT_TRUE(loose && other);
    EXPECT_EQ(json::find(loose->config, "cache").raw, "\"/home/me/fcm\"");
    EXPECT_EQ(json::find(other->config, "cache").raw, "\"/etc/belfry/fcm\"");
}

TEST(Schema, TakesOpenSchemasAtTheirWord) {
    const auto open =
        schema(R"({"type": "object", "additionalProperties": true, "properties": {"a": {"type": "string"}}})");
    EXPECT_TRUE(open->check(R"({"b": 1})", SecretStore(), "/"));
}

TEST(Schema, MakesTheSmallestSectionForTheProbe) {
    EXPECT_EQ(json::find(schema()->smallest(), "credentials.$secret").raw, "\"credentials\"");
    EXPECT_EQ(schema(R"({"type": "object", "required": ["n", "u", "l"], "properties": {
                            "n": {"type": "integer", "minimum": 3}, "u": {"type": "string", "minLength": 7},
                            "l": {"type": "array", "minItems": 2, "items": {"enum": ["x"]}}}})")
                  ->smallest(),
              R"({"l":["x","x"],"n":3,"u":"xxxxxxx"})");
    EXPECT_EQ(schema(R"({"examples": [{"a": "y"}], "properties": {"a": {"type": "string"}}})")->smallest(),
              R"({"a":"y"})");
    EXPECT_EQ(
        schema(R"({"required": ["a"], "properties": {"a": {"type": "string", "pattern": "^[0-9]{40}$"}}})")->smallest(),
        "")
        << "what it cannot guess it must say";
}

TEST(Schema, RefusesWhatIsNoSchema) {
    EXPECT_EQ(Schema::parse("{").error().message.rfind("is not JSON: ", 0), 0u);
    const Result<std::unique_ptr<const Schema>> broken = Schema::parse(R"({"type": 7})");
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().message.rfind("cannot be used: ", 0), 0u) << broken.error().message;
}

TEST(Schema, SurvivesReferencesInACircle) {
    const auto circle = schema(R"({"type": "object", "properties": {"a": {"$ref": "#/definitions/d"}},
                                   "definitions": {"d": {"type": "object",
                                                         "properties": {"a": {"$ref": "#/definitions/d"}}}}})");
    EXPECT_TRUE(circle->check(R"({"a": {"a": {"a": {}}}})", SecretStore(), "/"));
}

TEST(Nearest, FindsTypingErrorsOnly) {
    EXPECT_EQ(nearest("timout", {"time", "timeout", "token"}), "timeout");
    EXPECT_EQ(nearest("dns", {"dsn", "address"}), "dsn");
    EXPECT_EQ(nearest("colour", {"timeout", "token"}), "");
}

// What a hostile manifest may hold: each would otherwise take all stack or all time.
TEST(Schema, OneThatNeverEndsIsRefused) {
    for (const char* text :
         {R"({"$ref": "#"})",
          R"({"allOf": [{"$ref": "#/definitions/a"}], "definitions": {"a": {"not": {"$ref": "#"}}}})",
          R"({"properties": {"x": {"anyOf": [{"$ref": "#/properties/x"}]}}})"}) {
        const auto parsed = Schema::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().message, "cannot be used: a part of it refers to itself without an end");
    }
}

TEST(Schema, OneThatDescribesATreeIsNotRefused) {
    const auto tree = schema(R"({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "required": []})");
    EXPECT_TRUE(tree->check(R"({"left": {"left": {}}, "right": {}})", SecretStore(), "/"));
}

TEST(Schema, ReferencesStayInsideTheDocument) {
    EXPECT_EQ(Schema::parse(R"({"$ref": "other.json#/x"})").error().message,
              "cannot be used: \"$ref\": \"other.json#/x\" does not begin with #/");
    EXPECT_EQ(Schema::parse(R"({"properties": {"a": {"$ref": "#/definitions/b"}}})").error().message,
              "cannot be used: \"$ref\": \"#/definitions/b\" leads nowhere");
}

TEST(Schema, WhatGrowsWithoutBoundIsGivenUp) {
    const auto doubling = schema(R"({"required": ["a", "b"], "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}})");
    EXPECT_EQ(doubling->smallest(), "");
}

TEST(Schema, LongTextsMeetNoPattern) {
    const std::string text(5000, 'a');
    EXPECT_EQ(finding(R"({"credentials": "abc", "project_id": ")" + text + "\"}"),
              "/project_id: is too long: where the schema has a pattern, 4096 bytes are the most");
}

}  // namespace
}  // namespace belfry::plugins
