// SPDX-License-Identifier: Apache-2.0
#include "serve/migrate.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>

#include "base/handles.h"
#include "crypto/hash.h"
#include "serve/moved.h"
#include "serve/stores.h"
#include "serve/version.h"

namespace belfry::serve {

namespace {

using Json = nlohmann::json;

constexpr uint32_t kRecordsPerPage = 1000;
constexpr int64_t kStopMs = 1000;
constexpr const char* kState = "state";
constexpr const char* kDevices = "devices";
constexpr const char* kQueue = "queue";

// A sum over records that does not depend on their order: two stores keep them in different ones.
struct Sum {
    uint64_t records = 0;
    std::array<uint64_t, 2> of{};

    void add(std::string_view record) {
        const crypto::Digest digest = crypto::sha256(record);
        for (size_t i = 0; i < of.size(); ++i) {
            uint64_t part = 0;
            std::memcpy(&part, digest.data() + i * sizeof part, sizeof part);
            of[i] += part;
        }
        ++records;
    }
    bool operator==(const Sum&) const = default;
};

// One of the things that are moved one after the other.
struct Part {
    std::string what, app, cursor;
    bool done = false;
    Sum sum;
};

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

struct Page {
    std::vector<std::string> records;
    std::string next;  // empty: that was the last
    size_t seen = 0;
};

// The marks of a migration are about one store and stay in it.
bool is_mark(std::string_view record) {
    return record.find(kMovedKey) != std::string_view::npos || record.find(kArrivingKey) != std::string_view::npos;
}

Result<Page> read_page(Stores& stores, const Part& part, uint32_t limit) {
    Page page;
    const auto keep = [&](const belfry_str& record) {
        ++page.seen;
        if (part.what != kState || !is_mark(view(record))) page.records.push_back(text(record));
    };
    if (part.what == kQueue) {
        Result<std::string> next = stores.queue().dump(part.cursor, limit, keep);
        if (!next) return next.error();
        page.next = std::move(*next);
        return page;
    }
    auto paging = sized<belfry_paging>();
    paging.limit = limit;
    paging.cursor = str(std::string_view(part.cursor));
    const Result<plugins::ListEnd> end = stores.storage().dump(part.app, paging, keep);
    if (!end) return end.error();
    if (end->more) page.next = end->cursor;
    return page;
}

Status load_page(Stores& stores, const Part& part, const Page& page) {
    std::vector<belfry_str> rows;
    for (const std::string& record : page.records) rows.push_back(str(std::string_view(record)));
    if (rows.empty()) return {};
    return part.what == kQueue ? stores.queue().load(rows) : stores.storage().load(part.app, rows);
}

Error about(const std::string& side, Error error) {
    error.where = side + (error.where.empty() ? "" : ", " + error.where);
    return error;
}

Status set_mark(plugins::Storage& storage, std::string_view key, const Json* value) {
    const Result<plugins::KvValue> now = storage.kv_get(key);
    if (!now) return now.error();
    if (value != nullptr) return storage.kv_put(key, value->dump(), now->version);
    return now->version == 0 ? Status() : storage.kv_delete(key, now->version);
}

// Nothing, or what the mark says.
Result<Json> mark_of(plugins::Storage& storage, std::string_view key) {
    const Result<plugins::KvValue> value = storage.kv_get(key);
    if (!value) return value.error();
    if (value->version == 0) return Json();
    Json mark = Json::parse(value->value, nullptr, false);
    if (mark.is_object()) return mark;
    return error(ErrorCode::Corrupt, "the mark of a migration cannot be read; it was made by another version",
                 std::string(key));
}

// Nobody else may work on it now. A server that was killed is taken for dead after its lease.
Status require_idle(Stores& stores) {
    if (!stores.storage().offers(BELFRY_STORAGE_DUMP) || !stores.queue().offers(BELFRY_QUEUE_DUMP)) {
        return error(ErrorCode::Unsupported, "its storage and its queue must both offer dump and load");
    }
    if (!stores.queue().offers(BELFRY_QUEUE_MULTI_NODE)) return {};  // data_dir is locked
    uint64_t node = 0;
    crypto::random_bytes(&node, sizeof node);
    const Result<belfry_pulse> pulse = stores.queue().beat(node >> 1 | 1);
    if (!pulse) return pulse.error();
    if (pulse->live_nodes <= 1) return {};
    return error(ErrorCode::Conflict,
                 std::to_string(pulse->live_nodes - 1) +
                     " server(s) work on its queue; stop them, or wait a minute if they were killed");
}

class Migration {
public:
    Migration(Stores& from, Stores& to, const MoveProgress& progress) : from_(from), to_(to), progress_(progress) {}

