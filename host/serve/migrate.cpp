// SPDX-License-Identifier: Apache-2.0
#include "serve/migrate.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "crypto/hash.h"
#include "serve/move_marks.h"
#include "serve/move_part.h"
#include "serve/moved.h"
#include "serve/two_sides.h"
#include "serve/version.h"

namespace belfry::serve {

namespace {

constexpr uint32_t kRecordsPerPage = 1000;

std::string new_id() {
    std::array<char, 12> random{};
    crypto::random_bytes(random.data(), random.size());
    return crypto::base64url({random.data(), random.size()});
}

class Migration {
public:
    Migration(Side& from, Side& to, bool may_be_empty, const MoveProgress& progress)
        : from_(from), to_(to), may_be_empty_(may_be_empty), progress_(progress) {}

    Result<Moved> run() {
        if (Status s = begin(); !s) return s.error();
        // A server that started meanwhile is seen now, or it sees the marks.
        if (Status s = require_idle(); !s) return s.error();
        for (Part& part : coming_.parts) {
            if (Status s = move(part); !s) return s.error();
        }
        for (const Part& part : coming_.parts) {
            if (Status s = compare(part); !s) return s.error();
        }
        Moved moved{resumed_, {}};
        for (const Part& part : coming_.parts) moved.parts.push_back({part.what, part.app, part.sum.records});
        if (Status s = end(); !s) return s.error();
        return moved;
    }

private:
    Status begin();
    Status read_marks();
    Status begin_anew();
    Status resume();
    Status require_idle();
    Status mark_source();
    Status mark_target();
    std::vector<std::string> apps() const;
    Result<bool> is_empty(Side& side, const Part& part);
    Status require_something(const std::vector<Part>& parts);
    Status move(Part& part);
    Status read_all(Side& side, const Part& part, const std::function<void(std::string)>& fn);
    Status compare(const Part& part);
    Status end();

