// SPDX-License-Identifier: Apache-2.0
#include "serve/move_marks.h"

#include <nlohmann/json.hpp>

namespace belfry::serve {

namespace {

using Json = nlohmann::json;

Json json_of(const Part& part) {
    return {{"what", part.what},           {"app", part.app},
            {"cursor", part.cursor},       {"done", part.done},
            {"records", part.sum.records}, {"sum", {part.sum.of[0], part.sum.of[1]}}};
}

Part part_of(const Json& json) {
    Part part{json.at("what"), json.at("app"), json.at("cursor"), json.at("done"), {}};
    part.sum.records = json.at("records");
    part.sum.of = {json.at("sum").at(0), json.at("sum").at(1)};
    return part;
}

// `fill` takes what it needs out of the stored JSON, and may throw.
template <class Mark, class Fill>
Result<Mark> read_mark(plugins::Storage& storage, std::string_view key, Fill&& fill) {
    const Result<plugins::KvValue> stored = storage.kv_get(key);
    if (!stored) return stored.error();
    Mark mark;
    mark.version = stored->version;
    if (!mark.exists()) return mark;
    try {
        fill(mark, Json::parse(stored->value));
    } catch (const Json::exception&) {
        return error(ErrorCode::Corrupt, "the mark of a migration cannot be read; it was made by another version",
                     std::string(key));
    }
    return mark;
}

Status put(plugins::Storage& storage, std::string_view key, const Json& value, int64_t& version) {
    const Status done = storage.kv_put(key, value.dump(), version);
    if (done) ++version;
    return done;
}

}  // namespace

Result<LeftMark> read_left_mark(plugins::Storage& storage) {
    return read_mark<LeftMark>(storage, kMovedKey, [](LeftMark& mark, const Json& json) {
        mark.id = json.at("id");
        mark.to = json.at("to");
        mark.done = json.at("done");
        mark.taken_back = json.at("taken_back");
    });
}

Result<ArrivingMark> read_arriving_mark(plugins::Storage& storage) {
    return read_mark<ArrivingMark>(storage, kArrivingKey, [](ArrivingMark& mark, const Json& json) {
        mark.id = json.at("id");
        mark.from = json.at("from");
        mark.program = json.at("version");
        mark.done = json.at("done");
        mark.left_queue = json.at("left_queue");
        for (const Json& part : json.at("parts")) mark.parts.push_back(part_of(part));
    });
}

Status write_mark(plugins::Storage& storage, LeftMark& mark) {
    const Json json{{"id", mark.id}, {"to", mark.to}, {"done", mark.done}, {"taken_back", mark.taken_back}};
    return put(storage, kMovedKey, json, mark.version);
}

Status write_mark(plugins::Storage& storage, ArrivingMark& mark) {
    Json parts = Json::array();
    for (const Part& part : mark.parts) parts.push_back(json_of(part));
    const Json json{{"id", mark.id},     {"from", mark.from}, {"version", mark.program},
                    {"done", mark.done}, {"parts", parts},    {"left_queue", mark.left_queue}};
    return put(storage, kArrivingKey, json, mark.version);
}

Status remove_mark(plugins::Storage& storage, LeftMark& mark) {
    const Status done = storage.kv_delete(kMovedKey, mark.version);
    if (done) mark = {};
    return done;
}

}  // namespace belfry::serve
