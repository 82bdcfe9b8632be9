// SPDX-License-Identifier: Apache-2.0
// base/json against nlohmann: both agree on what is valid, and readers find in the text what the tree holds. Text that
// is not valid must still be read within its bounds (AddressSanitizer watches).
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.h"
#include "fuzz/fuzz.h"

namespace {

using belfry::fuzz::require;
namespace json = belfry::json;

// Every string of the value survives unescape and escape; returns how many values there are.
size_t walk(const json::Value& value, size_t depth, bool valid) {
    if (depth > json::kDepthMax) return 0;
    size_t n = 1;
    for (const json::Entry& entry : json::Entries(value)) {
        if (valid && entry.key) require(json::equals(entry.key, json::unescape(entry.key)));
        n += walk(entry.value, depth + 1, valid);
    }
    const std::string meaning = json::unescape(value);
    if (valid && value.is(json::Type::String)) {
        const std::string again = '"' + json::escape(meaning) + '"';
        require(static_cast<bool>(json::check(again)));
        require(json::unescape(json::root(again)) == meaning);
    }
    return n;
}

size_t values_of(const nlohmann::json& tree) {
    size_t n = 1;
    for (const auto& child : tree) n += tree.is_structured() ? values_of(child) : 0;
    return n;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text = belfry::fuzz::text_of(data, size);
    const json::Check result = json::check(text);
    require(result.at <= size);
    const size_t n = walk(json::root(text), 0, static_cast<bool>(result));
    require(json::find(text, "a.0.b").raw.size() <= size);
    require(static_cast<bool>(json::check('"' + json::escape(text) + '"')));
    // nlohmann skips a byte order mark, ends at NUL, and refuses numbers beyond a double and nothing for depth.
    if (text.find('\0') != std::string_view::npos || text.substr(0, 1) == "\xEF") return 0;
    const nlohmann::json tree = nlohmann::json::parse(text, nullptr, false);
    if (!tree.is_discarded()) {
        require(result || std::string_view(result.fault).find("too deeply") != std::string_view::npos);
        if (result) require(n >= values_of(tree));  // duplicates are shown, the tree keeps the last
    } else if (result) {
        require(text.find_first_of("eE") != std::string_view::npos || size > 300);  // only an overflow may explain it
    }
    return 0;
}
