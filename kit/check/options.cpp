// SPDX-License-Identifier: Apache-2.0
#include "check/options.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <functional>

namespace belfry::kit {

namespace {

constexpr uint32_t kScaleMax = 1000;
constexpr uint64_t kSeedsMax = 1'000'000;

std::vector<std::string> split_at_commas(const std::string& text) {
    std::vector<std::string> parts;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        if (end > at) parts.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

bool read_number(const std::string& text, uint64_t min, uint64_t max, uint64_t& number) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
    return failed == std::errc() && end == text.data() + text.size() && number >= min && number <= max;
}

struct Word {
    std::string_view name, value, help;
    std::function<bool(Options&, const std::string&)> take;  // false: not a value
};

void append(std::vector<std::string>& to, std::vector<std::string> more) {
    to.insert(to.end(), more.begin(), more.end());
}

std::vector<Word> words() {
    return {
        {"--config", "JSON|FILE", "the section that the plugin is configured with",
         [](Options& o, const std::string& v) { return o.config = v, true; }},
        {"--component", "NAME", "only this component of the plugin",
         [](Options& o, const std::string& v) { return o.component = v, true; }},
        {"--case", "NAME", "only these cases; * and ? stand for anything; many",
         [](Options& o, const std::string& v) { return append(o.cases, split_at_commas(v)), true; }},
        {"--token", "TEXT", "a device token that the provider accepts; many",
         [](Options& o, const std::string& v) { return o.tokens.push_back(v), true; }},
        {"--payload", "JSON", "a payload that the provider accepts; many",
         [](Options& o, const std::string& v) { return o.payloads.push_back(v), true; }},
        {"--seed", "N", "repeats the random choices of an earlier run",
         [](Options& o, const std::string& v) { return read_number(v, 0, UINT64_MAX, o.seed); }},
        {"--scale", "N", "how many times more each case does; time-outs grow with it",
         [](Options& o, const std::string& v) {
             uint64_t scale = 0;
             if (!read_number(v, 1, kScaleMax, scale)) return false;
             o.scale = static_cast<uint32_t>(scale);
             return true;
         }},
        {"--trace", "", "print every call through the ABI on standard error",
         [](Options& o, const std::string&) { return o.trace = true; }},
        {"--json", "", "print the report as JSON", [](Options& o, const std::string&) { return o.json = true; }},
        {"--junit", "FILE", "write the report as JUnit XML, too",
         [](Options& o, const std::string& v) { return o.junit = v, !v.empty(); }},
        {"--list", "", "print the cases and what each means; without a file those of every kind",
         [](Options& o, const std::string&) { return o.list = true; }},
        {"--keep", "", "leave each case's folder where it is",
         [](Options& o, const std::string&) { return o.keep = true; }},
        {"--expect-fail", "NAMES", "succeed if exactly these cases fail; \"none\" if all shall pass",
         [](Options& o, const std::string& v) {
             const std::vector<std::string> names = split_at_commas(v);
             o.expect_fail.emplace(names.begin(), names.end()).erase("none");
             return true;
         }},
        {"--present", "NAMES", "libraries that the host has loaded",
         [](Options& o, const std::string& v) { return append(o.present, split_at_commas(v)), true; }},
    };
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    options.seed =
        static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()) / 1000 % kSeedsMax;
    const std::vector<Word> known = words();
    for (int i = 1; i < argc && options.error.empty(); ++i) {
        const std::string word = argv[i];
        const size_t equals = word.rfind("--", 0) == 0 ? std::min(word.find('='), word.size()) : word.size();
        const std::string name = word.substr(0, equals);
        const auto found = std::find_if(known.begin(), known.end(), [&](const Word& w) { return w.name == name; });
        if (found != known.end()) {
            const bool inlined = equals < word.size();
            std::string value = inlined ? word.substr(equals + 1) : std::string();
            if (found->value.empty() && inlined) options.error = name + " takes no value";
            if (!found->value.empty() && !inlined) {
                if (i + 1 == argc) {
                    options.error = name + " needs a value, " + std::string(found->value);
                    break;
                }
                value = argv[++i];
            }
            if (options.error.empty() && !found->take(options, value))
                options.error = name + " does not take \"" + value + "\"";
        } else if (word.rfind("--", 0) == 0) {
            options.error = "unknown option " + name;
        } else if (options.file.empty()) {
            options.file = word;
        } else {
            options.error = "only one plugin can be checked at a time";
        }
    }
    if (options.error.empty() && options.file.empty() && !options.list) options.error = "name the plugin's .so";
    return options;
}

bool matches(std::string_view pattern, std::string_view name) noexcept {
    size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
    while (n < name.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
            ++p, ++n;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = n;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

bool is_wanted(const Options& options, std::string_view name) {
    return options.cases.empty() || std::any_of(options.cases.begin(), options.cases.end(),
                                                [&](const std::string& one) { return matches(one, name); });
}

std::string usage() {
    std::string text = "usage: belfry-plugin-check PLUGIN.so";
    for (const Word& word : words()) {
        text += " [" + std::string(word.name) + (word.value.empty() ? "" : " " + std::string(word.value)) + "]";
    }
    return text;
}

}  // namespace belfry::kit
