// SPDX-License-Identifier: Apache-2.0
// Lists and counts: pages in key order after an opaque cursor, totals on request.
#include <belfry/abi.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include "storage/limits.h"
#include "storage/paging.h"
#include "storage_sqlite/reader.h"
#include "storage_sqlite/selection.h"

namespace belfry::storage {

using sqlite::Failure;

namespace {

// Candidates looked at together in a list page: enough for the page and the look ahead, if all of them match.
constexpr uint32_t kCandidates = 256;
uint32_t portion_for(const belfry_paging& paging) {
    return std::clamp(paging.limit, 15U, kCandidates - 1) + 1;
}

int64_t key_cursor(std::string_view text) {
    if (text.empty()) return -1;
    int64_t key = -1;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), key, 16);
    if (read.ec != std::errc{} || read.ptr != text.data() + text.size() || key < 0) refuse_cursor();
    return key;
}

PairCursor pair_cursor(std::string_view text) {
    if (text.empty()) return {};
    const auto cursor = decode_cursor(text);
    if (!cursor) refuse_cursor();
    return *cursor;
}

// How many of an owner's sorted names come before the place a cursor means.
size_t rank_after(const PairCursor& cursor, int64_t owner, const std::vector<std::string_view>& names) {
    if (cursor.owner != owner) return 0;
    for (size_t i = 0; i < names.size(); ++i) {
        if (hash_of(names[i]) == cursor.hash) return i + 1;
    }
    return std::min<size_t>(cursor.rank, names.size());
}

std::string encode_key(int64_t key) {
    std::array<char, 24> text{};
    std::snprintf(text.data(), text.size(), "%llx", static_cast<unsigned long long>(key));
    return text.data();
}

int64_t count_wanted(const Selection& selection, const std::vector<std::string_view>& names) {
    return std::count_if(names.begin(), names.end(),
                         [&](std::string_view name) { return selection.is_wanted_topic(name); });
}

// The rows of one page of pairs, with everything they point to.
struct PairPage {
    Arena arena;
    std::vector<belfry_topic_row> rows;
    std::vector<std::unique_ptr<belfry_device>> devices;

    const belfry_device* keep(const belfry_device& device) {
        devices.push_back(std::make_unique<belfry_device>(device));
        return devices.back().get();
    }
    void add(int64_t key, std::string_view user, std::string_view topic, uint32_t origins,
             const belfry_device* device) {
        belfry_topic_row row = sized<belfry_topic_row>();
        row.origins = origins;
        row.key = key;
        row.user = arena.keep(user);
        row.topic = arena.keep(topic);
        row.device = device;
        rows.push_back(row);
    }
    void emit_to(belfry_emit emit, void* ctx) const {
        for (size_t at = 0; at < rows.size(); at += kRowsPerEmit) {
            const auto n = static_cast<uint32_t>(std::min<size_t>(kRowsPerEmit, rows.size() - at));
            if (emit(ctx, belfry_list{rows.data() + at, n, sizeof(belfry_topic_row)}) != 0) return;
        }
    }
};

}  // namespace

bool Reader::walk(std::string_view app, const belfry_selection& which, int64_t after, uint32_t portion,
                  const Visit& visit, const InTime& in_time) {
    uint32_t looked_at = 0;
    for (bool more = true; more;) {
        const Snapshot snapshot(*this);
        const auto number = app_number(app);
        if (!number) return true;
        Selection selection(*this, *number, which);
        const auto& candidates = selection.next(after, portion);
        more = candidates.size() == portion;
        for (const auto& candidate : candidates) {
            after = candidate.key;
            if (in_time && ++looked_at % kRowsPerEmit == 0 && !in_time()) return false;
            DeviceView view;
            if (!selection.matches(candidate, &view)) continue;
            const auto read = [&] { return view.key >= 0 || row(*number, candidate.key, Columns::Wide, &view); };
            if (!visit(selection, candidate.key, view, read)) return true;
        }
    }
    return true;
}

void Reader::list_devices(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                          const InTime& time_to_count, belfry_emit emit, void* ctx, belfry_page_end* end) {
    start_page(paging, end);
    begin_call();
    batch_.start(emit, ctx, paging.fields);
    uint32_t listed = 0;
    int64_t last = -1;
    walk(app, which, key_cursor(view(paging.cursor)), portion_for(paging),
         [&](const Selection&, int64_t key, DeviceView& device, const ReadRow& read) {
             if (listed == paging.limit) {
                 put_cursor(encode_key(last), end);
                 return false;
             }
             if (!read()) return true;
             ++listed;
             last = key;
             return add_row(device, 0);
         });
    if (!batch_.flush() || paging.want_total == 0) return;
    if (!count_in_time(app, which, time_to_count, &end->total)) end->total = -1;
}

