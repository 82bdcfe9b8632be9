// SPDX-License-Identifier: Apache-2.0
// What the host looks at before it runs any code of a plugin: its files.
#include <algorithm>
#include <array>
#include <filesystem>

#include "check/catalogue.h"
#include "check/subject.h"
#include "plugins/elf_file.h"
#include "plugins/loader.h"
#include "plugins/trusted_file.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Context;
using conformance::Failed;

// Where a plugin is built others of the same group may write; the host itself is stricter unless it runs with dev.
constexpr plugins::TrustRules kRules{true};

plugins::TrustedFile trusted(Context& context, const std::string& file, size_t bytes_max) {
    Result<plugins::TrustedFile> read = plugins::read_trusted(file, bytes_max, kRules);
    if (!read) throw Failed(read.error().to_string());
    for (const std::string& warning : read->warnings) context.note(warning);
    return std::move(*read);
}

plugins::TrustedFile object_of(Context& context) {
    return trusted(context, context.plugin, plugins::kPluginBytesMax);
}

Subject subject_of(const Context& context) {
    Result<Subject> subject = read_subject(context.plugin);
    if (!subject) throw Failed(subject.error().to_string());
    return std::move(*subject);
}

void files(Context& context) {
    object_of(context);
    trusted(context, manifest_beside(context.plugin), plugins::kManifestBytesMax);
}

void manifest(Context& context) {
    const Subject subject = subject_of(context);
    conformance::require(!subject.manifest.components.empty(), "the manifest has a component");
    if (subject.manifest.licence.empty()) context.note("the manifest names no licence");
    const std::string stem = std::filesystem::path(context.plugin).stem().string();
    const auto named_so = [&](const plugins::Component& one) { return one.name == stem; };
    if (std::none_of(subject.manifest.components.begin(), subject.manifest.components.end(), named_so))
        context.note("no component is called " + stem +
                     " like the file; where there are several of a kind, users "
                     "must write plugin = \"" +
                     stem + "/<component>\"");
}

void schema(Context& context) {
    const Subject subject = subject_of(context);
    for (const plugins::Component& component : subject.manifest.components) {
        if (subject.schemas.find(component.name)->second->smallest().empty())
            throw Failed("component \"" + component.name +
                         "\": the host's probe cannot guess a section that the schema accepts; add an example "
                         "(\"examples\": [{...}]) that it accepts");
    }
}

plugins::ElfFacts facts_of(Context& context) {
    const plugins::TrustedFile object = object_of(context);
    const Result<plugins::ElfFacts> facts = plugins::read_elf(object.bytes, context.plugin);
    if (!facts) throw Failed(facts.error().to_string());
    return *facts;
}

void object(Context& context) {
    facts_of(context);
}

void libraries(Context& context) {
    const plugins::ElfFacts facts = facts_of(context);
    std::vector<std::string> present = plugins::loaded_libraries();
    present.insert(present.end(), context.present.begin(), context.present.end());
    if (const Status checked = plugins::check_needed(facts, present, context.plugin); !checked)
        throw Failed(checked.error().to_string());
    std::vector<std::string> warnings;
    for (const std::string& folder : facts.runpath) {
        if (const Status checked = plugins::check_trusted_folder(context.plugin, folder, kRules, warnings); !checked)
            throw Failed(checked.error().to_string());
    }
    for (const std::string& warning : warnings) context.note(warning);
}

void sum(Context& context) {
    const Subject subject = subject_of(context);
    if (subject.manifest.sha256.empty()) conformance::skip("the manifest states no sha256");
    const plugins::TrustedFile object = object_of(context);
    conformance::require_equal(plugins::sha256_hex(object.bytes.data(), object.bytes.size()), subject.manifest.sha256,
                               "sha256 of the file and in the manifest");
}

constexpr std::array<Case, 6> kCases{{
    {"static.files", "the plugin and its manifest are files that nobody else can change", 10, files},
    {"static.manifest", "the manifest can be read and says what the plugin offers", 10, manifest},
    {"static.schema", "each component's schema can be used and accepts an example section", 10, schema},
    {"static.object", "the object is for this machine, exports its entry only and asks for nothing unsafe", 10, object},
    {"static.libraries", "it needs no library in another version than the host's", 10, libraries},
    {"static.sum", "the sum that the manifest states is the file's", 10, sum},
}};

}  // namespace

std::vector<Case> static_cases() {
    return {kCases.begin(), kCases.end()};
}

}  // namespace belfry::kit