    Result<Moved> run() {
        if (Status s = begin(); !s) return s.error();
        for (Part& part : parts_) {
            if (Status s = move(part); !s) return s.error();
        }
        for (const Part& part : parts_) {
            if (Status s = compare(part); !s) return s.error();
        }
        if (Status s = end(); !s) return s.error();
        Moved moved{resumed_, {}};
        for (const Part& part : parts_) moved.parts.push_back({part.what, part.app, part.sum.records});
        return moved;
    }

private:
    Status begin();
    Status resume(const Json& left, const Json& arriving);
    Status mark_source(bool done);
    Status require_empty();
    Status move(Part& part);
    Status read_all(Stores& stores, const Part& part, const std::function<void(std::string)>& fn);
    Status compare(const Part& part);
    Status end();
    Status save();

    Stores& from_;
    Stores& to_;
    const MoveProgress& progress_;
    std::string id_;
    bool resumed_ = false;
    std::vector<Part> parts_;
};

Status Migration::begin() {
    const Result<Json> left = mark_of(from_.storage(), kMovedKey);
    if (!left) return about("--from", left.error());
    const Result<Json> unfinished = mark_of(from_.storage(), kArrivingKey);
    if (!unfinished) return about("--from", unfinished.error());
    if (!unfinished->is_null()) {
        return error(ErrorCode::Conflict, "an earlier migration to it is unfinished; finish that one first", "--from");
    }
    const Result<Json> arriving = mark_of(to_.storage(), kArrivingKey);
    if (!arriving) return about("--to", arriving.error());
    if (arriving->is_object()) return resume(*left, *arriving);
    if (left->is_object() && left->value("done", false)) {
        return error(ErrorCode::Conflict,
                     "was moved to the stores of " + left->value("to", "") +
                         " already; belfry migrate --take-back makes it usable again",
                     "--from");
    }
    if (Status s = require_empty(); !s) return s;
    std::array<char, 12> random{};
    crypto::random_bytes(random.data(), random.size());
    id_ = crypto::base64url({random.data(), random.size()});
    parts_.push_back({kState, {}, {}, false, {}});
    std::vector<std::string> apps;
    for (const config::Config* config : {&from_.config(), &to_.config()}) {
        for (const config::AppConfig& app : config->apps) {
            if (std::find(apps.begin(), apps.end(), app.name) == apps.end()) apps.push_back(app.name);
        }
    }
    for (const std::string& app : apps) parts_.push_back({kDevices, app, {}, false, {}});
    parts_.push_back({kQueue, {}, {}, false, {}});
    // The target first: with a mark on the source alone nothing would be there to go on with.
    if (Status s = save(); !s) return s;
    return mark_source(false);
}

// The marks of both sides were written one after the other, and a kill may have come in between.
Status Migration::resume(const Json& left, const Json& arriving) {
    resumed_ = true;
    id_ = arriving.value("id", "");
    const bool ours =
        left.is_object() ? left.value("id", "") == id_ : arriving.value("from", "") == from_.config().file;
    if (!ours) {
        return error(ErrorCode::Conflict, "holds a part of another migration; empty it, or finish that one", "--to");
    }
    try {
        for (const Json& part : arriving.at("parts")) parts_.push_back(part_of(part));
    } catch (const Json::exception&) {
        return error(ErrorCode::Corrupt, "the record of the migration is unreadable; empty the target and begin anew",
                     "--to");
    }
    return left.is_object() ? Status() : mark_source(false);
}

Status Migration::mark_source(bool done) {
    const Json mark{{"id", id_}, {"to", to_.config().file}, {"done", done}, {"version", kVersion}};
    const Status marked = set_mark(from_.storage(), kMovedKey, &mark);
    return marked ? Status() : Status(about("--from", marked.error()));
}

Status Migration::require_empty() {
    std::vector<Part> looked{{kQueue, {}, {}, false, {}}};
    for (const config::Config* config : {&from_.config(), &to_.config()}) {
        for (const config::AppConfig& app : config->apps) looked.push_back({kDevices, app.name, {}, false, {}});
    }
    for (const Part& part : looked) {
        const Result<Page> page = read_page(to_, part, 1);
        if (!page) return about("--to", page.error());
        if (page->seen == 0) continue;
        return error(ErrorCode::Conflict,
                     part.what == kQueue ? "its queue is not empty; only empty stores are moved to"
                                         : "its storage has devices or topics already; only empty stores are moved to",
                     "--to");
    }
    return {};
}

Status Migration::save() {
    Json parts = Json::array();
    for (const Part& part : parts_) parts.push_back(json_of(part));
    const Json mark{{"id", id_}, {"from", from_.config().file}, {"version", kVersion}, {"parts", parts}};
    const Status saved = set_mark(to_.storage(), kArrivingKey, &mark);
    return saved ? Status() : Status(about("--to", saved.error()));
}

Status Migration::move(Part& part) {
    while (!part.done) {
        Result<Page> page = read_page(from_, part, kRecordsPerPage);
        if (!page) return about("--from", page.error());
        if (Status loaded = load_page(to_, part, *page); !loaded) return about("--to", loaded.error());
        for (const std::string& record : page->records) part.sum.add(record);
        part.done = page->next.empty();
        part.cursor = std::move(page->next);
        if (Status saved = save(); !saved) return saved;
        progress_(part.what + (part.app.empty() ? "" : " of " + part.app), part.sum.records);
    }
    return {};
}

Status Migration::read_all(Stores& stores, const Part& part, const std::function<void(std::string)>& fn) {
    Part place{part.what, part.app, {}, false, {}};
    do {
        Result<Page> page = read_page(stores, place, kRecordsPerPage);
        if (!page) return about(&stores == &to_ ? "--to" : "--from", page.error());
        for (std::string& record : page->records) fn(std::move(record));
        place.cursor = std::move(page->next);
    } while (!place.cursor.empty());
    return {};
}

// State that the target's own plugins made stands beside what came; everything else must be equal.
Status Migration::compare(const Part& part) {
    const std::string words = part.what + (part.app.empty() ? "" : " of " + part.app);
    Sum found;
    std::set<std::string> state;
    Status read = read_all(to_, part, [&](std::string record) {
        found.add(record);
        if (part.what == kState) state.insert(std::move(record));
        if (found.records % kRecordsPerPage == 0) progress_("comparing " + words, found.records);
    });
    bool equal = found == part.sum;
    if (read && part.what == kState) {
        equal = true;
        read = read_all(from_, part, [&](const std::string& record) { equal = equal && state.contains(record); });
    }
    if (!read) return read;
    if (equal) return {};
    return error(ErrorCode::Corrupt,
                 words + ": " + std::to_string(part.sum.records) + " records left the source, " +
                     std::to_string(found.records) +
                     " are there and differ; the source is unchanged: empty the target and begin anew",
                 "--to");
}

Status Migration::end() {
    if (Status s = mark_source(true); !s) return s;
    if (Status s = set_mark(to_.storage(), kArrivingKey, nullptr); !s) return about("--to", s.error());
    return {};
}

// The data directories of both sides; one of them alone if they share it.
struct Folders {
    std::optional<DataDir> from, to;
    const DataDir& of_target() const { return to ? *to : *from; }
};

Result<Folders> lock_folders(const config::Config& from, const config::Config& to) {
    Folders folders;
    std::error_code failed;
    if (!std::filesystem::exists(from.data_dir, failed)) {
        return error(ErrorCode::Misconfigured, "data_dir " + from.data_dir + " does not exist; no server ran there",
                     "--from");
    }
    Result<DataDir> source = DataDir::open(from.data_dir);
    if (!source) return about("--from", source.error());
    folders.from.emplace(std::move(*source));
    if (std::filesystem::equivalent(from.data_dir, to.data_dir, failed)) return folders;
    Result<DataDir> target = DataDir::open(to.data_dir);
    if (!target) return about("--to", target.error());
    folders.to.emplace(std::move(*target));
    return folders;
}

// What plugins need beside their own stores.
class Tools {
public:
    Result<Workshop> open() {
        Result<std::unique_ptr<http::Engine>> engine = http::Engine::create({}, clock_, lines_, metrics_);
        if (!engine) return engine.error();
        engine_ = std::move(*engine);
        return Workshop{clock_, lines_, metrics_, *engine_};
    }
    ~Tools() {
        if (engine_) engine_->stop(clock_.mono_ns() + kStopMs * kNsPerMs);
    }

private:
    SystemClock clock_;
    // What goes wrong is the command's one line, not the log's.
    UniqueFd nowhere_{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    telemetry::LineLog lines_{nowhere_.get(), LogLevel::Error, clock_};
    telemetry::MetricRegistry metrics_{false};
    std::unique_ptr<http::Engine> engine_;
};

Status start_side(Stores& stores, const char* side) {
    if (Status s = stores.start(); !s) return about(side, s.error());
    if (Status s = require_idle(stores); !s) return about(side, s.error());
    return {};
}

}  // namespace

Result<Moved> migrate(const config::Config& from, const config::Config& to, const MoveProgress& progress) {
    const Result<Folders> folders = lock_folders(from, to);
    if (!folders) return folders.error();
    Tools tools;
    const Result<Workshop> shop = tools.open();
    if (!shop) return shop.error();
    Stores source(from, *folders->from, *shop);
    if (Status s = start_side(source, "--from"); !s) return s.error();
    Stores target(to, folders->of_target(), *shop);
    if (Status s = start_side(target, "--to"); !s) return s.error();
    Result<Moved> moved = Migration(source, target, progress).run();
    if (moved) StoreMemory(to, folders->of_target().path().string()).remember(true, true);
    return moved;
}

Status take_back(const config::Config& from) {
    const Result<DataDir> data = DataDir::open(from.data_dir);
    if (!data) return about("--from", data.error());
    Tools tools;
    const Result<Workshop> shop = tools.open();
    if (!shop) return shop.error();
    Stores source(from, *data, *shop);
    if (Status s = source.start(); !s) return about("--from", s.error());
    const Result<Json> mark = mark_of(source.storage(), kMovedKey);
    if (!mark) return about("--from", mark.error());
    if (mark->is_null()) return error(ErrorCode::NotFound, "was not moved: there is nothing to take back", "--from");
    return set_mark(source.storage(), kMovedKey, nullptr);
}

}  // namespace belfry::serve
