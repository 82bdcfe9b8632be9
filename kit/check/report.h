// SPDX-License-Identifier: Apache-2.0
// What a check found, as lines for people, as JSON and as JUnit XML.
// Threads: one.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "conformance/runner/process.h"

namespace belfry::kit {

enum class Level : uint8_t { Static, Contract, Conformance };
const char* name_of(Level level) noexcept;

struct Outcome {
    Level level = Level::Static;
    std::string component;  // empty: of the file
    std::string name, sentence;
    conformance::Answer answer;
    std::string again;  // the command that runs this case once more
};

struct Report {
    std::string file, id, version;
    uint64_t seed = 0;
    std::vector<Outcome> outcomes;
    std::string ended_early;  // why not all that was wanted has run
    double seconds = 0;

    size_t count(conformance::Verdict verdict) const;
    std::vector<std::string> failed() const;  // names, sorted, each once
};

std::string line_of(const Outcome& outcome);
// "static 6 passed; contract 14 passed, 1 failed; ... in 2.1 s, seed 7"
std::string sum_of(const Report& report);
std::string json_of(const Report& report);
std::string junit_of(const Report& report);

}  // namespace belfry::kit
