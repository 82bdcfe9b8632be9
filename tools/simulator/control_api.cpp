// SPDX-License-Identifier: Apache-2.0
#include "control_api.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "apns/channels.h"
#include "hms/credentials.h"
#include "net/url.h"
#include "phone_view.h"

namespace belfry::simulator {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kListMax = 10'000;
constexpr std::size_t kListDefault = 1'000;

Reply answer(const Json& json, int status = 200) {
    return {status,
            {{"content-type", "application/json"}},
            json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'};
}

Reply problem(int status, const std::string& what) {
    return answer({{"error", what}}, status);
}

std::size_t number_in(const Request& request, std::string_view name, std::size_t fallback) {
    const auto text = form_value(request.query, name);
    std::size_t value = fallback;
    if (text) std::from_chars(text->data(), text->data() + text->size(), value);
    return value;
}

std::string hex(const std::array<std::uint8_t, 32>& bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15U];
    }
    return text;
}

Json entry_json(const JournalEntry& entry) {
    return {{"sequence", entry.sequence},     {"connection", entry.connection},
            {"stream", entry.stream},         {"arrival_ms", entry.arrival_ms},
            {"route", entry.route},           {"project", entry.project},
            {"target", entry.target},         {"body_sha256", hex(entry.body_sha256)},
            {"status", entry.status},         {"accepted", entry.accepted},
            {"fault", entry.fault},           {"validate_only", entry.validate_only},
            {"message_id", entry.message_id}, {"reason", entry.reason}};
}

}  // namespace

Plan ControlApi::handle(Request&& request) {
    Plan plan;
    const auto segments = path_segments(request.path);
    plan.reply = segments && !segments->empty() ? dispatch(request, *segments) : problem(400, "broken path");
    return plan;
}

Reply ControlApi::dispatch(const Request& request, const Segments& segments) {
    const std::string& name = segments[0];
    const std::string call = request.method + ' ' + name;
    if (call == "GET health") return answer({{"status", "ok"}, {"uptime_ms", world_.clock.uptime().count()}});
    if (call == "GET config" || call == "PUT config") return config(request);
    if (name == "faults") return faults(request, segments);
    if (call == "GET counters") return counters();
    if (call == "GET journal") return journal(request);
    if (call == "GET tokens" && segments.size() == 2) return tokens(segments);
    if (call == "GET phones") return phones(request, segments);
    if (name == "webpush") return webpush_.control(request, segments);
    if (call == "GET apns") return apns();
    if (call == "POST apns" && segments.size() == 2 && segments[1] == "followers") return follow_channel(request);
    if (call == "POST apns") return make_channel(request);
    if (name == "hms") return hms(request, segments);
    if (call == "POST reset") return reset();
    if (call == "POST expire-access-tokens") return expire_access_tokens();
    if (call == "POST silence") {
        fleet_.silence_connections();
        return answer({{"status", "ok"}});
    }
    return problem(404,
                   "no such call; there are GET /health, GET|PUT /config, GET|POST|DELETE /faults, GET /counters, "
                   "GET /journal, GET /tokens/summary, GET /tokens/{token}, GET /phones, GET /phones/{token}, GET|POST "
                   "/apns, POST /apns/followers, "
                   "GET /hms, POST /hms/revoke-access-tokens, "
                   "POST /reset, POST /expire-access-tokens, POST /silence");
}

Reply ControlApi::config(const Request& request) {
    Settings settings;
    {
        const std::lock_guard lock(world_.mutex);
        if (request.method == "PUT") {
            const Json json = Json::parse(request.body, nullptr, false);
            if (const auto wrong = update_settings(world_.settings, json)) return problem(400, *wrong);
        }
        settings = world_.settings;
    }
    if (request.method == "PUT") fleet_.settings_changed(settings);
    return answer(settings);
}

Reply ControlApi::faults(const Request& request, const Segments& segments) {
    Json list;
    {
        const std::lock_guard lock(world_.mutex);
        if (request.method == "POST") {
            const Json json = Json::parse(request.body, nullptr, false);
            if (json.is_discarded()) return problem(400, "the body is not JSON: send one fault rule or a list");
            if (const auto wrong = world_.faults.add(json)) return problem(400, *wrong);
        } else if (request.method == "DELETE" && segments.size() == 1) {
            world_.faults.clear();
        } else if (request.method == "DELETE") {
            std::uint64_t id = 0;
            std::from_chars(segments[1].data(), segments[1].data() + segments[1].size(), id);
            if (!world_.faults.remove(id)) return problem(404, "no fault rule " + segments[1]);
        } else if (request.method != "GET") {
            return problem(405, "faults take GET, POST and DELETE");
        }
        list = world_.faults.json();
    }
    apply_connect_faults();
    return answer({{"faults", std::move(list)}});
}

void ControlApi::apply_connect_faults() {
    bool refused = false;
    {
        const std::lock_guard lock(world_.mutex);
        refused = world_.faults.connects_refused();
    }
    fleet_.set_accepting(!refused);
}

Reply ControlApi::counters() {
    Json json;
    {
        const std::lock_guard lock(world_.mutex);
        json = world_.counters.json();
        json["journal_total"] = world_.journal.total();
    }
    json["uptime_ms"] = world_.clock.uptime().count();
    json["sink"] = fleet_.sink_json();
    return answer(json);
}

