// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/client.h"
#include "cli/output.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

constexpr size_t kTokenShown = 32;

void put_list(Json& into, const char* field, const std::vector<std::string>& values) {
    if (!values.empty()) into[field] = values;
}

void put_text(Json& into, const char* field, const std::string& value) {
    if (!value.empty()) into[field] = value;
}

int list(const Call& call) {
    Json filter = Json::object();
    put_list(filter, "users", call.given.values("--user"));
    put_list(filter, "topics", call.given.values("--topic"));
    put_list(filter, "providers", call.given.values("--provider"));
    put_list(filter, "platforms", call.given.values("--platform"));
    Json params = {{"filter", filter},
                   {"include_total_count", call.given.has("--total")},
                   {"include_topics", call.given.has("--topics")}};
    put_text(params, "cursor", call.given.value("--cursor"));
    const std::string limit = call.given.value("--limit");
    if (!limit.empty()) {
        int64_t n = 0;
        const auto [end, fault] = std::from_chars(limit.data(), limit.data() + limit.size(), n);
        if (fault != std::errc() || end != limit.data() + limit.size())
            return usage_error(call, "--limit must be a number");
        params["limit"] = n;
    }
    int code = kDone;
    const std::optional<Json> result = ask(call, "device_list", params, code);
    if (!result) return code;
    if (call.given.has("--json")) {
        print_json(*result, call.world);
        return kDone;
    }
    std::vector<std::vector<std::string>> rows = {{"ID", "PROVIDER", "PLATFORM", "USER", "UPDATED", "TOKEN"}};
    for (const Json& item : result->value("items", Json::array())) {
        rows.push_back({item.value("id", ""), item.value("provider", ""), item.value("platform", ""),
                        item.value("user", ""), shown_time(item.value("updated_at", int64_t{0})),
                        shortened(item.value("token", ""), kTokenShown)});
        if (call.given.has("--topics")) {
            std::string topics;
            for (const Json& topic : item.value("topics", Json::array()))
                topics += (topics.empty() ? "" : ",") + topic.get<std::string>();
            rows.back().push_back(topics);
        }
    }
    if (call.given.has("--topics")) rows.front().push_back("TOPICS");
    print_table(rows, call.world);
    if (call.given.has("--total")) call.world.out << "total " << result->value("total_count", int64_t{0}) << "\n";
    const std::string next = result->value("next_cursor", "");
    if (!next.empty()) call.world.err << "there are more: --cursor " << next << "\n";
    return kDone;
}

int show(const Call& call) {
    const Json params = {{"filter", {{"ids", call.given.words}}},
                         {"include_meta", true},
                         {"include_topics", true},
                         {"include_webpush_keys", true}};
    int code = kDone;
    const std::optional<Json> result = ask(call, "device_list", params, code);
    if (!result) return code;
    const Json items = result->value("items", Json::array());
    if (items.empty()) return failed(call, error(ErrorCode::NotFound, "there is no device " + call.given.words[0]));
    call.world.out << (call.given.has("--json") ? items[0].dump() : items[0].dump(2)) << "\n";
    return kDone;
}

int register_device(const Call& call) {
    Json params = Json::object();
    for (const char* field : {"id", "provider", "token", "platform", "user", "timezone", "locale"}) {
        put_text(params, field, call.given.value("--" + std::string(field)));
    }
    put_list(params, "topics", call.given.values("--topic"));
    for (const std::string& pair : call.given.values("--meta")) {
        const size_t equals = pair.find('=');
        if (equals == std::string::npos) return usage_error(call, "--meta must be key=value");
        params["meta"][pair.substr(0, equals)] = pair.substr(equals + 1);
    }
    int code = kDone;
    const std::optional<Json> result = ask(call, "device_register", params, code);
    if (!result) return code;
    call.world.out << (call.given.has("--json") ? result->dump() : result->value("id", "")) << "\n";
    return kDone;
}

int remove(const Call& call) {
    Json params = Json::object();
    put_list(params, "ids", call.given.words);
    put_list(params, "users", call.given.values("--user"));
    if (params.empty()) return usage_error(call, "needs ids or --user");
    int code = kDone;
    const std::optional<Json> result = ask(call, "device_remove", params, code);
    if (!result) return code;
    if (call.given.has("--json")) print_json(*result, call.world);
    return kDone;
}

}  // namespace

std::vector<Command> device_commands() {
    return {
        {"devices list",
         "",
         "list registered devices",
         with_server_options({{"--user", "USER", "only devices of this user", true},
                              {"--topic", "TOPIC", "only devices with this topic", true},
                              {"--provider", "NAME", "only devices of this provider", true},
                              {"--platform", "NAME", "only this platform", true},
                              {"--topics", "", "show topics too"},
                              {"--total", "", "count all matches too"},
                              {"--limit", "N", "devices per page, by default 100"},
                              {"--cursor", "CURSOR", "go on after an earlier page"}}),
         0,
         0,
         list,
         {"belfry devices list --topic news --total", "belfry devices list --user 42 --json | jq -r '.items[].id'"}},
        {"devices show",
         "ID",
         "show everything about a device",
         with_server_options({}),
         1,
         1,
         show,
         {"belfry devices show 9ft4ez3hpjsngwsr"}},
        {"devices register",
         "",
         "register a device, or replace its whole state; prints its id",
         with_server_options({{"--provider", "NAME", "the provider, for example fcm"},
                              {"--token", "TOKEN", "the provider's token"},
                              {"--platform", "NAME", "android, ios or web"},
                              {"--user", "USER", "who owns the device"},
                              {"--topic", "TOPIC", "a topic of the device", true},
                              {"--timezone", "NAME", "for example Europe/Berlin"},
                              {"--locale", "TAG", "for example pt-BR"},
                              {"--meta", "KEY=VALUE", "a free text", true},
                              {"--id", "ID", "the device to replace"}}),
         0,
         0,
         register_device,
         {"belfry devices register --provider fcm --token TOKEN --platform android --user 42 --topic news"}},
        {"devices remove",
         "[ID...]",
         "remove devices by id, or all of a user",
         with_server_options({{"--user", "USER", "all devices of this user", true}}),
         0,
         10'000,
         remove,
         {"belfry devices remove 9ft4ez3hpjsngwsr", "belfry devices remove --user 42"}},
    };
}

}  // namespace belfry::cli
