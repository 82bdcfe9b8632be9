// SPDX-License-Identifier: Apache-2.0
#include "check/check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "check/catalogue.h"

namespace belfry::kit {
namespace {

using conformance::Verdict;

Options parsed(std::vector<std::string> words) {
    words.insert(words.begin(), "belfry-plugin-check");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return parse_options(static_cast<int>(argv.size()), argv.data());
}

TEST(CheckOptions, AreTakenInBothSpellings) {
    const Options options = parsed({"a.so", "--seed=7", "--case", "S1,Q*", "--case=contract.?", "--trace", "--token",
                                    "x", "--config", "{\"a\":1}", "--expect-fail", "none"});
    EXPECT_EQ(options.error, "");
    EXPECT_EQ(options.file, "a.so");
    EXPECT_EQ(options.seed, 7u);
    EXPECT_EQ(options.cases, (std::vector<std::string>{"S1", "Q*", "contract.?"}));
    EXPECT_EQ(options.tokens, std::vector<std::string>{"x"});
    EXPECT_EQ(options.config, "{\"a\":1}");
    EXPECT_TRUE(options.trace);
    ASSERT_TRUE(options.expect_fail.has_value());
    EXPECT_TRUE(options.expect_fail->empty());
}

TEST(CheckOptions, SayWhatIsWrong) {
    EXPECT_EQ(parsed({}).error, "name the plugin's .so");
    EXPECT_EQ(parsed({"--list"}).error, "");
    EXPECT_EQ(parsed({"a.so", "--sed", "1"}).error, "unknown option --sed");
    EXPECT_EQ(parsed({"a.so", "--seed", "x"}).error, "--seed does not take \"x\"");
    EXPECT_EQ(parsed({"a.so", "--scale", "0"}).error, "--scale does not take \"0\"");
    EXPECT_EQ(parsed({"a.so", "--case"}).error, "--case needs a value, NAME");
    EXPECT_EQ(parsed({"a.so", "--trace=1"}).error, "--trace takes no value");
    EXPECT_EQ(parsed({"a.so", "b.so"}).error, "only one plugin can be checked at a time");
}

TEST(CheckOptions, NamesMatchByStarsAndQuestionMarks) {
    EXPECT_TRUE(matches("S1", "S1"));
    EXPECT_FALSE(matches("S1", "S12"));
    EXPECT_TRUE(matches("S1*", "S12"));
    EXPECT_TRUE(matches("*", ""));
    EXPECT_TRUE(matches("contract.*_*", "contract.bad_config"));
    EXPECT_TRUE(matches("S?b", "S5b"));
    EXPECT_FALSE(matches("S?", "S"));
    EXPECT_TRUE(matches("*a*b", "xxaxxbxb"));
    EXPECT_FALSE(matches("*a*b", "xxaxxbxbx"));
}

TEST(CheckCatalogue, EveryCaseHasANameOfItsOwnAndASentence) {
    for (const plugins::Kind kind :
         {plugins::Kind::Storage, plugins::Kind::Queue, plugins::Kind::Provider, plugins::Kind::Sink}) {
        std::set<std::string> names;
        size_t n = 0;
        for (const auto& cases : {static_cases(), contract_gates(), contract_cases(kind), conformance_cases(kind)}) {
            for (const conformance::Case& one : cases) {
                ++n;
                EXPECT_TRUE(names.insert(one.name).second) << one.name;
                EXPECT_GT(std::string(one.sentence).size(), 20u) << one.name;
                EXPECT_NE(std::string(one.sentence).back(), '.') << one.name;
                EXPECT_GT(one.timeout_s, 0u) << one.name;
            }
        }
        EXPECT_GT(n, 20u) << plugins::name_of(kind);
    }
}

Report mixed_report() {
    Report report;
    report.file = "acme.so";
    report.id = "acme";
    report.seed = 7;
    const auto add = [&](Level level, const char* name, Verdict verdict, const char* text) {
        Outcome& one = report.outcomes.emplace_back();
        one.level = level;
        one.component = "acme";
        one.name = name;
        one.sentence = "something holds";
        one.answer.verdict = verdict;
        one.answer.text = text;
        one.again = "belfry plugin check acme.so --case " + std::string(name);
    };
    add(Level::Static, "static.files", Verdict::Passed, "");
    add(Level::Contract, "contract.entry", Verdict::Failed, "expected: <a> & \"b\"");
    add(Level::Conformance, "S1", Verdict::Skipped, "not declared");
    return report;
}

TEST(CheckReport, LinesSayWhatWasExpectedWhatCameAndHowToRepeatIt) {
    const Report report = mixed_report();
    EXPECT_EQ(line_of(report.outcomes[0]), "pass static.files: something holds (0.00 s)");
    EXPECT_EQ(line_of(report.outcomes[1]),
              "fail contract.entry: something holds (0.00 s)\n     expected: <a> & \"b\"\n"
              "     again: belfry plugin check acme.so --case contract.entry");
    EXPECT_EQ(line_of(report.outcomes[2]), "skip S1: something holds (0.00 s); not declared");
    EXPECT_EQ(sum_of(report),
              "static 1 passed; contract 0 passed, 1 failed; conformance 0 passed, 1 skipped; 0.00 s, seed 7");
}

TEST(CheckReport, JsonHasEveryCase) {
    const nlohmann::json json = nlohmann::json::parse(json_of(mixed_report()));
    EXPECT_EQ(json["passed"], 1);
    EXPECT_EQ(json["failed"], 1);
    EXPECT_EQ(json["skipped"], 1);
    ASSERT_EQ(json["cases"].size(), 3u);
    EXPECT_EQ(json["cases"][1]["verdict"], "fail");
    EXPECT_EQ(json["cases"][1]["again"], "belfry plugin check acme.so --case contract.entry");
    EXPECT_FALSE(json["cases"][0].contains("again"));
}

TEST(CheckReport, JunitCountsAndEscapes) {
    Report report = mixed_report();
    report.ended_early = "it does not start";
    const std::string xml = junit_of(report);
    EXPECT_NE(xml.find("<testsuite name=\"contract\" tests=\"1\" failures=\"1\" skipped=\"0\""), std::string::npos)
        << xml;
    EXPECT_NE(xml.find("message=\"expected: &lt;a&gt; &amp; &quot;b&quot;\""), std::string::npos) << xml;
    EXPECT_NE(xml.find("<skipped message=\"not declared\"/>"), std::string::npos) << xml;
    EXPECT_NE(xml.find("<failure message=\"it does not start\"/>"), std::string::npos) << xml;
}

TEST(Check, WrongUsageIsToldWithExitCodeTwo) {
    std::ostringstream out, err;
    EXPECT_EQ(run_check(parsed({"/nonexistent.so"}), out, err), 2);
    EXPECT_EQ(err.str(), "/nonexistent.so: does not exist; name the plugin's .so\n");
    EXPECT_EQ(run_check(parsed({"a.so", "--sed"}), out, err), 2);
    EXPECT_NE(err.str().find("unknown option --sed\nusage: belfry-plugin-check PLUGIN.so"), std::string::npos);
}

TEST(Check, AFileThatIsNoPluginFailsItsStaticCasesOnly) {
    std::ostringstream out, err;
    EXPECT_EQ(run_check(parsed({"/proc/self/exe", "--seed", "1"}), out, err), 1);
    EXPECT_NE(out.str().find("fail static.manifest"), std::string::npos) << out.str();
    EXPECT_EQ(out.str().find("contract."), std::string::npos) << out.str();
    EXPECT_NE(err.str().find("none of its code was run"), std::string::npos) << err.str();
}

TEST(Check, ListsTheCasesOfEveryKind) {
    std::ostringstream out, err;
    EXPECT_EQ(run_check(parsed({"--list"}), out, err), 0);
    for (const char* name : {"static.object ", "contract.starts ", "Q22b ", "S43 ", "provider.any_status "})
        EXPECT_NE(out.str().find(name), std::string::npos) << name;
    std::ostringstream some;
    EXPECT_EQ(run_check(parsed({"--list", "--case", "S1"}), some, err), 0);
    EXPECT_EQ(some.str().rfind("S1  ", 0), 0u) << some.str();
    EXPECT_EQ(some.str().find('\n'), some.str().size() - 1) << some.str();
}

}  // namespace
}  // namespace belfry::kit
