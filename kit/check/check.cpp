// SPDX-License-Identifier: Apache-2.0
#include "check/check.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "check/catalogue.h"
#include "check/subject.h"

namespace belfry::kit {

namespace {

using conformance::Case;
using conformance::Context;
using conformance::Verdict;
using Clock = std::chrono::steady_clock;

constexpr int kDone = 0, kFailed = 1, kUsage = 2;

// FNV-1a: the same case gets the same random numbers for a seed, whichever other cases run.
uint64_t seed_of(uint64_t seed, std::string_view name) {
    uint64_t hash = 14695981039346656037ULL ^ seed;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    return hash;
}

// As a shell takes it for one word.
std::string quoted(const std::string& word) {
    if (!word.empty() &&
        word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:") ==
            std::string::npos)
        return word;
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return text + "'";
}

class Check {
public:
    Check(const Options& options, std::ostream& out) : options_(options), out_(out) {
        report_.file = options.file;
        report_.seed = options.seed;
    }
    int run();
    Report& report() { return report_; }

private:
    // What a component's cases run with.
    struct Setting {
        const Subject* subject = nullptr;  // null: the files are all there is
        const plugins::Component* component = nullptr;
        std::string config;
    };
    bool run_cases(Level level, const std::vector<Case>& cases, const Setting& setting);
    Outcome run_one(Level level, const Case& one, const Setting& setting);
    int run_component(const Subject& subject, const plugins::Component& component);
    std::string again(const Case& one, const Setting& setting) const;
    int end_early(int code, const std::string& why) {
        if (report_.ended_early.empty()) report_.ended_early = why;
        return code;
    }

