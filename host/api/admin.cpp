// SPDX-License-Identifier: Apache-2.0
#include "api/admin.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "api/envelope.h"
#include "api/json_writer.h"
#include "api/query.h"

namespace belfry::api {
namespace {

constexpr uint32_t kDeadPageDefault = 100;
constexpr std::string_view kDefaultApp = "default";

Error wrong(std::string what, std::string where) {
    return error(ErrorCode::InvalidArgument, std::move(what), std::move(where));
}

HttpResponse answer(const Result<std::string>& made) {
    HttpResponse response;
    if (made) {
        response.body = *made;
        return response;
    }
    const Fault fault = fault_of(made.error());
    response.status = fault.http_status;
    response.body = bare(fault);
    return response;
}

HttpResponse unknown() {
    HttpResponse response;
    response.status = 0;
    return response;
}

Result<uint64_t> number_of(const std::map<std::string, std::string>& query, const std::string& name,
                           uint64_t otherwise) {
    const auto it = query.find(name);
    if (it == query.end() || it->second.empty()) return otherwise;
    const std::string& text = it->second;
    uint64_t n = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (fault != std::errc() || end != text.data() + text.size()) return wrong("must be a number", name);
    return n;
}

// Ids are 64 bits: they travel as texts, since many JSON readers keep only 53 bits of a number.
Result<uint64_t> id_of(const json::Value& value) {
    const std::string text = value.is(json::Type::String) ? json::unescape(value) : std::string(value.raw);
    uint64_t n = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (text.empty() || fault != std::errc() || end != text.data() + text.size())
        return wrong("must be ids as GET /admin/dead shows them", "ids");
    return n;
}

Result<std::string> text_of(const json::Value& params, std::string_view name) {
    const json::Value value = json::member(params, name);
    if (value.is_nothing()) return std::string();
    if (!value.is(json::Type::String)) return wrong("must be a text", std::string(name));
    return json::unescape(value);
}

Status only(const json::Value& params, std::initializer_list<std::string_view> known) {
    std::string all;
    for (const std::string_view name : known) all += (all.empty() ? "" : ", ") + std::string(name);
    for (const json::Entry& entry : json::Entries(params)) {
        const bool meant = std::any_of(known.begin(), known.end(),
                                       [&](std::string_view name) { return json::equals(entry.key, name); });
        if (!meant) return wrong("unknown field; known are " + all, json::unescape(entry.key));
    }
    return {};
}

void write_lane(JsonWriter& out, const char* name, const delivery::LaneStats& lane, int64_t now_ms) {
    const int64_t waited =
        lane.oldest_ready_unix_ms == 0 ? 0 : std::max<int64_t>(0, now_ms - lane.oldest_ready_unix_ms);
    out.key(name).open('{').key("ready").integer(lane.ready).key("claimed").integer(lane.claimed);
    out.key("oldest_ready_ms").integer(waited).close('}');
}

void write_origins(JsonWriter& out, const std::vector<delivery::OriginStatus>& origins) {
    out.key("origins").open('[');
    for (const delivery::OriginStatus& origin : origins) {
        out.open('{').key("url").text(origin.url).key("state").text(delivery::name_of(origin.state));
        out.text_unless_empty("reason", origin.reason).integer_unless_zero("closed_ms", origin.closed_ms);
        out.key("deletions_stopped").boolean(origin.deletions_stopped).close('}');
    }
    out.close(']');
}

void write_platforms(JsonWriter& out, const std::vector<delivery::PlatformStatus>& platforms) {
    out.key("platforms").open('[');
    for (const delivery::PlatformStatus& platform : platforms) {
        out.open('{').key("name").text(platform.name).key("state").text("refused");
        out.key("reason").text(platform.reason).integer_unless_zero("closed_ms", platform.closed_ms).close('}');
    }
    out.close(']');
}

void write_provider(JsonWriter& out, const delivery::ProviderStatus& p) {
    out.open('{').key("name").text(p.name).key("state").text(delivery::name_of(p.state));
    out.text_unless_empty("reason", p.reason).integer_unless_zero("closed_ms", p.closed_ms);
    out.key("probing").boolean(p.probing).key("operator_must_act").boolean(p.operator_must_act);
    out.key("deletions_stopped").boolean(p.deletions_stopped);
    out.key("per_minute").integer(static_cast<int64_t>(p.per_minute)).key("window").integer(p.window);
    out.key("in_flight").integer(p.in_flight).key("stragglers").integer(p.stragglers);
    out.key("connections").integer(p.connections).key("free_streams").integer(p.free_streams);
    out.key("paused_platforms").integer(p.paused_platforms);
    if (!p.platforms.empty()) write_platforms(out, p.platforms);
    if (!p.origins.empty()) write_origins(out, p.origins);
    if (p.credential_valid_ms >= 0) out.key("credential_valid_ms").integer(p.credential_valid_ms);
    if (const auto& valid = p.credentials.certificate_valid_ms) out.key("certificate_valid_ms").integer(*valid);
    if (const auto& skew = p.credentials.clock_skew_ms) out.key("clock_skew_ms").integer(*skew);
    if (!p.credentials.notices.empty()) {
        out.key("notices").open('[');
        for (const std::string& notice : p.credentials.notices) out.text(notice);
        out.close(']');
    }
    out.text_unless_empty("last_error", p.last_error).integer_unless_zero("last_error_at", p.last_error_unix_ms / 1000);
    out.close('}');
}

void write_letter(JsonWriter& out, const delivery::DeadLetter& letter) {
    out.open('{').key("id").text(std::to_string(letter.id)).key("uid").text(letter.uid);
    out.text_unless_empty("provider", letter.provider);
    out.key("deliveries").integer(letter.deliveries).key("attempt").integer(letter.attempt);
    out.key("buried_at").integer(letter.buried_unix_ms / 1000);
    out.integer_unless_zero("replayed_at", letter.replayed_unix_ms / 1000).key("reason").text(letter.reason).close('}');
}

}  // namespace

HttpResponse Admin::get(std::string_view name, std::string_view query) {
    if (name == "queue") return answer(queue());
    if (name == "dead") return answer(dead(query));
    if (name == "providers") return answer(providers());
    return unknown();
}

HttpResponse Admin::post(std::string_view name, const json::Value& params) {
    if (name == "replay") return answer(replay(params));
    if (name == "backup") return answer(backup(params));
    return unknown();
}

Result<std::string> Admin::queue() {
    const Result<delivery::QueueStats> stats = delivery_.queue_stats();
    if (!stats) return stats.error();
    const int64_t now = clock_.unix_ms();
    JsonWriter out;
    out.open('{').key("lanes").open('{');
    write_lane(out, "high", stats->high, now);
    write_lane(out, "normal", stats->normal, now);
    write_lane(out, "low", stats->low, now);
    out.close('}').key("delayed").integer(stats->delayed).key("parked").integer(stats->parked);
    out.key("dead").integer(stats->dead).key("running_pushes").integer(stats->running_pushes);
    out.key("delayed_pushes").integer(stats->delayed_pushes).key("store_bytes").integer(stats->store_bytes).close('}');
    return out.take();
}

Result<std::string> Admin::dead(std::string_view query) {
    std::map<std::string, std::string> given = query_of(query);
    given.erase("api_key");
    for (const auto& [name, value] : given) {
        if (name != "app" && name != "uid" && name != "after" && name != "limit")
            return wrong("unknown parameter; known are app, uid, after, limit", name);
    }
    const Result<uint64_t> after = number_of(given, "after", 0);
    if (!after) return after.error();
    const Result<uint64_t> limit = number_of(given, "limit", kDeadPageDefault);
    if (!limit) return limit.error();
    if (*limit == 0 || *limit > kDeadPageMax) return wrong("must be between 1 and 1000", "limit");
    const std::string app = given.contains("app") ? given["app"] : std::string(kDefaultApp);
    const Result<delivery::DeadPage> page = delivery_.dead(app, given["uid"], *after, static_cast<uint32_t>(*limit));
    if (!page) return page.error();
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const delivery::DeadLetter& letter : page->letters) write_letter(out, letter);
    out.close(']');
    if (page->next_after != 0) out.key("next_after").text(std::to_string(page->next_after));
    out.close('}');
    return out.take();
}