Reply ControlApi::journal(const Request& request) {
    const std::size_t limit = std::min(number_in(request, "limit", kListDefault), kListMax);
    Json entries = Json::array();
    const std::lock_guard lock(world_.mutex);
    const auto list = world_.journal.list(number_in(request, "offset", 0), limit);
    for (const JournalEntry& entry : list) entries.push_back(entry_json(entry));
    return answer({{"total", world_.journal.total()},
                   {"first_kept", world_.journal.first_kept()},
                   {"next_offset", list.empty() ? world_.journal.total() : list.back().sequence + 1},
                   {"entries", std::move(entries)}});
}

Reply ControlApi::tokens(const Segments& segments) {
    const std::lock_guard lock(world_.mutex);
    if (segments[1] != "summary") {
        return answer({{"token", segments[1]}, {"times_accepted", world_.ledger.times_accepted(segments[1])}});
    }
    const TokenLedger::Summary summary = world_.ledger.summary();
    return answer({{"distinct", summary.distinct},
                   {"accepted", summary.accepted},
                   {"min_times", summary.min_times},
                   {"max_times", summary.max_times},
                   {"more_than_once", summary.more_than_once}});
}

Reply ControlApi::phones(const Request& request, const Segments& segments) {
    const std::lock_guard lock(world_.mutex);
    if (segments.size() == 2) {
        const Phones::Phone* phone = world_.phones.find(segments[1]);
        Json messages = Json::array();
        if (phone != nullptr) {
            for (const Delivered& message : phone->last) messages.push_back(phone_view(message));
        }
        return answer({{"token", segments[1]},
                       {"received", phone == nullptr ? 0 : phone->received},
                       {"messages", std::move(messages)}});
    }
    const auto& all = world_.phones.all();
    const std::size_t offset = number_in(request, "offset", 0);
    const std::size_t limit = std::min(number_in(request, "limit", kListDefault), kListMax);
    Json list = Json::array();
    for (std::size_t i = offset; i < all.size() && list.size() < limit; ++i) {
        list.push_back({{"token", all[i]->token}, {"received", all[i]->received}});
    }
    return answer({{"total", all.size()}, {"not_kept", world_.phones.not_kept()}, {"phones", std::move(list)}});
}

Reply ControlApi::make_channel(const Request& request) {
    const Json json = Json::parse(request.body, nullptr, false);
    if (!json.is_object()) return problem(400, "the body must be an object: {\"bundle\": ..., \"stored\": true}");
    ApnsChannel channel;
    channel.bundle = json.value("bundle", "com.example.app");
    channel.stored = json.value("stored", false);
    if (json.value("sandbox", false)) channel.environment = ApnsEnvironment::Sandbox;
    const std::lock_guard lock(world_.mutex);
    return answer({{"channel", add_channel(world_.apns, std::move(channel))}});
}

Reply ControlApi::follow_channel(const Request& request) {
    const Json json = Json::parse(request.body, nullptr, false);
    const bool good =
        json.is_object() && json.value("channel", Json()).is_string() && json.value("phones", Json()).is_array();
    if (!good) return problem(400, "the body must be an object: {\"channel\": ID, \"phones\": [NAME, ...]}");
    const std::lock_guard lock(world_.mutex);
    const auto found = world_.apns.channels.find(json["channel"].get<std::string>());
    if (found == world_.apns.channels.end()) return problem(404, "no such channel");
    for (const Json& phone : json["phones"]) {
        if (phone.is_string()) found->second.followers.push_back(phone.get<std::string>());
    }
    return answer({{"followers", found->second.followers.size()}});
}

Reply ControlApi::apns() {
    Json connections = Json::object(), channels = Json::object();
    const auto place = [](ApnsEnvironment environment) {
        return environment == ApnsEnvironment::Production ? "production" : "sandbox";
    };
    const std::lock_guard lock(world_.mutex);
    for (const auto& [id, connection] : world_.apns.connections) {
        const ApnsKey* key = connection.token.key;
        connections[std::to_string(id)] = {
            {"environment", place(connection.environment)},
            {"key_id", key == nullptr ? Json() : Json(key->key_id)},
            {"certificate", connection.certificate ? Json(connection.certificate->subject_uid) : Json()},
            {"provider_tokens", connection.jwts}};
    }
    for (const auto& [id, channel] : world_.apns.channels) {
        channels[id] = {
            {"bundle", channel.bundle}, {"environment", place(channel.environment)}, {"sent", channel.sent}};
    }
    return answer({{"connections", std::move(connections)}, {"channels", std::move(channels)}});
}

Reply ControlApi::hms(const Request& request, const Segments& segments) {
    const std::lock_guard lock(world_.mutex);
    const bool revoke = segments.size() == 2 && segments[1] == "revoke-access-tokens";
    if (revoke && request.method == "POST") {
        revoke_hms_tokens(world_);
    } else if (segments.size() != 1 || request.method != "GET") {
        return problem(404, "there are GET /hms and POST /hms/revoke-access-tokens");
    }
    const HmsState& hms = world_.hms;
    return answer({{"oauth_calls", hms.oauth_calls},
                   {"tokens_issued", hms.tokens_issued},
                   {"sends", hms.sends},
                   {"devices", hms.devices},
                   {"largest", hms.largest},
                   {"repeated", hms.repeated},
                   {"withheld", hms.withheld}});
}

Reply ControlApi::reset() {
    {
        const std::lock_guard lock(world_.mutex);
        world_.reset();
    }
    webpush_.forget_messages();
    fleet_.reset_sink();
    fleet_.set_accepting(true);
    return answer({{"status", "ok"}});
}

Reply ControlApi::expire_access_tokens() {
    const std::lock_guard lock(world_.mutex);
    world_.oauth.expire_all(world_.clock.uptime());
    expire_hms_tokens(world_);
    return answer({{"status", "ok"}});
}

}  // namespace belfry::simulator
