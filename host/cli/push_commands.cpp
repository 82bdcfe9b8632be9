// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

int list(const Call& call) {
    Result<std::unique_ptr<Client>> client = Client::of(call);
    if (!client) return failed(call.world, "belfry: " + client.error().to_string());
    Json params = Json::object();
    for (const char* field : {"state", "cursor"}) {
        const std::string value = call.given.value("--" + std::string(field));
        if (!value.empty()) params[field] = value;
    }
    const Result<std::string> result = (*client)->call("push_list", params.dump());
    if (!result) return failed(call.world, "belfry pushes list: " + result.error().to_string());
    if (call.given.has("--json")) {
        call.world.out << *result << "\n";
        return kDone;
    }
    const Json page = Json::parse(*result);
    std::vector<std::vector<std::string>> rows = {{"UID", "LANE", "CREATED", "STATUS"}};
    for (const Json& item : page.value("items", Json::array())) {
        rows.push_back({item.value("uid", ""), item.value("lane", ""), shown_time(item.value("created_at", int64_t{0})),
                        summary_of(item)});
    }
    print_table(rows, call.world.out);
    const std::string next = page.value("next_cursor", "");
    if (!next.empty()) call.world.err << "there are more: --cursor " << next << "\n";
    return kDone;
}

int show(const Call& call) {
    Result<std::unique_ptr<Client>> client = Client::of(call);
    if (!client) return failed(call.world, "belfry: " + client.error().to_string());
    const Result<std::string> result = (*client)->call("push_status", Json{{"uid", call.given.words[0]}}.dump());
    if (!result) return failed(call.world, "belfry pushes show: " + result.error().to_string());
    call.world.out << (call.given.has("--json") ? *result : Json::parse(*result).dump(2)) << "\n";
    return kDone;
}

int cancel(const Call& call) {
    Result<std::unique_ptr<Client>> client = Client::of(call);
    if (!client) return failed(call.world, "belfry: " + client.error().to_string());
    const Result<std::string> result = (*client)->call("cancel_push", Json{{"uid", call.given.words[0]}}.dump());
    if (!result) return failed(call.world, "belfry pushes cancel: " + result.error().to_string());
    if (call.given.has("--json")) call.world.out << *result << "\n";
    return kDone;
}

}  // namespace

std::vector<Command> push_commands() {
    return {
        {"pushes list", "", "list pushes, newest first",
         with_server_options({{"--state", "STATE", "delayed, running, paused, done, cancelled or expired"},
                              {"--cursor", "CURSOR", "go on after an earlier page"}}),
         0, 0, list},
        {"pushes show", "UID", "show how far a push is", with_server_options({}), 1, 1, show},
        {"pushes cancel", "UID", "stop what is not yet handed to a provider", with_server_options({}), 1, 1, cancel},
    };
}

}  // namespace belfry::cli
