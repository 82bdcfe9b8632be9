// SPDX-License-Identifier: Apache-2.0
// A component's JSON Schema (draft 7) and what the host does with it: checks sections, finds secrets and paths, makes
// the smallest valid section for the probe. The only place that knows valijson.
//
// Threads: [control]; a Schema is immutable. Not here: where sections come from.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/secrets.h"

namespace belfry::plugins {

// A section as the plugin gets it: paths absolute, secrets replaced by {"$secret": id}.
struct CheckedSection {
    std::string config;  // JSON text
    SecretStore secrets;
    std::vector<std::string> paths;  // those in it
};

// Values that do not stand in the configuration's file, as JSON pointers, and the folder where their paths start.
struct LoosePaths {
    std::vector<std::string> pointers;
    std::string folder;
};

class Schema {
public:
    // The error says what about the schema cannot be used.
    static Result<std::unique_ptr<const Schema>> parse(std::string_view text);
    ~Schema();
    Schema(const Schema&) = delete;
    Schema& operator=(const Schema&) = delete;

    // Checks a section, a JSON object in which {"$secret": id} refers to `given`. Fields with "format": "secret" may be
    // texts, {"file": name} or {"env": name}, too. Relative paths and files start at `folder`, unless they are loose.
    // Misconfigured: `where` is the JSON pointer of the offending value, the message never shows a value.
    Result<CheckedSection> check(std::string_view section, const SecretStore& given, const std::string& folder,
                                 const LoosePaths& loose = {}) const;

    // The schema's first example, else the least that its required members ask for; empty if that does not pass check()
    // itself.
    std::string smallest() const;

private:
    struct Impl;
    explicit Schema(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// The word among `known` that is likely meant by `word`; empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace belfry::plugins
