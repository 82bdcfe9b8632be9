// SPDX-License-Identifier: Apache-2.0
// What the loader reads of a plugin before any of its code runs: the shared object's bytes, and the manifest's text.
// Neither may be read beyond its end, and a refusal is one line.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fuzz/fuzz.h"
#include "plugins/elf_file.h"
#include "plugins/manifest.h"

namespace {

using belfry::fuzz::require;

void require_one_line(const belfry::Error& error) {
    const std::string line = error.to_string();
    require(line.rfind("f: ", 0) == 0 && line.find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string file = "f";
    const auto facts = belfry::plugins::read_elf(std::as_bytes(std::span(data, size)), file);
    if (facts) {
        static_cast<void>(belfry::plugins::check_needed(*facts, std::span<const std::string>(&file, 1), file));
    } else {
        require_one_line(facts.error());
    }
    const std::string_view text = belfry::fuzz::text_of(data, size);
    const auto manifest = belfry::plugins::parse_manifest(text, file);
    if (manifest) {
        require(!manifest->components.empty() && manifest->find(manifest->components.front().name) != nullptr);
    } else {
        require_one_line(manifest.error());
    }
    return 0;
}
