// SPDX-License-Identifier: Apache-2.0
#include "check/subject.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "plugins/component.h"
#include "plugins/refusal.h"

namespace belfry::kit {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// The names under which cases of backups look for the file.
constexpr const char* kStorageConfig = R"({"path":"{dir}/storage.db"})";
constexpr const char* kFileConfig = R"({"path":"{dir}/queue.db"})";

Result<std::string> content_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return error(ErrorCode::NotFound, "cannot be read; check the name", file);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string replaced(std::string text, std::string_view what, const std::string& by) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
    return text;
}

// What a store beyond the file system can be called: letters, digits and underscores.
std::string name_of(const std::string& directory) {
    std::string name = fs::path(directory).filename().string();
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

void collect_secrets(const Json& value, const plugins::SecretStore& store, conformance::Secrets& secrets) {
    if (value.is_object() && value.size() == 1 && value.contains("$secret") && value["$secret"].is_string()) {
        const auto& id = value["$secret"].get_ref<const std::string&>();
        if (const Result<std::string> text = store.read(id)) secrets[id] = *text;
        return;
    }
    if (!value.is_structured()) return;
    for (const Json& member : value) collect_secrets(member, store, secrets);
}

std::string required_keys(const plugins::Component& component) {
    const Json schema = Json::parse(component.schema, nullptr, false);
    std::string keys;
    if (!schema.is_object() || !schema.contains("required") || !schema["required"].is_array()) return keys;
    for (const Json& key : schema["required"]) {
        if (key.is_string()) keys += (keys.empty() ? "" : ", ") + key.get<std::string>();
    }
    return keys;
}

}  // namespace

std::string manifest_beside(const std::string& file) {
    return fs::path(file).replace_extension(".json").string();
}

Result<Subject> read_subject(const std::string& file) {
    Subject subject;
    subject.file = fs::absolute(file).lexically_normal().string();
    subject.manifest_file = manifest_beside(subject.file);
    Result<std::string> text = content_of(subject.manifest_file);
    if (!text)
        return plugins::refusal(subject.file, "it has no manifest " + subject.manifest_file,
                                "write one, see docs/plugin-authors.md");
    Result<plugins::Manifest> manifest = plugins::parse_manifest(*text, subject.manifest_file);
    if (!manifest) return manifest.error();
    subject.manifest = std::move(*manifest);
    for (const plugins::Component& component : subject.manifest.components) {
        Result<std::unique_ptr<const plugins::Schema>> schema = plugins::Schema::parse(component.schema);
        if (!schema)
            return plugins::refusal(subject.manifest_file,
                                    "component \"" + component.name + "\": its config_schema " + schema.error().message,
                                    "correct the schema");
        subject.schemas[component.name] = std::move(*schema);
    }
    return subject;
}

Result<std::string> read_config(const std::string& given) {
    const size_t first = given.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || given[first] == '{') return given;
    return content_of(given);
}

Result<std::string> default_config(const Subject& subject, const plugins::Component& component) {
    const plugins::Schema& schema = *subject.schemas.find(component.name)->second;
    for (const char* config : {component.kind == plugins::Kind::Storage ? kStorageConfig : kFileConfig, "{}"}) {
        if (schema.check(config, {}, "/nonexistent")) return std::string(config);
    }
    const std::string keys = required_keys(component);
    return error(ErrorCode::InvalidArgument, "component \"" + component.name +
                                                 "\" cannot be checked without its configuration" +
                                                 (keys.empty() ? std::string() : ": its schema requires " + keys) +
                                                 "; give it with --config '{...}' or --config FILE");
}

Result<Section> section_for(const Subject& subject, const plugins::Component& component, const std::string& config,
                            const std::string& directory) {
    std::string text = replaced(replaced(config, "{dir}", directory), "{name}", name_of(directory));
    plugins::HostSettings settings;
    if (const Status split = plugins::split_host_keys(component.kind, directory, text, settings); !split)
        return split.error();
    const plugins::Schema& schema = *subject.schemas.find(component.name)->second;
    const Result<plugins::CheckedSection> checked = schema.check(text, {}, directory);
    if (!checked) return checked.error();
    Section section{checked->config, {}};
    collect_secrets(Json::parse(checked->config, nullptr, false), checked->secrets, section.secrets);
    return section;
}

}  // namespace belfry::kit
