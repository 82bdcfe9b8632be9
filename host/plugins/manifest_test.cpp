// SPDX-License-Identifier: Apache-2.0
#include "plugins/manifest.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace belfry::plugins {
namespace {

// A manifest with one member replaced, or left out if the value is empty.
std::string with(const std::string& key, const std::string& value) {
    const std::vector<std::pair<std::string, std::string>> members = {
        {"belfry_plugin", "1"},
        {"id", "\"acme\""},
        {"version", "\"1.2.0\""},
        {"draft_revision", "1"},
        {"needs_minor", "0"},
        {"components", R"([{"name": "acme", "kind": "provider", "config_schema": {"type": "object"}}])"}};
    std::string text = "{";
    for (const auto& [name, good] : members) {
        const std::string& used = name == key ? value : good;
        if (!used.empty()) text += (text.size() > 1 ? ", " : "") + ("\"" + name + "\": " + used);
    }
    return text + "}";
}

std::string refused(const std::string& text) {
    const Result<Manifest> manifest = parse_manifest(text, "/p/acme.json");
    return manifest ? "accepted" : manifest.error().to_string();
}

TEST(Manifest, KeepsWhatItSays) {
    const Result<Manifest> manifest = parse_manifest(
        R"({"belfry_plugin": 1, "id": "acme", "version": "1.2.0", "licence": "MIT",
            "draft_revision": 1, "needs_minor": 0,
            "later": [1], "components": [
               {"name": "acme", "kind": "provider", "description": "d",
                "config_schema": {"type": "object", "required": ["a"]}},
               {"name": "acme-queue", "kind": "queue", "config_schema": {}}]})",
        "f");
    ASSERT_TRUE(manifest) << manifest.error().to_string();
    EXPECT_EQ(manifest->id, "acme");
    EXPECT_EQ(manifest->licence, "MIT");
    ASSERT_EQ(manifest->components.size(), 2u);
    ASSERT_NE(manifest->find("acme-queue"), nullptr);
    EXPECT_EQ(manifest->find("acme-queue")->kind, Kind::Queue);
    EXPECT_EQ(manifest->find("acme")->schema, R"({"type": "object", "required": ["a"]})");
    EXPECT_EQ(manifest->find("other"), nullptr);
}

TEST(Manifest, SaysWhichMemberIsWrongAndWhatToDo) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"{\"id\" 1}",
         "/p/acme.json: the manifest is not JSON: line 1, column 7 (byte 6): expected ':' after the key; correct it "
         "there"},
        {"[]", "/p/acme.json: the manifest is not a JSON object; write {\"belfry_plugin\": 1, ...}"},
        {with("belfry_plugin", "2"), "/p/acme.json: \"belfry_plugin\" is not 1; it names the format of the manifest"},
        {with("components", "[7]"),
         "/p/acme.json: component 1: it is not an object; write {\"name\": ..., \"kind\": ..., \"config_schema\": "
         "{...}}"},
        {with("id", ""), "/p/acme.json: the manifest has no \"id\"; add it; see docs/plugin-authors.md"},
        {with("id", "7"), "/p/acme.json: \"id\" of the manifest is not a text; write it as \"...\""},
        {with("id", "\"A b\""),
         "/p/acme.json: \"id\" is not 1 to 64 of a-z, 0-9, '.', '_' and '-'; name the plugin in it"},
        {with("version", "\"\""), "/p/acme.json: \"version\" is empty; write the plugin's version into it"},
        {with("draft_revision", "\"1\""),
         "/p/acme.json: \"draft_revision\" of the manifest is not a small number; write it without quotes or fraction"},
        {with("draft_revision", "900"),
         "/p/acme.json: built for draft revision 900 of the plugin ABI, this host speaks 1; rebuild the plugin with "
         "this host's "
         "headers"},
        {with("needs_minor", "7"),
         "/p/acme.json: needs plugin ABI 1.7, this host has 1.0; update Belfry or take an older version of the plugin"},
        {with("components", "[]"),
         "/p/acme.json: the manifest offers no component; add \"components\": [{\"name\": ..., \"kind\": ..., "
         "\"config_schema\": {...}}]"},
        {with("components", R"([{"name": "x", "kind": "sender", "config_schema": {}}])"),
         "/p/acme.json: component \"x\": kind \"sender\" is unknown; use storage, queue, provider or sink"},
        {with("components", R"([{"name": "x", "kind": "sink"}])"),
         "/p/acme.json: component \"x\": it has no \"config_schema\"; add the JSON Schema of its configuration, at "
         "least "
         "{\"type\": "
         "\"object\"}"},
        {with("components",
              R"([{"name": "x", "kind": "sink", "config_schema": {}},
                 {"name": "x", "kind": "sink", "config_schema": {}}])"),
         "/p/acme.json: component \"x\": it is there twice; remove one"}};
    EXPECT_EQ(refused(with("", "")), "accepted");
    for (const auto& [text, line] : cases) EXPECT_EQ(refused(text), line) << text;
}

TEST(Manifest, SurvivesNestingWithoutEnd) {
    EXPECT_NE(refused(std::string(500'000, '[')).find("not JSON"), std::string::npos);
}

}  // namespace
}  // namespace belfry::plugins
