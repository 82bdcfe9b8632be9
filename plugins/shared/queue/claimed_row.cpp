// SPDX-License-Identifier: Apache-2.0
#include "queue/claimed_row.h"

namespace belfry::queue_parts {

namespace {

belfry_list entries(bool picks, const char* bytes, size_t n) {
    const auto width = static_cast<uint32_t>(picks ? sizeof(uint32_t) : sizeof(int64_t));
    return {bytes, static_cast<uint32_t>(n), width};
}

}  // namespace

void ClaimedRow::fill_push(const ClaimedPush& push, int64_t now_unix_ms) {
    const bool stopped = is_stopped(push.state), expired = is_expired(push.expires_unix_ms, now_unix_ms);
    row_.state = stopped ? push.state : expired ? BELFRY_PUSH_EXPIRED : BELFRY_PUSH_RUNNING;
    if (stopped || expired) row_.flags |= BELFRY_CLAIMED_STOPPED;
    row_.live_items = push.live_items;
    row_.weight = push.weight;
    row_.push = static_cast<uint64_t>(push.id);
    row_.body = static_cast<uint64_t>(push.body);
    row_.app = str(push.app);
    row_.uid = str(push.uid);
    row_.expires_unix_ms = push.expires_unix_ms;
    row_.created_unix_ms = push.created_unix_ms;
}

void ClaimedRow::fill_entries(uint32_t flags, std::string_view content) {
    const bool picks = (flags & kPicks) != 0;
    (picks ? row_.picks : row_.keys) = entries(picks, content.data(), content.size() / entry_width(flags));
}

void ClaimedRow::fill_members(std::span<const Mark> marks, std::string_view content, int64_t now_unix_ms) {
    row_.state = BELFRY_PUSH_RUNNING;
    row_.live_items = 1;
    row_.weight = 1;
    row_.created_unix_ms = row_.ready_unix_ms;
    const std::vector<Member> packed = read_members(content);
    for (uint32_t i = 0; i < packed.size(); ++i) {
        const Mark mark = i < marks.size() ? marks[i] : Mark::None;
        if (mark == Mark::Moved) continue;
        const Member& from = packed[i];
        auto member = sized<belfry_member>();
        member.index = i;
        member.attempt = row_.attempt;
        const bool stopped = mark == Mark::Stopped || is_expired(from.expires_unix_ms, now_unix_ms);
        if (stopped) member.flags |= BELFRY_MEMBER_STOPPED;
        member.app = str(from.app);
        member.uid = str(from.uid);
        member.body = str(from.body);
        member.blob = str(from.blob);
        (from.picks ? member.picks : member.keys) = entries(from.picks, from.entry_bytes, from.entries);
        member.expires_unix_ms = from.expires_unix_ms;
        members_.push_back(member);
    }
    row_.members = list_of(members_);
}

}  // namespace belfry::queue_parts