Result<std::string> Admin::providers() {
    JsonWriter out;
    out.open('{').key("items").open('[');
    for (const delivery::ProviderStatus& provider : delivery_.providers()) write_provider(out, provider);
    out.close(']').close('}');
    return out.take();
}

Result<std::string> Admin::replay(const json::Value& params) {
    if (const Status known = only(params, {"app", "ids", "ignore_expiry"}); !known) return known.error();
    const Result<std::string> app = text_of(params, "app");
    if (!app) return app.error();
    const json::Value ids = json::member(params, "ids");
    const json::Value ignore = json::member(params, "ignore_expiry");
    if (!ignore.is_nothing() && !ignore.is_bool()) return wrong("must be true or false", "ignore_expiry");
    if (!ids.is(json::Type::Array) || json::count(ids) == 0) return wrong("must be a list of ids", "ids");
    if (json::count(ids) > kReplayIdsMax) return wrong("at most 10000 at once", "ids");
    std::vector<uint64_t> wanted;
    for (const json::Entry& entry : json::Entries(ids)) {
        const Result<uint64_t> id = id_of(entry.value);
        if (!id) return id.error();
        wanted.push_back(*id);
    }
    const Result<uint32_t> replayed =
        delivery_.replay(app->empty() ? std::string(kDefaultApp) : *app, wanted, ignore.is(json::Type::True));
    if (!replayed) return replayed.error();
    JsonWriter out;
    out.open('{').key("replayed").integer(*replayed).close('}');
    return out.take();
}

Result<std::string> Admin::backup(const json::Value& params) {
    if (const Status known = only(params, {"name"}); !known) return known.error();
    const Result<std::string> name = text_of(params, "name");
    if (!name) return name.error();
    const bool good = !name->empty() && name->size() <= kBackupNameMax && name->front() != '.' &&
                      std::all_of(name->begin(), name->end(), [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                 c == '.' || c == '_' || c == '-';
                      });
    if (!good) {
        return wrong("must be 1 to 64 letters, digits, '.', '_' or '-': the backup's folder below admin.backup_dir",
                     "name");
    }
    const std::unique_lock lock(backup_mutex_, std::try_to_lock);
    if (!lock.owns_lock()) return error(ErrorCode::Busy, "another backup is being made; try again when it is done");
    const Result<Backup> made = back_up_(*name);
    if (!made) return made.error();
    JsonWriter out;
    out.open('{').key("folder").text(made->folder).key("files").open('[');
    for (const Backup::File& file : made->files)
        out.open('{').key("name").text(file.name).key("bytes").integer(file.bytes).close('}');
    out.close(']').close('}');
    return out.take();
}

}  // namespace belfry::api
