// SPDX-License-Identifier: Apache-2.0
// The plugin that is checked, as its files say it is, and the configuration that its components are checked with.
// Nothing here runs any of its code. Threads: one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "conformance/runner/runner.h"
#include "plugins/manifest.h"
#include "plugins/schema.h"

namespace belfry::kit {

struct Subject {
    std::string file;           // of the .so, absolute
    std::string manifest_file;  // beside it
    plugins::Manifest manifest;
    std::map<std::string, std::unique_ptr<const plugins::Schema>, std::less<>> schemas;  // by component
};

std::string manifest_beside(const std::string& file);

// Errors are lines that begin with the file they are about.
Result<Subject> read_subject(const std::string& file);

// The text of --config: JSON as it stands, or the content of the file it names. Empty stays empty.
Result<std::string> read_config(const std::string& given);

// What `component` is configured with when nothing is said: what needs no word, or a file in the case's folder.
// The error says which keys must be given.
Result<std::string> default_config(const Subject& subject, const plugins::Component& component);

// The section as the plugin gets it, with "{dir}" and "{name}" replaced, and the secrets that were in it.
struct Section {
    std::string config;
    conformance::Secrets secrets;
};
Result<Section> section_for(const Subject& subject, const plugins::Component& component, const std::string& config,
                            const std::string& directory);

}  // namespace belfry::kit
