// SPDX-License-Identifier: Apache-2.0
// Commands of operators, which ask /admin/.
#include <Poco/URI.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/client.h"
#include "cli/output.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

constexpr size_t kReasonShown = 60;
constexpr size_t kReplayAtOnce = 10'000;  // ids the server takes in one request
constexpr size_t kDeadAtOnce = 1000;

int64_t number(const Json& from, const char* name) {
    return from.value(name, int64_t{0});
}

int queue_stats(const Call& call) {
    int code = kDone;
    const std::optional<Json> stats = ask_admin(call, "/admin/queue", nullptr, code);
    if (!stats) return code;
    if (call.given.has("--json")) {
        print_json(*stats, call.world);
        return kDone;
    }
    std::vector<std::vector<std::string>> rows = {{"LANE", "READY", "CLAIMED", "OLDEST WAITS"}};
    for (const char* lane : {"high", "normal", "low"}) {
        const Json& of = stats->at("lanes").at(lane);
        rows.push_back({lane, std::to_string(number(of, "ready")), std::to_string(number(of, "claimed")),
                        number(of, "oldest_ready_ms") == 0 ? "-" : shown_span(number(of, "oldest_ready_ms"))});
    }
    print_table(rows, call.world);
    call.world.out << "due later " << number(*stats, "delayed") << ", paused " << number(*stats, "parked") << ", dead "
                   << number(*stats, "dead") << " work items; pushes running " << number(*stats, "running_pushes")
                   << ", delayed " << number(*stats, "delayed_pushes") << "; store "
                   << shown_bytes(number(*stats, "store_bytes")) << "\n";
    return kDone;
}

std::string dead_target(const Call& call, const std::string& after, size_t limit) {
    std::string target = "/admin/dead?limit=" + std::to_string(limit);
    const auto add = [&](const char* name, const std::string& value) {
        if (value.empty()) return;
        target += std::string("&") + name + "=";
        Poco::URI::encode(value, "&=+#", target);
    };
    add("app", call.given.value("--app"));
    add("uid", call.given.value("--uid"));
    add("after", after);
    return target;
}

int dead(const Call& call) {
    int code = kDone;
    const std::optional<Json> page =
        ask_admin(call, dead_target(call, call.given.value("--after"), 100), nullptr, code);
    if (!page) return code;
    if (call.given.has("--json")) {
        print_json(*page, call.world);
        return kDone;
    }
    std::vector<std::vector<std::string>> rows = {
        {"ID", "PUSH", "PROVIDER", "DELIVERIES", "BURIED", "REPLAYED", "REASON"}};
    for (const Json& letter : page->value("items", Json::array())) {
        rows.push_back({letter.value("id", ""), letter.value("uid", ""), letter.value("provider", ""),
                        std::to_string(number(letter, "deliveries")), shown_time(number(letter, "buried_at")),
                        number(letter, "replayed_at") == 0 ? "-" : shown_time(number(letter, "replayed_at")),
                        shortened(letter.value("reason", ""), kReasonShown)});
    }
    print_table(rows, call.world);
    const std::string next = page->value("next_after", "");
    if (!next.empty()) call.world.err << "there are more: --after " << next << "\n";
    return kDone;
}

// The ids that are meant: those given, or all that were not replayed yet.
std::optional<std::vector<std::string>> wanted_ids(const Call& call, int& code) {
    if (!call.given.words.empty()) return call.given.words;
    std::vector<std::string> ids;
    std::string after;
    do {
        const std::optional<Json> page = ask_admin(call, dead_target(call, after, kDeadAtOnce), nullptr, code);
        if (!page) return std::nullopt;
        for (const Json& letter : page->value("items", Json::array()))
            if (number(letter, "replayed_at") == 0) ids.push_back(letter.value("id", ""));
        after = page->value("next_after", "");
    } while (!after.empty());
    return ids;
}

int replay(const Call& call) {
    const bool many = call.given.has("--all") || call.given.has("--uid");
    if (many != call.given.words.empty()) return usage_error(call, "give either ids, or --uid or --all");
    int code = kDone;
    const std::optional<std::vector<std::string>> ids = wanted_ids(call, code);
    if (!ids) return code;
    int64_t replayed = 0;
    for (size_t at = 0; at < ids->size(); at += kReplayAtOnce) {
        const size_t end = std::min(at + kReplayAtOnce, ids->size());
        Json body = {{"ids", std::vector<std::string>(ids->begin() + static_cast<std::ptrdiff_t>(at),
                                                      ids->begin() + static_cast<std::ptrdiff_t>(end))},
                     {"ignore_expiry", call.given.has("--ignore-expiry")}};
        if (call.given.has("--app")) body["app"] = call.given.value("--app");
        const std::optional<Json> result = ask_admin(call, "/admin/replay", &body, code);
        if (!result) return code;
        replayed += number(*result, "replayed");
    }
    if (call.given.has("--json")) {
        print_json({{"replayed", replayed}}, call.world);
    } else {
        call.world.out << "replayed " << replayed << " of " << ids->size() << "\n";
    }
    if (replayed == static_cast<int64_t>(ids->size())) return kDone;
    call.world.err << "belfry: the others are unknown in this app, were replayed already, or have expired "
                      "(--ignore-expiry)\n";
    return kFailed;
}

