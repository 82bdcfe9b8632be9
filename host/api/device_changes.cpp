// SPDX-License-Identifier: Apache-2.0
// Methods that change devices which are registered already.
#include "api/device_methods.h"
#include "api/service.h"

namespace belfry::api {
namespace {

using Verdict = audience::Changed::Verdict;

std::optional<Fault> read_change(const Checked& params, audience::Change& change) {
    if (const Checked* update = params.object("user_update")) {
        change.user = update->text("user");
        change.sync_topics = update->boolean("sync_topics");
    }
    if (const Checked* update = params.object("meta_update")) {
        std::variant<std::string, Fault> meta = compact_meta(update->value("meta"), "meta_update.meta");
        if (Fault* fault = std::get_if<Fault>(&meta)) return std::move(*fault);
        change.meta = std::move(std::get<std::string>(meta));
    }
    if (const Checked* update = params.object("topics_update")) {
        std::variant<TopicChange, Fault> topics = topic_change_of(*update, "topics_update.");
        if (Fault* fault = std::get_if<Fault>(&topics)) return std::move(*fault);
        change.topic_op = std::get<TopicChange>(topics).op;
        change.topics = std::move(std::get<TopicChange>(topics).topics);
    }
    if (const Checked* update = params.object("timezone_update")) {
        change.timezone = update->text("timezone");
        if (auto fault = check_timezone(*change.timezone, "timezone_update.timezone")) return fault;
    }
    if (const Checked* update = params.object("locale_update")) {
        change.locale = update->text("locale");
        if (auto fault = check_locale(*change.locale, "locale_update.locale")) return fault;
    }
    const bool any = change.user || change.meta || change.topic_op || change.timezone || change.locale;
    if (any) return std::nullopt;
    return bad_request(
        "user_update: nothing to change; give user_update, meta_update, topics_update, timezone_update or "
        "locale_update");
}

Fault too_many_topics(const std::string& field, const std::string& id) {
    return bad_request(field + ": device " + id + " would have more than " + std::to_string(kTopicsMax) +
                       " topics of its own; it was not changed");
}

}  // namespace

Answer Service::device_update(const App& app, const Checked& params, std::string_view) {
    if (!params.has("ids") && !params.has("users"))
        return bad_request("ids: give ids, users or both; nothing was changed");
    std::vector<int64_t> keys;
    const std::vector<std::string> ids = params.texts("ids");
    if (auto fault = keys_of(app, ids, "ids", keys)) return std::move(*fault);
    audience::Change change;
    if (auto fault = read_change(params, change)) return std::move(*fault);
    const Result<audience::Changed> done = devices_.update(app.name, keys, params.texts("users"), change);
    if (!done) return fault_of(done.error());
    for (size_t i = 0; i < done->keys.size(); ++i) {
        if (done->keys[i] == Verdict::TooManyTopics) return too_many_topics("topics_update.topics", ids[i]);
    }
    if (done->of_users == Verdict::TooManyTopics) {
        return bad_request("topics_update.topics: a device of these users would have more than " +
                           std::to_string(kTopicsMax) + " topics of its own; it was not changed, their others were");
    }
    if (!keys.empty() && done->devices == 0)
        return fault_of(error(ErrorCode::NotFound, "no such device in this app; register it", "ids"));
    return "{}";
}

Answer Service::device_remove(const App& app, const Checked& params, std::string_view) {
    if (!params.has("ids") && !params.has("users"))
        return bad_request("ids: give ids, users or both; nothing was removed");
    std::vector<int64_t> keys;
    if (auto fault = keys_of(app, params.texts("ids"), "ids", keys)) return std::move(*fault);
    const Result<uint64_t> removed = devices_.remove(app.name, keys, params.texts("users"));
    if (!removed) return fault_of(removed.error());
    return "{}";
}

Answer Service::device_topic_update(const App& app, const Checked& params, std::string_view) {
    const std::string id = params.text("device_id");
    std::vector<int64_t> keys;
    if (auto fault = keys_of(app, {id}, "device_id", keys)) return std::move(*fault);
    std::variant<TopicChange, Fault> topics = topic_change_of(params, "");
    if (Fault* fault = std::get_if<Fault>(&topics)) return std::move(*fault);
    audience::Change change;
    change.topic_op = std::get<TopicChange>(topics).op;
    change.topics = std::move(std::get<TopicChange>(topics).topics);
    if (params.has("user")) change.guard_user = params.text("user");
    const Result<audience::Changed> done = devices_.update(app.name, keys, {}, change);
    if (!done) return fault_of(done.error());
    switch (done->keys.front()) {
        case Verdict::Missing:
            return fault_of(error(ErrorCode::NotFound, "no such device in this app; register it", "device_id"));
        case Verdict::Guarded:
            return fault_of(
                error(ErrorCode::Conflict, "the device belongs to another user now; nothing was changed", "user"));
        case Verdict::TooManyTopics:
            return too_many_topics("topics", id);
        case Verdict::Done:
            break;
    }
    return "{}";
}

Answer Service::user_topic_update(const App& app, const Checked& params, std::string_view) {
    std::variant<audience::UserTopics, Fault> read = user_topics_of(params, "");
    if (Fault* fault = std::get_if<Fault>(&read)) return std::move(*fault);
    const Status done = devices_.update_user_topics(app.name, {&std::get<audience::UserTopics>(read), 1});
    if (!done) return fault_of(done.error());
    return "{}";
}

}  // namespace belfry::api
