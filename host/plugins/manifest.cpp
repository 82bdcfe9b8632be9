// SPDX-License-Identifier: Apache-2.0
#include "plugins/manifest.h"

#include <belfry/plugin.h>
#include <belfry/provider.h>
#include <belfry/queue.h>
#include <belfry/sink.h>
#include <belfry/storage.h>

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "plugins/refusal.h"

namespace belfry::plugins {

namespace {

constexpr uint32_t kFormat = 1;
constexpr size_t kNameBytesMax = 64;
constexpr size_t kVersionBytesMax = 64;

struct KindRow {
    Kind kind;
    std::string_view name, interface_id;
};
constexpr KindRow kKinds[] = {
    {Kind::Storage, "storage", BELFRY_STORAGE_ID},
    {Kind::Queue, "queue", BELFRY_QUEUE_ID},
    {Kind::Provider, "provider", BELFRY_PROVIDER_ID},
    {Kind::Sink, "sink", BELFRY_SINK_ID},
};

bool is_name(std::string_view name) noexcept {
    return !name.empty() && name.size() <= kNameBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    });
}

bool is_sha256(std::string_view text) noexcept {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// One manifest while it is read; the first finding stays.
class Reader {
public:
    Reader(const json::Value& root, const std::string& file) : root_(root), file_(file) {}

    Result<Manifest> read() {
        Manifest manifest;
        if (number("belfry_plugin") != kFormat)
            complain("\"belfry_plugin\" is not " + std::to_string(kFormat), "it names the format of the manifest");
        manifest.id = text(root_, "id", "", kNameBytesMax, true);
        if (!is_name(manifest.id))
            complain("\"id\" is not 1 to 64 of a-z, 0-9, '.', '_' and '-'", "name the plugin in it");
        manifest.version = text(root_, "version", "", kVersionBytesMax, true);
        if (manifest.version.empty()) complain("\"version\" is empty", "write the plugin's version into it");
        manifest.description = text(root_, "description", "", kManifestBytesMax, false);
        manifest.licence = text(root_, "licence", "", kManifestBytesMax, false);
        manifest.sha256 = text(root_, "sha256", "", kManifestBytesMax, false);
        if (!manifest.sha256.empty() && !is_sha256(manifest.sha256))
            complain("\"sha256\" is not 64 lower-case hexadecimal digits", "write the sum of the .so or leave it out");
        manifest.draft_revision = number("draft_revision");
        manifest.needs_minor = number("needs_minor");
        check_versions(manifest);
        read_components(manifest);
        if (finding_) return *finding_;
        return manifest;
    }

private:
    void complain(const std::string& reason, const std::string& remedy) {
        if (!finding_) finding_ = refusal(file_, reason, remedy);
    }

    std::string text(const json::Value& object, const char* key, const std::string& place, size_t bytes_max,
                     bool required) {
        const json::Value member = json::member(object, key);
        const std::string name = place + "\"" + key + "\"";
        if (!member) {
            if (required) complain("the manifest has no " + name, "add it; see docs/plugin-authors.md");
            return {};
        }
        if (!member.is(json::Type::String)) {
            complain(name + " of the manifest is not a text", "write it as \"...\"");
            return {};
        }
        std::string value = json::unescape(member);
        if (value.size() > bytes_max)
            complain(name + " of the manifest is too long", "at most " + std::to_string(bytes_max) + " bytes");
        return value;
    }

    uint32_t number(const char* key) {
        const json::Value member = json::member(root_, key);
        const std::string name = std::string("\"") + key + "\"";
        if (!member) {
            complain("the manifest has no " + name, "add it; see docs/plugin-authors.md");
            return 0;
        }
        const std::optional<int64_t> value = json::to_int64(member);
        if (!value || *value < 0 || *value > UINT32_MAX) {
            complain(name + " of the manifest is not a small number", "write it without quotes or fraction");
            return 0;
        }
        return static_cast<uint32_t>(*value);
    }

    void check_versions(const Manifest& manifest) {
        if (manifest.draft_revision != BELFRY_DRAFT_REVISION) {
            complain("built for draft revision " + std::to_string(manifest.draft_revision) +
                         " of the plugin ABI, this host speaks " + std::to_string(BELFRY_DRAFT_REVISION),
                     "rebuild the plugin with this host's headers");
        }
        if (manifest.needs_minor > BELFRY_ABI_MINOR) {
            complain("needs plugin ABI 1." + std::to_string(manifest.needs_minor) + ", this host has 1." +
                         std::to_string(BELFRY_ABI_MINOR),
                     "update Belfry or take an older version of the plugin");
        }
    }

    void read_components(Manifest& manifest) {
        const json::Value components = json::member(root_, "components");
        const size_t n = json::count(components);
        if (!components.is(json::Type::Array) || n == 0) {
            return complain("the manifest offers no component",
                            "add \"components\": [{\"name\": ..., \"kind\": ..., \"config_schema\": {...}}]");
        }
        if (n > kComponentsMax) return complain("the manifest offers too many components", "at most 16");
        for (const json::Entry& entry : json::Entries(components)) read_component(manifest, entry.value);
    }

    void read_component(Manifest& manifest, const json::Value& value) {
        std::string place = "component " + std::to_string(manifest.components.size() + 1) + ": ";
        if (!value.is(json::Type::Object))
            return complain(place + "it is not an object",
                            "write {\"name\": ..., \"kind\": ..., \"config_schema\": {...}}");
        const std::string name = text(value, "name", place, kNameBytesMax, true);
        place = "component \"" + name + "\": ";
        if (!is_name(name))
            return complain(place + "its name is not 1 to 64 of a-z, 0-9, '.', '_' and '-'", "rename it");
        if (manifest.find(name) != nullptr) return complain(place + "it is there twice", "remove one");
        const std::string kind = text(value, "kind", place, kNameBytesMax, true);
        const auto* row =
            std::find_if(std::begin(kKinds), std::end(kKinds), [&](const KindRow& k) { return k.name == kind; });
        if (row == std::end(kKinds))
            return complain(place + "kind \"" + kind + "\" is unknown", "use storage, queue, provider or sink");
        const json::Value schema = json::member(value, "config_schema");
        if (!schema.is(json::Type::Object)) {
            return complain(place + "it has no \"config_schema\"",
                            "add the JSON Schema of its configuration, at least {\"type\": \"object\"}");
        }
        manifest.components.push_back(
            {name, row->kind, text(value, "description", place, kManifestBytesMax, false), std::string(schema.raw)});
    }

    const json::Value root_;
    const std::string& file_;
    std::optional<Error> finding_;
};

}  // namespace

std::string_view name_of(Kind kind) noexcept {
    for (const KindRow& row : kKinds) {
        if (row.kind == kind) return row.name;
    }
    return "unknown";
}

std::string_view interface_id(Kind kind) noexcept {
    for (const KindRow& row : kKinds) {
        if (row.kind == kind) return row.interface_id;
    }
    return {};
}

const Component* Manifest::find(std::string_view name) const noexcept {
    const auto it =
        std::find_if(components.begin(), components.end(), [&](const Component& c) { return c.name == name; });
    return it == components.end() ? nullptr : &*it;
}

Result<Manifest> parse_manifest(std::string_view text, const std::string& file) {
    if (const json::Check check = json::check(text); !check)
        return refusal(file, "the manifest is not JSON: " + json::describe(text, check), "correct it there");
    const json::Value root = json::root(text);
    if (!root.is(json::Type::Object))
        return refusal(file, "the manifest is not a JSON object", "write {\"belfry_plugin\": 1, ...}");
    return Reader(root, file).read();
}

}  // namespace belfry::plugins