std::string credential_of(const Json& provider) {
    const auto valid = provider.find("credential_valid_ms");
    if (valid == provider.end()) return provider.value("state", "") == "not_started" ? "-" : "none needed";
    return valid->get<int64_t>() == 0 ? "none" : "for " + shown_span(valid->get<int64_t>());
}

std::string trouble_of(const Json& provider) {
    std::string text = provider.value("reason", "");
    if (number(provider, "closed_ms") > 0) text += "; next try in " + shown_span(number(provider, "closed_ms"));
    if (provider.value("operator_must_act", false)) text += "; an operator must act";
    if (provider.value("deletions_stopped", false)) text += "; devices are not deleted: too many looked dead at once";
    for (const Json& notice : provider.value("notices", Json::array())) text += "; " + notice.get<std::string>();
    for (const Json& platform : provider.value("platforms", Json::array()))
        text += "; " + platform.value("name", "") + " is refused: " + platform.value("reason", "");
    for (const Json& origin : provider.value("origins", Json::array())) {
        text += "; " + origin.value("url", "") + " is " + origin.value("state", "");
        if (const std::string reason = origin.value("reason", ""); !reason.empty()) text += ": " + reason;
    }
    if (text.empty() && number(provider, "last_error_at") != 0)
        text = "last, at " + shown_time(number(provider, "last_error_at")) + ": " + provider.value("last_error", "");
    return text.rfind("; ", 0) == 0 ? text.substr(2) : text;
}

int providers(const Call& call) {
    int code = kDone;
    const std::optional<Json> all = ask_admin(call, "/admin/providers", nullptr, code);
    if (!all) return code;
    if (call.given.has("--json")) {
        print_json(*all, call.world);
        return kDone;
    }
    std::vector<std::vector<std::string>> rows = {
        {"PROVIDER", "STATE", "CREDENTIAL", "PACE/MIN", "IN FLIGHT", "CONNECTIONS", "TROUBLE"}};
    for (const Json& provider : all->value("items", Json::array())) {
        const int64_t pace = number(provider, "per_minute");
        const int64_t connections = number(provider, "connections");
        rows.push_back({provider.value("name", ""),
                        provider.value("state", "") + (provider.value("probing", false) ? " (probing)" : ""),
                        credential_of(provider), pace == 0 ? "no limit" : std::to_string(pace),
                        std::to_string(number(provider, "in_flight")),
                        connections < 0 ? "-" : std::to_string(connections), trouble_of(provider)});
    }
    print_table(rows, call.world);
    return kDone;
}

int backup(const Call& call) {
    int code = kDone;
    const Json body = {{"name", call.given.words[0]}};
    const std::optional<Json> made = ask_admin(call, "/admin/backup", &body, code);
    if (!made) return code;
    if (call.given.has("--json")) {
        print_json(*made, call.world);
        return kDone;
    }
    call.world.out << made->value("folder", "") << "\n";
    for (const Json& file : made->value("files", Json::array()))
        call.world.out << "  " << file.value("name", "") << "  " << shown_bytes(number(file, "bytes")) << "\n";
    return kDone;
}

}  // namespace

std::vector<Command> admin_commands() {
    return {
        {"queue stats",
         "",
         "what waits in the queue, by lane",
         with_server_options({}),
         0,
         0,
         queue_stats,
         {"belfry queue stats", "belfry queue stats --json | jq .lanes.high.ready"}},
        {"queue dead",
         "",
         "list dead letters: work that was given up",
         with_server_options({{"--uid", "UID", "only of this push"}, {"--after", "ID", "go on after an earlier page"}}),
         0,
         0,
         dead,
         {"belfry queue dead", "belfry queue dead --app shop --uid news-2026-11-22"}},
        {"queue replay",
         "[ID...]",
         "try dead letters anew",
         with_server_options({{"--uid", "UID", "all of this push"},
                              {"--all", "", "all of the app"},
                              {"--ignore-expiry", "", "also of pushes that have expired"}}),
         0,
         10'000,
         replay,
         {"belfry queue replay 17 18", "belfry queue replay --uid news-2026-11-22"}},
        {"providers",
         "",
         "credentials, pace, connections and trouble of each provider",
         with_server_options({}),
         0,
         0,
         providers,
         {"belfry providers"}},
        {"backup",
         "NAME",
         "copy the embedded databases while the server runs, into a new folder NAME below its admin.backup_dir",
         with_server_options({}),
         1,
         1,
         backup,
         {"belfry backup 2026-11-22", "belfry backup \"$(date +%F)\""}},
    };
}

}  // namespace belfry::cli
