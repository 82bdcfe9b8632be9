// SPDX-License-Identifier: Apache-2.0
// What the registry changes on devices that are registered already.
#include <belfry/abi.hpp>

#include "audience/registry.h"
#include "audience/rows.h"

namespace belfry::audience {
namespace {

// A change as storages take it; refers to `from`.
struct Patch {
    explicit Patch(const Change& from) : topics(views(from.topics)), row(sized<belfry_patch>()) {
        const auto set = [&](const std::optional<std::string>& value, uint32_t flag, belfry_str& into) {
            if (!value) return;
            row.flags |= flag;
            into = str(std::string_view(*value));
        };
        set(from.user, BELFRY_PATCH_USER, row.user);
        set(from.meta, BELFRY_PATCH_META, row.meta);
        set(from.timezone, BELFRY_PATCH_TIMEZONE, row.timezone);
        set(from.locale, BELFRY_PATCH_LOCALE, row.locale);
        set(from.guard_user, BELFRY_PATCH_GUARD_USER, row.guard_user);
        if (from.user && from.sync_topics) row.flags |= BELFRY_PATCH_SYNC_TOPICS;
        if (!from.topic_op) return;
        row.flags |= BELFRY_PATCH_TOPICS;
        row.topic_op = static_cast<int32_t>(*from.topic_op);
        row.topics = list_of(topics);
    }
    std::vector<belfry_str> topics;
    belfry_patch row;
};

// Nothing: the storage failed for this device, which is nobody's fault outside.
std::optional<Changed::Verdict> verdict_of(belfry_code code) {
    switch (BELFRY_CODE_CLASS(code)) {
        case BELFRY_OK:
            return Changed::Verdict::Done;
        case BELFRY_NOT_FOUND:
            return Changed::Verdict::Missing;
        case BELFRY_CONFLICT:
            return Changed::Verdict::Guarded;
        case BELFRY_TOO_LARGE:
            return Changed::Verdict::TooManyTopics;
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<Changed> Registry::update(std::string_view app, const std::vector<int64_t>& keys,
                                 const std::vector<std::string>& users, const Change& change) {
    Selection selection;
    selection.keys = keys;
    selection.users = users;
    const Selected selected(selection);
    const Patch patch(change);
    Changed changed;
    changed.keys.assign(keys.size(), Changed::Verdict::Missing);
    belfry_code failed = BELFRY_OK;
    const Status done = storage_.update_devices(app, selected.which, patch.row, [&](const belfry_item_result& row) {
        const std::optional<Changed::Verdict> verdict = verdict_of(row.code);
        if (!verdict) failed = row.code;
        const bool of_key = row.index < keys.size();
        if (of_key && verdict) changed.keys[row.index] = *verdict;
        if (!of_key && verdict && row.code != BELFRY_OK) changed.of_users = *verdict;
        // With keys, the users' rows count the same devices again.
        if (of_key || keys.empty()) changed.devices += row.changed;
    });
    if (!done) return done.error();
    if (failed != BELFRY_OK) return refused(failed);
    return changed;
}

Result<uint64_t> Registry::remove(std::string_view app, const std::vector<int64_t>& keys,
                                  const std::vector<std::string>& users) {
    Selection selection;
    selection.keys = keys;
    selection.users = users;
    const Selected selected(selection);
    uint64_t removed = 0;
    belfry_code failed = BELFRY_OK;
    const Status done = storage_.remove_devices(app, selected.which, [&](const belfry_item_result& row) {
        removed += row.changed;
        if (row.code != BELFRY_OK && BELFRY_CODE_CLASS(row.code) != BELFRY_NOT_FOUND) failed = row.code;
    });
    if (!done) return done.error();
    if (failed != BELFRY_OK) return refused(failed);
    removed_.add(static_cast<double>(removed));
    return removed;
}

Status Registry::update_user_topics(std::string_view app, std::span<const UserTopics> changes) {
    std::vector<std::vector<belfry_str>> names;
    std::vector<belfry_user_topics> rows;
    names.reserve(changes.size());  // rows point into it
    for (const UserTopics& change : changes) {
        belfry_user_topics& row = rows.emplace_back(sized<belfry_user_topics>());
        row.op = static_cast<int32_t>(change.op);
        row.user = str(std::string_view(change.user));
        row.topics = list_of(names.emplace_back(views(change.topics)));
    }
    belfry_code failed = BELFRY_OK;
    const Status done = storage_.update_user_topics(app, rows, [&](const belfry_item_result& row) {
        if (row.code != BELFRY_OK) failed = row.code;
    });
    if (!done) return done;
    if (failed != BELFRY_OK) return refused(failed);
    return {};
}

}  // namespace belfry::audience
