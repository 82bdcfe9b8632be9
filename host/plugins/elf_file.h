// SPDX-License-Identifier: Apache-2.0
// Reads a shared object's bytes without executing or mapping them, and says whether it has the shape of a plugin.
//
// Every offset is checked against the file: the bytes may come from anywhere. Threads: [any], no state.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace belfry::plugins {

// What matters about a file that passed.
struct ElfFacts {
    std::string soname;
    std::vector<std::string> needed;   // DT_NEEDED
    std::vector<std::string> runpath;  // entries of RUNPATH and RPATH
};

// The error is one line that begins with `file`. Refused: anything but a shared object for this machine that exports
// exactly belfry_plugin_main_draft, with an executable stack, text relocations or a relative RUNPATH.
Result<ElfFacts> read_elf(std::span<const std::byte> bytes, const std::string& file);

// "libssl" of "libssl.so.1.1" and of the bundled spelling "libssl-0e1f2a3b.so.3".
std::string_view library_stem(std::string_view soname) noexcept;

// A library that is wanted in another version than the one among `present` (sonames): two of them in one process would
// mix their symbols. Empty error text if there is none.
Status check_needed(const ElfFacts& facts, std::span<const std::string> present, const std::string& file);

// Sonames of what this process has loaded.
std::vector<std::string> loaded_libraries();

}  // namespace belfry::plugins
