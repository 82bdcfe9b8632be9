// SPDX-License-Identifier: Apache-2.0
// Runs one case in a child process of its own, with a time-out: what crashes, hangs or leaks fails alone, and nothing
// of a plugin is ever loaded in the parent.
//
// Threads: the caller has one. Whatever a case leaves behind in its process group is killed with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "conformance/runner/runner.h"

namespace belfry::conformance {

enum class Verdict : uint8_t { Passed, Failed, Skipped };
const char* word_of(Verdict verdict) noexcept;

struct Answer {
    Verdict verdict = Verdict::Failed;
    std::string text;                // why not, in one line
    std::vector<std::string> notes;  // worth knowing, no reason to fail
    double seconds = 0;
};

Answer run_in_process(const Case& one, Context& context, std::chrono::seconds timeout);

// Fresh and private, in the folder for temporary files. Throws std::runtime_error.
std::string fresh_directory();

}  // namespace belfry::conformance
