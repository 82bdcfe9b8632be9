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
    Json params = Json::object();
    for (const char* field : {"state", "cursor"}) {
        const std::string value = call.given.value("--" + std::string(field));
        if (!value.empty()) params[field] = value;
    }
    int code = kDone;
    const std::optional<Json> page = ask(call, "push_list", params, code);
    if (!page) return code;
    if (call.given.has("--json")) {
        print_json(*page, call.world);
        return kDone;
    }
    std::vector<std::vector<std::string>> rows = {{"UID", "LANE", "CREATED", "STATUS"}};
    for (const Json& item : page->value("items", Json::array())) {
        rows.push_back({item.value("uid", ""), item.value("lane", ""), shown_time(item.value("created_at", int64_t{0})),
                        summary_of(item)});
    }
    print_table(rows, call.world);
    const std::string next = page->value("next_cursor", "");
    if (!next.empty()) call.world.err << "there are more: --cursor " << next << "\n";
    return kDone;
}

int show(const Call& call) {
    int code = kDone;
    const std::optional<Json> status = ask(call, "push_status", Json{{"uid", call.given.words[0]}}, code);
    if (!status) return code;
    if (call.given.has("--json")) {
        print_json(*status, call.world);
    } else {
        show_push(*status, call.world);
    }
    return kDone;
}

// What changes a push and answers nothing of interest.
int steer(const Call& call, const char* method) {
    int code = kDone;
    const std::optional<Json> result = ask(call, method, Json{{"uid", call.given.words[0]}}, code);
    if (result && call.given.has("--json")) print_json(*result, call.world);
    return code;
}

int cancel(const Call& call) {
    return steer(call, "cancel_push");
}
int pause(const Call& call) {
    return steer(call, "push_pause");
}
int resume(const Call& call) {
    return steer(call, "push_resume");
}

}  // namespace

std::vector<Command> push_commands() {
    return {
        {"pushes list",
         "",
         "list pushes, newest first",
         with_server_options({{"--state", "STATE", "delayed, running, paused, done, cancelled or expired"},
                              {"--cursor", "CURSOR", "go on after an earlier page"}}),
         0,
         0,
         list,
         {"belfry pushes list --state running"}},
        {"pushes show",
         "UID",
         "show how far a push is, its outcomes and first errors",
         with_server_options({}),
         1,
         1,
         show,
         {"belfry pushes show news-2026-11-22"}},
        {"pushes cancel",
         "UID",
         "stop what is not yet handed to a provider, for good",
         with_server_options({}),
         1,
         1,
         cancel,
         {"belfry pushes cancel news-2026-11-22"}},
        {"pushes pause",
         "UID",
         "hold what is not yet handed to a provider",
         with_server_options({}),
         1,
         1,
         pause,
         {"belfry pushes pause news-2026-11-22"}},
        {"pushes resume",
         "UID",
         "go on with a paused push",
         with_server_options({}),
         1,
         1,
         resume,
         {"belfry pushes resume news-2026-11-22"}},
    };
}

}  // namespace belfry::cli
