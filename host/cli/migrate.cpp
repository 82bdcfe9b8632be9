// SPDX-License-Identifier: Apache-2.0
// Moving between backends: both servers are stopped, and this process opens the stores itself.
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <string>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

// Settings in the environment would count for both sides; secrets that the files take from there stay.
std::map<std::string, std::string> without_settings(std::map<std::string, std::string> environment) {
    std::erase_if(environment, [](const auto& variable) {
        const std::string& name = variable.first;
        return name == "BELFRY_CONFIG" || name == "BELFRY_DATA_DIR" ||
               (name.starts_with("BELFRY_") && name.find("__") != std::string::npos);
    });
    return environment;
}

Result<config::Config> load(const Call& call, const char* option) {
    config::LoadArgs args;
    args.file = call.given.value(option);
    args.environment = without_settings(call.world.environment);
    args.search_default_files = false;
    return config::load(args);
}

int take_back(const Call& call) {
    if (call.given.has("--to") == call.given.has("--target-is-gone"))
        return usage_error(call,
                           "--take-back needs --to FILE, or --target-is-gone if those stores do not exist any more");
    const Result<config::Config> from = load(call, "--from");
    if (!from) return failed_as_it_stands(call, from.error());
    std::optional<config::Config> to;
    if (call.given.has("--to")) {
        Result<config::Config> loaded = load(call, "--to");
        if (!loaded) return failed_as_it_stands(call, loaded.error());
        to = std::move(*loaded);
    }
    const Status done = call.hooks.take_back(*from, to ? &*to : nullptr);
    if (!done) return failed(call, done.error());
    if (call.given.has("--json")) {
        print_json({{"taken_back", true}}, call.world);
    } else {
        call.world.out << "the stores of " << call.given.value("--from") << " can be used again\n";
    }
    return kDone;
}

void show(const Moved& moved, const Call& call) {
    if (call.given.has("--json")) {
        Json parts = Json::array();
        for (const Moved::Part& part : moved.parts) {
            Json row{{"what", part.what}, {"records", part.records}};
            if (!part.app.empty()) row["app"] = part.app;
            parts.push_back(std::move(row));
        }
        print_json({{"moved", parts}, {"resumed", moved.resumed}, {"verified", true}}, call.world);
        return;
    }
    std::vector<std::vector<std::string>> rows = {{"MOVED", "APP", "RECORDS"}};
    for (const Moved::Part& part : moved.parts)
        rows.push_back({part.what, part.app.empty() ? "-" : part.app, std::to_string(part.records)});
    print_table(rows, call.world);
    call.world.out << (moved.resumed ? "went on where an earlier run ended; " : "")
                   << "both sides compared; start the server with " << call.given.value("--to") << "\n";
}

int migrate(const Call& call) {
    if (!call.given.has("--from")) return usage_error(call, "needs --from FILE");
    if (call.given.has("--take-back")) return take_back(call);
    if (call.given.has("--target-is-gone")) return usage_error(call, "--target-is-gone belongs to --take-back");
    if (!call.given.has("--to")) return usage_error(call, "needs --to FILE");
    const Result<config::Config> from = load(call, "--from");
    if (!from) return failed_as_it_stands(call, from.error());
    const Result<config::Config> to = load(call, "--to");
    if (!to) return failed_as_it_stands(call, to.error());
    Result<Moved> moved = Moved();
    {
        std::optional<Bar> bar;
        std::string at;
        moved =
            call.hooks.migrate(*from, *to, call.given.has("--empty"), [&](const std::string& what, uint64_t records) {
                if (what != at) bar.emplace(call.world, "records, " + what);
                at = what;
                bar->show(0, 0, records);
            });
    }
    if (!moved) return failed(call, moved.error());
    show(*moved, call);
    return kDone;
}

}  // namespace

Command migrate_command() {
    return {
        "migrate",
        "",
        "move devices, topics, pushes and pending work between backends; both servers are stopped",
        {{"--from", "FILE", "the configuration whose stores are left"},
         {"--to", "FILE", "the configuration whose stores, still empty, take everything over"},
         {"--empty", "", "move even if --from has neither devices nor pushes"},
         {"--take-back", "", "use the stores of --from again after they were moved away, and those of --to no more"},
         {"--target-is-gone", "", "with --take-back, if the stores of --to do not exist any more"},
         {"--json", "", "print what was moved as JSON"}},
        0,
        0,
        migrate,
        {"belfry migrate --from /etc/belfry/embedded.toml --to /etc/belfry/belfry.toml"}};
}

}  // namespace belfry::cli
