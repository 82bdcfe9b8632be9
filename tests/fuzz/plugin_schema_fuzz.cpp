// SPDX-License-Identifier: Apache-2.0
// A plugin's JSON Schema and, behind a line "---", a section to be checked by it. Neither may take the host along: what
// passes is an object that passes again, and everything else is one line.
#include <string>

#include "base/json.h"
#include "fuzz/fuzz.h"
#include "plugins/schema.h"

namespace {

using belfry::fuzz::require;

// Real secrets of a machine are no input of a test.
bool reads_files(std::string_view text) {
    return text.find("file") != std::string_view::npos || text.find('\\') != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    belfry::fuzz::Input input(data, size);
    const std::string_view schema = input.until("\n---\n"), section = input.rest();
    if (reads_files(schema) || reads_files(section)) return 0;
    const auto parsed = belfry::plugins::Schema::parse(schema);
    if (!parsed) {
        require(!parsed.error().message.empty());
        return 0;
    }
    belfry::plugins::SecretStore secrets;
    secrets.add("s", "a secret value");
    const auto checked = (*parsed)->check(section, secrets, "/nowhere");
    if (checked) {
        require(belfry::json::root(checked->config).is(belfry::json::Type::Object));
        require(static_cast<bool>((*parsed)->check(checked->config, checked->secrets, "/nowhere")));
    } else {
        require(checked.error().to_string().find("a secret value") == std::string::npos);
    }
    const std::string smallest = (*parsed)->smallest();
    require(smallest.empty() || static_cast<bool>(belfry::json::check(smallest)));
    return 0;
}
