// SPDX-License-Identifier: Apache-2.0
#include "check/report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace belfry::kit {

using conformance::Verdict;

namespace {

constexpr std::array<Level, 3> kLevels{Level::Static, Level::Contract, Level::Conformance};

std::string seconds_text(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f s", seconds);
    return text;
}

size_t count(const Report& report, Level level, Verdict verdict) {
    return static_cast<size_t>(std::count_if(report.outcomes.begin(), report.outcomes.end(), [&](const Outcome& one) {
        return one.level == level && one.answer.verdict == verdict;
    }));
}

// Attribute values and texts; control characters are not XML at all.
std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else {
            out += byte < 0x20 || byte > 0x7e ? '?' : c;
        }
    }
    return out;
}

}  // namespace

const char* name_of(Level level) noexcept {
    switch (level) {
        case Level::Static:
            return "static";
        case Level::Contract:
            return "contract";
        case Level::Conformance:
            return "conformance";
    }
    return "?";
}

size_t Report::count(Verdict verdict) const {
    return static_cast<size_t>(std::count_if(outcomes.begin(), outcomes.end(),
                                             [&](const Outcome& one) { return one.answer.verdict == verdict; }));
}

std::vector<std::string> Report::failed() const {
    std::vector<std::string> names;
    for (const Outcome& one : outcomes) {
        if (one.answer.verdict == Verdict::Failed) names.push_back(one.name);
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

std::string line_of(const Outcome& outcome) {
    const conformance::Answer& answer = outcome.answer;
    std::string text = std::string(word_of(answer.verdict)) + " " + outcome.name + ": " + outcome.sentence + " (" +
                       seconds_text(answer.seconds) + ")";
    if (answer.verdict == Verdict::Skipped) text += "; " + answer.text;
    for (const std::string& note : answer.notes) text += "\n     note: " + note;
    if (answer.verdict == Verdict::Failed) text += "\n     " + answer.text + "\n     again: " + outcome.again;
    return text;
}

std::string sum_of(const Report& report) {
    std::string text;
    for (const Level level : kLevels) {
        const size_t passed = count(report, level, Verdict::Passed), failed = count(report, level, Verdict::Failed);
        const size_t skipped = count(report, level, Verdict::Skipped);
        if (passed + failed + skipped == 0) continue;
        text += std::string(text.empty() ? "" : "; ") + name_of(level) + " " + std::to_string(passed) + " passed";
        if (failed > 0) text += ", " + std::to_string(failed) + " failed";
        if (skipped > 0) text += ", " + std::to_string(skipped) + " skipped";
    }
    return (text.empty() ? "no case ran" : text) + "; " + seconds_text(report.seconds) + ", seed " +
           std::to_string(report.seed);
}

std::string json_of(const Report& report) {
    using Json = nlohmann::ordered_json;
    Json cases = Json::array();
    for (const Outcome& one : report.outcomes) {
        Json row = {{"level", name_of(one.level)},
                    {"component", one.component},
                    {"case", one.name},
                    {"meaning", one.sentence},
                    {"verdict", word_of(one.answer.verdict)},
                    {"seconds", one.answer.seconds},
                    {"reason", one.answer.text},
                    {"notes", one.answer.notes}};
        if (one.answer.verdict == Verdict::Failed) row["again"] = one.again;
        cases.push_back(std::move(row));
    }
    const Json all = {{"file", report.file},
                      {"id", report.id},
                      {"version", report.version},
                      {"seed", report.seed},
                      {"passed", report.count(Verdict::Passed)},
                      {"failed", report.count(Verdict::Failed)},
                      {"skipped", report.count(Verdict::Skipped)},
                      {"ended_early", report.ended_early},
                      {"seconds", report.seconds},
                      {"cases", std::move(cases)}};
    return all.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string junit_of(const Report& report) {
    const auto number = [](double value) {
        char text[32];
        std::snprintf(text, sizeof text, "%.3f", value);
        return std::string(text);
    };
    std::string text =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"" + escaped(report.file) + "\">\n";
    for (const Level level : kLevels) {
        std::string cases;
        double seconds = 0;
        size_t n = 0;
        for (const Outcome& one : report.outcomes) {
            if (one.level != level) continue;
            ++n;
            seconds += one.answer.seconds;
            const std::string of = one.component.empty() ? report.id : one.component;
            cases += "    <testcase classname=\"" + escaped(of + "." + name_of(level)) + "\" name=\"" +
                     escaped(one.name + " " + one.sentence) + "\" time=\"" + number(one.answer.seconds) + "\">";
            if (one.answer.verdict == Verdict::Failed)
                cases += "<failure message=\"" + escaped(one.answer.text) + "\">" + escaped(one.again) + "</failure>";
            if (one.answer.verdict == Verdict::Skipped)
                cases += "<skipped message=\"" + escaped(one.answer.text) + "\"/>";
            cases += "</testcase>\n";
        }
        if (n == 0) continue;
        text += std::string("  <testsuite name=\"") + name_of(level) + "\" tests=\"" + std::to_string(n) +
                "\" failures=\"" + std::to_string(kit::count(report, level, Verdict::Failed)) + "\" skipped=\"" +
                std::to_string(kit::count(report, level, Verdict::Skipped)) + "\" errors=\"0\" time=\"" +
                number(seconds) + "\">\n" + cases + "  </testsuite>\n";
    }
    if (!report.ended_early.empty()) {
        text +=
            "  <testsuite name=\"check\" tests=\"1\" failures=\"1\" skipped=\"0\" errors=\"0\" time=\"0\">\n"
            "    <testcase classname=\"check\" name=\"every wanted case has run\"><failure message=\"" +
            escaped(report.ended_early) + "\"/></testcase>\n  </testsuite>\n";
    }
    return text + "</testsuites>\n";
}

}  // namespace belfry::kit