void Reader::list_device_topics(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                                const InTime& time_to_count, belfry_emit emit, void* ctx, belfry_page_end* end) {
    start_page(paging, end);
    begin_call();
    const PairCursor start = pair_cursor(view(paging.cursor));
    PairPage page;
    PairCursor last;
    // The device of the cursor may have topics left.
    const int64_t after = std::max<int64_t>(start.owner, 0) - 1;
    walk(app, which, after, portion_for(paging),
         [&](const Selection& selection, int64_t key, DeviceView& device, const ReadRow& read) {
             if (!read()) return true;
             const std::vector<std::string_view>& names = names_of(device.topics);
             const belfry_device* shown = nullptr;
             for (size_t i = rank_after(start, key, names); i < names.size(); ++i) {
                 if (!selection.is_wanted_topic(names[i])) continue;
                 if (page.rows.size() == paging.limit) {
                     put_cursor(encode_cursor(last), end);
                     return false;
                 }
                 if (shown == nullptr && paging.fields != 0)
                     shown = page.keep(RowBatch::row_of(device, 0, paging.fields, names, page.arena));
                 const bool with_user = (paging.fields & BELFRY_FIELD_USER) != 0;
                 page.add(key, with_user ? device.user : std::string_view(), names[i], origins_[i], shown);
                 last = {key, static_cast<uint32_t>(i + 1), hash_of(names[i])};
             }
             return true;
         });
    page.emit_to(emit, ctx);
    if (paging.want_total == 0) return;
    int64_t total = 0;
    const auto add = [&](const Selection& selection, int64_t, DeviceView& device, const ReadRow& read) {
        if (read()) total += count_wanted(selection, names_of(device.topics));
        return true;
    };
    end->total = walk(app, which, -1, kRowsPerSnapshot, add, time_to_count) ? total : -1;
}

std::vector<std::pair<int64_t, std::string>> Reader::bound_users(int64_t app, const std::vector<std::string>& wanted,
                                                                 const std::string& from, uint32_t n) {
    std::vector<std::pair<int64_t, std::string>> users;
    if (wanted.empty()) {
        users_after_.with(app, std::string_view(from), n);
        while (users_after_.step()) users.emplace_back(users_after_.integer(0), users_after_.text(1));
        return users;
    }
    for (auto name = std::lower_bound(wanted.begin(), wanted.end(), from); name != wanted.end() && users.size() < n;
         ++name) {
        const sqlite::ResetAtEnd reset(user_number_);
        // A wanted user without topics stands here too, so that fewer than n means the end.
        users.emplace_back(user_number_.with(app, std::string_view(*name)).step() ? user_number_.integer(0) : -1,
                           *name);
    }
    return users;
}

// Bound topics of users in the order of their names, from the name `from` on.
void Reader::walk_users(std::string_view app, const belfry_selection& which, const std::string& from,
                        const VisitUser& visit) {
    std::vector<std::string> wanted;
    for (const belfry_str& name : Rows<belfry_str>(which.users)) wanted.push_back(text(name));
    std::sort(wanted.begin(), wanted.end());
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    std::string next = from;
    for (bool more = true; more;) {
        const Snapshot snapshot(*this);
        const auto number = app_number(app);
        if (!number) return;
        const Selection selection(*this, *number, which);
        const auto users = bound_users(*number, wanted, next, kCandidates);
        more = users.size() == kCandidates;
        for (const auto& [id, name] : users) {
            // The smallest name behind this one.
            next = name;
            next.push_back('\0');
            std::vector<std::string> names;
            user_topics_.with(id);
            while (user_topics_.step()) names.emplace_back(user_topics_.text(0));
            std::sort(names.begin(), names.end());
            if (!visit(selection, id, name, std::vector<std::string_view>(names.begin(), names.end()))) return;
        }
    }
}

// Of the user that a cursor means.
std::string Reader::bound_user_name(std::string_view app, int64_t number) {
    const Snapshot snapshot(*this);
    const auto app_id = app_number(app);
    const sqlite::ResetAtEnd reset(user_name_);
    if (!app_id || !user_name_.with(*app_id, number).step()) refuse_cursor();
    return std::string(user_name_.text(0));
}

void Reader::list_user_topics(std::string_view app, const belfry_selection& which, const belfry_paging& paging,
                              const InTime& time_to_count, belfry_emit emit, void* ctx, belfry_page_end* end) {
    start_page(paging, end);
    begin_call();
    const PairCursor start = pair_cursor(view(paging.cursor));
    const std::string from = start.owner < 0 ? std::string() : bound_user_name(app, start.owner);
    PairPage page;
    PairCursor last;
    walk_users(
        app, which, from,
        [&](const Selection& selection, int64_t id, std::string_view user, const std::vector<std::string_view>& names) {
            for (size_t i = rank_after(start, id, names); i < names.size(); ++i) {
                if (!selection.is_wanted_topic(names[i])) continue;
                if (page.rows.size() == paging.limit) {
                    put_cursor(encode_cursor(last), end);
                    return false;
                }
                page.add(0, user, names[i], user.empty() ? BELFRY_ORIGIN_GLOBAL : BELFRY_ORIGIN_USER, nullptr);
                last = {id, static_cast<uint32_t>(i + 1), hash_of(names[i])};
            }
            return true;
        });
    page.emit_to(emit, ctx);
    if (paging.want_total == 0) return;
    int64_t total = 0;
    bool in_time = true;
    uint32_t users = 0;
    walk_users(app, which, {},
               [&](const Selection& selection, int64_t, std::string_view, const std::vector<std::string_view>& names) {
                   total += count_wanted(selection, names);
                   in_time = ++users % kRowsPerEmit != 0 || time_to_count();
                   return in_time;
               });
    end->total = in_time ? total : -1;
}

bool Reader::count_in_time(std::string_view app, const belfry_selection& which, const InTime& in_time, int64_t* n) {
    *n = 0;
    const auto add = [&](const Selection&, int64_t, DeviceView&, const ReadRow&) {
        ++*n;
        return true;
    };
    return walk(app, which, -1, kRowsPerSnapshot, add, in_time);
}

void Reader::count(std::string_view app, const belfry_selection& which, const InTime& in_time, int64_t* n) {
    if (!count_in_time(app, which, in_time, n)) throw Failure(BELFRY_DEADLINE, "not counted before the deadline");
}

}  // namespace belfry::storage
