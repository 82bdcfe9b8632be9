// SPDX-License-Identifier: Apache-2.0
// The way back: the source of a migration is used again, and its target no more.
#include "serve/migrate.h"
#include "serve/move_marks.h"
#include "serve/two_sides.h"

namespace belfry::serve {

namespace {

Result<LeftMark> mark_to_take_back(Side& source) {
    Result<LeftMark> mark = read_left_mark(source.storage());
    if (!mark) return source.about(mark.error());
    if (!mark->exists())
        return source.about(error(ErrorCode::NotFound, "was not moved: there is nothing to take back"));
    if (mark->taken_back) {
        return source.about(error(ErrorCode::Conflict, "was given up when the stores of " + mark->to +
                                                           " were taken back; only an empty store follows them"));
    }
    return mark;
}

// From now on no server starts on the target: the source has the same pushes.
Status give_up_target(Side& target, const std::string& id, const std::string& from) {
    const Result<ArrivingMark> coming = read_arriving_mark(target.storage());
    if (!coming) return target.about(coming.error());
    if (!coming->exists() || coming->id != id) {
        return target.about(error(ErrorCode::Conflict,
                                  "is not where --from was moved to; if those stores do not exist any more, say "
                                  "--target-is-gone instead of --to"));
    }
    Result<LeftMark> left = read_left_mark(target.storage());
    if (!left) return target.about(left.error());
    if (left->exists() && left->id != id) {
        return target.about(error(ErrorCode::Conflict, "was itself moved to the stores of " + left->to +
                                                           "; take those back first, to this one"));
    }
    left->id = id;
    left->to = from;
    left->done = left->taken_back = true;
    const Status marked = write_mark(target.storage(), *left);
    return marked ? Status() : Status(target.about(marked.error()));
}

}  // namespace

Status take_back(const config::Config& from, const config::Config* to) {
    const Result<Folders> folders = lock_folders(from, to != nullptr ? *to : from);
    if (!folders) return folders.error();
    Tools tools;
    const Result<Workshop> shop = tools.open();
    if (!shop) return shop.error();
    const auto waits = [](const std::string&) {};
    Side source("--from", from, *folders->from, *shop);
    if (Status s = source.start(waits); !s) return s;
    Result<LeftMark> mark = mark_to_take_back(source);
    if (!mark) return mark.error();
    if (to != nullptr) {
        Side target("--to", *to, folders->of_target(), *shop);
        if (Status s = target.start(waits); !s) return s;
        if (Status s = give_up_target(target, mark->id, from.file); !s) return s;
    }
    const Status removed = remove_mark(source.storage(), *mark);
    return removed ? Status() : Status(source.about(removed.error()));
}

}  // namespace belfry::serve
