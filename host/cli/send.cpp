// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/client.h"
#include "cli/output.h"
#include "cli/progress.h"

namespace belfry::cli {
namespace {

using Json = nlohmann::json;

// A text, @file, or - for standard input.
Result<Json> payload_of(const Call& call, const std::string& given) {
    std::string text = given;
    if (given == "-") {
        text.assign(std::istreambuf_iterator<char>(call.world.in), {});
    } else if (!given.empty() && given.front() == '@') {
        std::ifstream in(given.substr(1), std::ios::binary);
        if (!in.is_open()) return error(ErrorCode::InvalidArgument, "cannot read " + given.substr(1), "--payload");
        text.assign(std::istreambuf_iterator<char>(in), {});
    }
    Json payload = Json::parse(text, nullptr, false);
    if (!payload.is_object())
        return error(ErrorCode::InvalidArgument, "must be a JSON object, @file or - for standard input", "--payload");
    return payload;
}

// The plugins' own way to show a title and a text.
Result<Json> simple_payload(const std::string& plugin, const std::string& title, const std::string& body) {
    const Json shown = {{"title", title}, {"body", body}};
    if (plugin == "fcm") return Json{{"message", {{"notification", shown}}}};
    if (plugin == "hms") {
        // A click opens the app; MARKETING is the category that needs no right.
        const Json android = {{"title", title}, {"body", body}, {"click_action", {{"type", 3}}}};
        const Json harmony = {
            {"category", "MARKETING"}, {"title", title}, {"body", body}, {"clickAction", {{"actionType", 0}}}};
        return Json{{"message", {{"android", {{"notification", android}}}}},
                    {"v3", {{"message", {{"payload", {{"notification", harmony}}}}}}}};
    }
    if (plugin == "apns") return Json{{"payload", {{"aps", {{"alert", shown}}}}}};
    if (plugin == "webpush") return Json{{"payload", shown}};
    return error(
        ErrorCode::InvalidArgument,
        "is known for fcm, hms, apns and webpush only; give --payload, or say whose messages it takes: --provider " +
            plugin + "=fcm",
        "--title");
}

// "harmony=hms": a name, and the plugin behind it; alone they are the same.
std::pair<std::string, std::string> name_and_plugin(const std::string& given) {
    const size_t equals = given.find('=');
    return {given.substr(0, equals), equals == std::string::npos ? given : given.substr(equals + 1)};
}

Result<Json> notification_of(const Call& call) {
    std::vector<std::string> providers = call.given.values("--provider");
    const std::string payload = call.given.value("--payload");
    const bool simple = call.given.has("--title") || call.given.has("--body");
    if (simple == !payload.empty())
        return error(ErrorCode::InvalidArgument, "give either --payload or --title and --body");
    if (!simple) {
        if (providers.size() > 1)
            return error(ErrorCode::InvalidArgument, "several need --title and --body, or a --payload without it",
                         "--provider");
        Result<Json> given = payload_of(call, payload);
        if (!given || providers.empty()) return given;
        return Json{{name_and_plugin(providers.front()).first, *given}};
    }
    if (providers.empty()) providers.emplace_back("fcm");
    Json notification = Json::object();
    for (const std::string& provider : providers) {
        const auto [name, plugin] = name_and_plugin(provider);
        Result<Json> made = simple_payload(plugin, call.given.value("--title"), call.given.value("--body"));
        if (!made) return made;
        notification[name] = std::move(*made);
    }
    return notification;
}

Result<Json> recipient_of(const Call& call, const Json& notification) {
    const std::vector<std::string> tokens = call.given.values("--token");
    Json filter = Json::object();
    const auto put = [&](const char* option, const char* field) {
        const std::vector<std::string> values = call.given.values(option);
        if (!values.empty()) filter[field] = values;
    };
    put("--user", "users");
    put("--topic", "topics");
    put("--device", "ids");
    if (call.given.has("--all")) filter["all"] = true;
    if (tokens.empty() == filter.empty()) {
        return error(ErrorCode::InvalidArgument,
                     "say who gets it: --user, --topic, --device or --all, or else --token");
    }
    if (tokens.empty()) return Json{{"filter", filter}};
    if (notification.size() != 1)
        return error(ErrorCode::InvalidArgument, "needs the payload of exactly one provider", "--token");
    return Json{{"tokens", {{"provider", notification.begin().key()}, {"tokens", tokens}}}};
}

Result<int64_t> seconds_of(const std::string& text, const char* option) {
    size_t used = 0;
    try {
        const int64_t n = std::stoll(text, &used);
        if (used == text.size() && n > 0) return n;
    } catch (const std::exception&) {
        used = 0;
    }
    return error(ErrorCode::InvalidArgument, "must be a number of seconds", option);
}

Result<Json> request_of(const Call& call) {
    Result<Json> notification = notification_of(call);
    if (!notification) return notification;
    Result<Json> recipient = recipient_of(call, *notification);
    if (!recipient) return recipient;
    const int64_t now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    Json request = Json::object();
    if (call.given.has("--expire-in")) {
        const Result<int64_t> seconds = seconds_of(call.given.value("--expire-in"), "--expire-in");
        if (!seconds) return seconds.error();
        (*notification)["expire_at"] = now + *seconds;
    }
    if (call.given.has("--send-in")) {
        const Result<int64_t> seconds = seconds_of(call.given.value("--send-in"), "--send-in");
        if (!seconds) return seconds.error();
        request["send_at"] = now + *seconds;
    }
    request["recipient"] = *recipient;
    request["notification"] = *notification;
    for (const char* field : {"uid", "lane"}) {
        const std::string value = call.given.value("--" + std::string(field));
        if (!value.empty()) request[field] = value;
    }
    if (call.given.has("--dry-run")) request["dry_run"] = true;
    return request;
}

bool reached_anybody(const Json& status) {
    const Json outcomes = status.value("outcomes", Json::array());
    return std::any_of(outcomes.begin(), outcomes.end(), [](const Json& row) {
        return row.value("outcome", "") == "accepted" && row.value("n", int64_t{0}) > 0;
    });
}

int report(const Call& call, Client& client, const std::string& uid) {
    const Result<Json> status = follow(client, uid, call.world);
    if (!status) return failed(call, status.error());
    if (call.given.has("--json")) {
        print_json(*status, call.world);
    } else {
        call.world.out << uid << "  " << summary_of(*status) << "\n";
        for (const Json& sample : status->value("samples", Json::array()))
            call.world.out << "  " << sample.dump() << "\n";
    }
    if (status->value("state", "") != "done") return kFailed;
    if (reached_anybody(*status)) return kDone;
    call.world.err << "belfry send: nobody got it\n";
    return kFailed;
}

int send(const Call& call) {
    const Result<Json> request = request_of(call);
    if (!request) return usage_error(call, request.error().to_string());
    Result<std::unique_ptr<Client>> client = Client::of(call);
    if (!client) return failed(call, client.error());
    const Result<std::string> result =
        (*client)->call("send_push_notification", request->dump(-1, ' ', false, Json::error_handler_t::replace));
    if (!result) return failed(call, result.error());
    const std::string uid = Json::parse(*result).value("uid", "");
    if (call.given.has("--wait")) return report(call, **client, uid);
    call.world.out << (call.given.has("--json") ? *result : uid) << "\n";
    return kDone;
}

}  // namespace

Command send_command() {
    return {
        "send",
        "",
        "send one push",
        with_server_options(
            {{"--user", "USER", "to all devices of this user", true},
             {"--topic", "TOPIC", "to all devices with this topic", true},
             {"--device", "ID", "to this device", true},
             {"--all", "", "to every device"},
             {"--token", "TOKEN", "to this raw token", true},
             {"--provider", "NAME",
              "whose payload --payload is; without it, all of them. With --title: fcm, or several NAME[=PLUGIN]", true},
             {"--payload", "JSON", "the payload as JSON, @file, or - for standard input"},
             {"--title", "TEXT", "instead of --payload: a title"},
             {"--body", "TEXT", "instead of --payload: a text"},
             {"--uid", "UID", "name of the push; makes the command repeatable"},
             {"--lane", "LANE", "high, normal or low"},
             {"--send-in", "SECONDS", "send later"},
             {"--expire-in", "SECONDS", "attempt nothing after that"},
             {"--dry-run", "", "everything but the provider call"},
             {"--wait", "", "follow the push to its end; fails unless it gets there and somebody got it"}}),
        0,
        0,
        send,
        {"belfry send --user 42 --title Hello --body 'How are you?' --wait",
         "belfry send --user 42 --title Hello --provider fcm --provider apns --provider webpush",
         "belfry send --user 42 --title Hello --provider hms --provider harmony=hms",
         "belfry send --topic news --provider fcm --payload @message.json --uid news-2026-11-22",
         "belfry send --token TOKEN --provider fcm --payload '{\"message\": {\"data\": {\"k\": \"v\"}}}'"}};
}

}  // namespace belfry::cli