    const Options& options_;
    std::ostream& out_;
    Report report_;
};

// Reports are kept and shown around: a configuration or token given in the command line is not repeated.
std::string Check::again(const Case& one, const Setting& setting) const {
    std::string command = "belfry plugin check " + quoted(options_.file);
    const bool inline_config = options_.config.find('{') != std::string::npos;
    if (!options_.config.empty()) command += " --config " + (inline_config ? "'...'" : quoted(options_.config));
    if (setting.component != nullptr && setting.subject->manifest.components.size() > 1)
        command += " --component " + setting.component->name;
    if (!options_.tokens.empty()) command += " --token '...'";
    for (const std::string& payload : options_.payloads) command += " --payload " + quoted(payload);
    if (options_.scale != 1) command += " --scale " + std::to_string(options_.scale);
    return command + " --case " + one.name + " --seed " + std::to_string(options_.seed) + " --trace";
}

Outcome Check::run_one(Level level, const Case& one, const Setting& setting) {
    Outcome outcome;
    outcome.level = level;
    outcome.name = one.name;
    outcome.sentence = one.sentence;
    outcome.again = again(one, setting);
    const std::string directory = conformance::fresh_directory();
    Context context(std::filesystem::absolute(options_.file).lexically_normal().string(), "{}", directory,
                    seed_of(options_.seed, one.name));
    context.scale = options_.scale;
    context.trace = options_.trace;
    context.tokens = options_.tokens;
    context.payloads = options_.payloads;
    context.present = options_.present;
    bool ready = true;
    if (setting.component != nullptr) {
        outcome.component = context.component = setting.component->name;
        const Result<Section> section = section_for(*setting.subject, *setting.component, setting.config, directory);
        ready = section.has_value();
        if (ready) {
            context.config = section->config;
            context.secrets = section->secrets;
        } else {
            outcome.answer.text = "the configuration is refused: " + section.error().to_string();
        }
    }
    if (ready) outcome.answer = run_in_process(one, context, std::chrono::seconds(one.timeout_s * options_.scale));
    if (options_.keep) {
        outcome.answer.notes.push_back("its folder is " + directory);
    } else {
        std::error_code failed;
        std::filesystem::remove_all(directory, failed);
    }
    return outcome;
}

bool Check::run_cases(Level level, const std::vector<Case>& cases, const Setting& setting) {
    bool good = true;
    for (const Case& one : cases) {
        if (!is_wanted(options_, one.name)) continue;
        Outcome outcome = run_one(level, one, setting);
        good = good && outcome.answer.verdict != Verdict::Failed;
        if (!options_.json) out_ << line_of(outcome) << std::endl;
        report_.outcomes.push_back(std::move(outcome));
    }
    return good;
}

int Check::run_component(const Subject& subject, const plugins::Component& component) {
    const Result<std::string> given = read_config(options_.config);
    if (!given) return end_early(kUsage, "--config: " + given.error().to_string());
    const Result<std::string> config = given->empty() ? default_config(subject, component) : given;
    if (!config) return end_early(kUsage, config.error().message);
    if (const Result<Section> section = section_for(subject, component, *config, "/nonexistent"); !section)
        return end_early(kUsage, "--config: component \"" + component.name + "\": " + section.error().to_string());
    const Setting setting{&subject, &component, *config};
    if (!run_cases(Level::Contract, contract_gates(), setting))
        return end_early(kFailed, "component \"" + component.name +
                                      "\" does not start with this configuration: nothing more was checked");
    const bool contract = run_cases(Level::Contract, contract_cases(component.kind), setting);
    const bool conforms = run_cases(Level::Conformance, conformance_cases(component.kind), setting);
    return contract && conforms ? kDone : kFailed;
}

int Check::run() {
    if (!run_cases(Level::Static, static_cases(), {}))
        return end_early(kFailed, "its files are not in order: none of its code was run");
    const Result<Subject> subject = read_subject(options_.file);
    if (!subject) return end_early(kFailed, subject.error().to_string());
    report_.id = subject->manifest.id;
    report_.version = subject->manifest.version;
    int worst = kDone;
    bool any = false;
    for (const plugins::Component& component : subject->manifest.components) {
        if (!options_.component.empty() && component.name != options_.component) continue;
        any = true;
        if (!options_.json && subject->manifest.components.size() > 1)
            out_ << "component " << component.name << " (" << plugins::name_of(component.kind) << ")" << std::endl;
        worst = std::max(worst, run_component(*subject, component));
    }
    if (!any) return end_early(kUsage, "the plugin has no component \"" + options_.component + "\"");
    return worst;
}

void list_cases(const std::vector<Case>& cases, const Options& options, std::ostream& out) {
    for (const Case& one : cases) {
        if (!is_wanted(options, one.name)) continue;
        std::string name = one.name;
        name.resize(std::max<size_t>(name.size() + 2, 34), ' ');
        out << name << one.sentence << "\n";
    }
}

int list(const Options& options, std::ostream& out, std::ostream& err) {
    std::vector<plugins::Kind> kinds{plugins::Kind::Storage, plugins::Kind::Queue, plugins::Kind::Provider,
                                     plugins::Kind::Sink};
    if (!options.file.empty()) {
        const Result<Subject> subject = read_subject(options.file);
        if (!subject) {
            err << subject.error().to_string() << "\n";
            return kFailed;
        }
        kinds.clear();
        for (const plugins::Component& component : subject->manifest.components) {
            if (std::find(kinds.begin(), kinds.end(), component.kind) == kinds.end()) kinds.push_back(component.kind);
        }
    }
    list_cases(static_cases(), options, out);
    list_cases(contract_gates(), options, out);
    std::vector<Case> contract;
    for (const plugins::Kind kind : kinds) {
        for (const Case& one : contract_cases(kind)) {
            const auto same = [&](const Case& other) { return std::string_view(one.name) == other.name; };
            if (std::none_of(contract.begin(), contract.end(), same)) contract.push_back(one);
        }
    }
    list_cases(contract, options, out);
    for (const plugins::Kind kind : kinds) list_cases(conformance_cases(kind), options, out);
    return kDone;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
    return text.empty() ? "none" : text;
}

// For tests of the kit itself: exactly the named cases must fail.
int judge_expectation(const Options& options, const Report& report, std::ostream& err) {
    if (!report.ended_early.empty()) {  // the cases that were to fail never ran
        err << report.ended_early << "\n";
        return kFailed;
    }
    const std::vector<std::string> failed = report.failed();
    const std::vector<std::string> wanted(options.expect_fail->begin(), options.expect_fail->end());
    if (failed == wanted) return kDone;
    err << "expected to fail: " << joined(wanted) << "; failed: " << joined(failed) << "\n";
    return kFailed;
}

}  // namespace

int run_check(const Options& options, std::ostream& out, std::ostream& err) {
    if (!options.error.empty()) {
        err << options.error << "\n" << usage() << "\n";
        return kUsage;
    }
    if (options.list) return list(options, out, err);
    if (!std::filesystem::exists(options.file)) {
        err << options.file << ": does not exist; name the plugin's .so\n";
        return kUsage;
    }
    const auto start = Clock::now();
    Check check(options, out);
    int code = check.run();
    Report& report = check.report();
    report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (report.outcomes.empty() && report.ended_early.empty()) {
        report.ended_early = "no case is called that; see --list";
        code = kUsage;
    }
    if (!options.junit.empty()) {
        std::ofstream file(options.junit, std::ios::binary);
        file << junit_of(report);
        if (!file.flush()) {
            err << options.junit << ": cannot be written\n";
            code = std::max(code, kFailed);
        }
    }
    if (options.json) out << json_of(report) << std::endl;
    if (!options.json) out << sum_of(report) << std::endl;
    if (!report.ended_early.empty()) err << options.file << ": " << report.ended_early << "\n";
    return options.expect_fail ? judge_expectation(options, report, err) : code;
}

}  // namespace belfry::kit