    Side& from_;
    Side& to_;
    const bool may_be_empty_;
    const MoveProgress& progress_;
    LeftMark left_;        // as it is on the source
    ArrivingMark coming_;  // as it is on the target
    bool resumed_ = false;
};

Status Migration::begin() {
    if (Status s = read_marks(); !s) return s;
    // Only the same id on both sides tells that nobody worked on the source since: a source that was taken back, or
    // came out of a backup, has another mark or none.
    const bool ours = left_.exists() && coming_.exists() && left_.id == coming_.id;
    if (ours && !coming_.done) return resume();
    if (left_.exists() && left_.done) {
        return from_.about(error(
            ErrorCode::Conflict,
            "was moved to the stores of " + left_.to + " already; belfry migrate --take-back makes it usable again"));
    }
    return begin_anew();
}

Status Migration::read_marks() {
    const Result<ArrivingMark> unfinished = read_arriving_mark(from_.storage());
    if (!unfinished) return from_.about(unfinished.error());
    if (unfinished->exists() && !unfinished->done) {
        return from_.about(
            error(ErrorCode::Conflict, "an earlier migration to it is unfinished; finish that one first"));
    }
    const Result<LeftMark> itself_left = read_left_mark(to_.storage());
    if (!itself_left) return to_.about(itself_left.error());
    if (itself_left->exists()) {
        return to_.about(error(ErrorCode::Conflict, "was itself left for the stores of " + itself_left->to +
                                                        "; only new stores are moved to"));
    }
    Result<LeftMark> left = read_left_mark(from_.storage());
    if (!left) return from_.about(left.error());
    left_ = std::move(*left);
    Result<ArrivingMark> coming = read_arriving_mark(to_.storage());
    if (!coming) return to_.about(coming.error());
    coming_ = std::move(*coming);
    return {};
}

std::vector<std::string> Migration::apps() const {
    std::vector<std::string> names;
    for (const config::Config* config : {&from_.config(), &to_.config()}) {
        for (const config::AppConfig& app : config->apps) {
            if (std::find(names.begin(), names.end(), app.name) == names.end()) names.push_back(app.name);
        }
    }
    return names;
}

Result<bool> Migration::is_empty(Side& side, const Part& part) {
    const Result<Page> page = read_page(side.stores(), part, 1);
    if (!page) return side.about(page.error());
    return page->seen == 0;
}

Status Migration::require_something(const std::vector<Part>& parts) {
    for (const Part& part : parts) {
        if (part.what == kState) continue;
        const Result<bool> empty = is_empty(from_, part);
        if (!empty) return empty.error();
        if (!*empty) return {};
    }
    return from_.about(error(ErrorCode::NotFound,
                             "has neither devices nor pushes of the apps that the two files name; is it the right one? "
                             "--empty moves it all the same"));
}

// Also after a kill between the first two marks: nothing came to the target then.
Status Migration::begin_anew() {
    std::vector<Part> parts{{kState, {}, {}, false, {}}};
    for (const std::string& app : apps()) parts.push_back({kDevices, app, {}, false, {}});
    parts.push_back({kQueue, {}, {}, false, {}});
    for (const Part& part : parts) {
        if (part.what == kState) continue;
        const Result<bool> empty = is_empty(to_, part);
        if (!empty) return empty.error();
        if (*empty) continue;
        const std::string holds = coming_.exists() && !coming_.done
                                      ? "holds a part of another migration, or of one that was taken back"
                                  : part.what == kQueue ? "its queue is not empty"
                                                        : "its storage has devices or topics already";
        return to_.about(error(ErrorCode::Conflict, holds + "; only empty stores are moved to"));
    }
    if (!may_be_empty_) {
        if (Status s = require_something(parts); !s) return s;
    }
    coming_.id = left_.id = new_id();
    coming_.from = from_.config().file;
    coming_.program = kVersion;
    coming_.left_queue = queue_identity(from_.config(), from_.stores().queue());
    if (coming_.left_queue == queue_identity(to_.config(), to_.stores().queue())) coming_.left_queue.clear();
    coming_.done = left_.done = false;
    coming_.parts = std::move(parts);
    left_.to = to_.config().file;
    if (Status s = mark_target(); !s) return s;
    return mark_source();
}

Status Migration::resume() {
    if (coming_.program != kVersion) {
        return to_.about(error(ErrorCode::Conflict, "a migration by Belfry " + coming_.program +
                                                        " is unfinished; finish it with that version, or empty the "
                                                        "target and begin anew"));
    }
    resumed_ = true;
    for (const std::string& app : apps()) {
        const auto has = [&](const Part& part) { return part.what == kDevices && part.app == app; };
        if (std::any_of(coming_.parts.begin(), coming_.parts.end(), has)) continue;
        Part added{kDevices, app, {}, false, {}};
        const Result<bool> empty = is_empty(to_, added);
        if (!empty) return empty.error();
        if (!*empty) {
            return to_.about(error(ErrorCode::Conflict, "has devices or topics of app \"" + app +
                                                            "\", which was not among the apps when this began"));
        }
        coming_.parts.push_back(std::move(added));
    }
    return {};
}

Status Migration::require_idle() {
    if (Status s = from_.require_idle(); !s) return s;
    return to_.require_idle();
}

Status Migration::mark_source() {
    const Status marked = write_mark(from_.storage(), left_);
    return marked ? Status() : Status(from_.about(marked.error()));
}

Status Migration::mark_target() {
    const Status marked = write_mark(to_.storage(), coming_);
    return marked ? Status() : Status(to_.about(marked.error()));
}

Status Migration::move(Part& part) {
    while (!part.done) {
        if (Status s = require_idle(); !s) return s;
        Result<Page> page = read_page(from_.stores(), part, kRecordsPerPage);
        if (!page) return from_.about(page.error());
        if (Status loaded = load_page(to_.stores(), part, *page); !loaded) return to_.about(loaded.error());
        for (const std::string& record : page->records) part.sum.add(record);
        part.done = page->next.empty();
        part.cursor = std::move(page->next);
        if (Status saved = mark_target(); !saved) return saved;
        progress_(part.words(), part.sum.records);
    }
    return {};
}

Status Migration::read_all(Side& side, const Part& part, const std::function<void(std::string)>& fn) {
    Part place{part.what, part.app, {}, false, {}};
    do {
        Result<Page> page = read_page(side.stores(), place, kRecordsPerPage);
        if (!page) return side.about(page.error());
        for (std::string& record : page->records) fn(std::move(record));
        place.cursor = std::move(page->next);
    } while (!place.cursor.empty());
    return {};
}

// The source is read a second time: what changed in it since its pages were read did not come along. State that the
// target's own plugins made stands beside what came; everything else must be equal.
Status Migration::compare(const Part& part) {
    Sum there, here;
    std::set<std::string> state;
    int64_t there_next = 0, here_next = 0;
    const auto shows = [&] {
        const uint64_t read = there.records + here.records;
        if (read % kRecordsPerPage == 0) progress_("comparing " + part.words(), read);
    };
    Status read = read_all(to_, part, [&](std::string record) {
        there.add(record);
        shows();
        if (part.what != kState) return;
        there_next = std::max(there_next, next_sequence_of(record));
        state.insert(std::move(record));
    });
    if (!read) return read;
    bool came = true;
    read = read_all(from_, part, [&](const std::string& record) {
        here.add(record);
        shows();
        if (part.what != kState) return;
        here_next = std::max(here_next, next_sequence_of(record));
        came = came && (is_sequence(record) || state.contains(record));
    });
    if (!read) return read;
    if (here != part.sum) {
        return from_.about(error(ErrorCode::Corrupt, part.words() + ": " + std::to_string(part.sum.records) +
                                                         " records left it, " + std::to_string(here.records) +
                                                         " are there now and differ: something worked on it "
                                                         "meanwhile; empty the target and begin anew"));
    }
    if (part.what == kState ? came && here_next <= there_next : there == here) return {};
    return to_.about(error(ErrorCode::Corrupt,
                           part.words() + ": " + std::to_string(part.sum.records) + " records left the source, " +
                               std::to_string(there.records) +
                               " are there and differ; the source is unchanged: empty the target and begin anew"));
}

// The target's mark stays: it tells which migration made it what it is.
Status Migration::end() {
    left_.done = true;
    if (Status s = mark_source(); !s) return s;
    coming_.done = true;
    coming_.parts.clear();
    return mark_target();
}

}  // namespace

Result<Moved> migrate(const config::Config& from, const config::Config& to, bool may_be_empty,
                      const MoveProgress& progress) {
    const Result<Folders> folders = lock_folders(from, to);
    if (!folders) return folders.error();
    Tools tools;
    const Result<Workshop> shop = tools.open();
    if (!shop) return shop.error();
    const auto waits = [&](const std::string& words) { progress(words, 0); };
    Side source("--from", from, *folders->from, *shop);
    if (Status s = source.start(waits); !s) return s.error();
    Side target("--to", to, folders->of_target(), *shop);
    if (Status s = target.start(waits); !s) return s.error();
    Result<Moved> moved = Migration(source, target, may_be_empty, progress).run();
    if (moved) StoreMemory(to, folders->of_target().path().string()).remember(true, true);
    return moved;
}

}  // namespace belfry::serve
