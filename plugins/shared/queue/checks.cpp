// SPDX-License-Identifier: Apache-2.0
#include "queue/checks.h"

#include <algorithm>
#include <belfry/abi.hpp>
#include <cstring>

#include "queue/work.h"

namespace belfry::queue_parts {

namespace {

constexpr uint32_t kItemsMax = 4096;  // items of one push

size_t bytes_of_push(const belfry_new_push& push) {
    size_t sum = push.body.n;
    for (const belfry_str& blob : Rows<belfry_str>(push.blobs)) sum += blob.n;
    return sum;
}

bool is_valid_item(const belfry_new_push& push, const belfry_new_item& item) {
    if (item.kind == BELFRY_WORK_SLICE) return item.keys.n == 0 && item.picks.n == 0 && item.after < item.hi;
    if (item.kind != BELFRY_WORK_LIST || item.keys.n > kListEntriesMax || item.picks.n > kListEntriesMax) return false;
    return item.blob == UINT32_MAX ? item.picks.n == 0 : item.keys.n == 0 && item.blob < push.blobs.n;
}

bool is_valid_owed(const belfry_owed& owed, const Shape& item) {
    if (owed.keys.n > kListEntriesMax || owed.picks.n > kListEntriesMax) return false;
    if (owed.keys.n > 0 && owed.picks.n > 0) return false;
    if (item.is_bundle || owed.picks.n == 0) return true;
    return item.blob != 0 && (owed.blob == 0 || owed.blob == static_cast<uint64_t>(item.blob));
}

}  // namespace

Fingerprint fingerprint_of(const belfry_new_push& push) noexcept {
    Fingerprint fingerprint;
    static_assert(sizeof fingerprint == sizeof push.fingerprint);
    std::memcpy(fingerprint.data(), push.fingerprint, sizeof push.fingerprint);
    return fingerprint;
}

belfry_code check(const belfry_new_push& push) {
    const std::string_view uid = view(push.uid);
    if (uid.empty() || uid.size() > kUidMax || uid.find('\0') != std::string_view::npos) return BELFRY_BAD_REQUEST;
    if (push.app.n == 0 || push.app.n > kAppMax) return BELFRY_BAD_REQUEST;
    if (push.lane < BELFRY_LANE_HIGH || push.lane > BELFRY_LANE_LOW) return BELFRY_BAD_REQUEST;
    if (push.items.n > kItemsMax) return BELFRY_BAD_REQUEST;
    for (const belfry_new_item& item : Rows<belfry_new_item>(push.items)) {
        if (!is_valid_item(push, item)) return BELFRY_BAD_REQUEST;
    }
    return bytes_of_push(push) > kItemBytesMax ? BELFRY_TOO_LARGE : BELFRY_OK;
}

std::optional<Member> small_member(const belfry_new_push& push) {
    if ((push.flags & BELFRY_NEW_PUSH_SMALL) == 0 || push.items.n != 1 || push.send_at_unix_ms != 0)
        return std::nullopt;
    if (push.body.n > kSmallBodyMax || push.blobs.n > 1 || push.weight > 1) return std::nullopt;
    const belfry_new_item item = Rows<belfry_new_item>(push.items)[0];
    const uint32_t entries = item.keys.n + item.picks.n;
    if (item.kind != BELFRY_WORK_LIST || entries > kSmallEntriesMax) return std::nullopt;
    Member member;
    member.app = view(push.app);
    member.uid = view(push.uid);
    member.body = view(push.body);
    member.expires_unix_ms = push.expires_unix_ms;
    member.picks = item.blob != UINT32_MAX;
    member.entries = entries;
    const belfry_list list = member.picks ? item.picks : item.keys;
    const size_t width = member.picks ? sizeof(uint32_t) : sizeof(int64_t);
    if (entries > 0 && list.stride != width) return std::nullopt;
    member.entry_bytes = static_cast<const char*>(list.p);
    if (member.picks) member.blob = view(Rows<belfry_str>(push.blobs)[item.blob]);
    return member.blob.size() > kBundleBytesMax / 2 ? std::nullopt : std::optional(member);
}

size_t bytes_of(belfry_list pushes) {
    size_t sum = 0;
    for (const belfry_new_push& push : Rows<belfry_new_push>(pushes)) sum += bytes_of_push(push);
    return sum;
}

bool is_valid(const belfry_checkpoint& checkpoint, const Shape& item) {
    if (checkpoint.next < BELFRY_NEXT_KEEP || checkpoint.next > BELFRY_NEXT_BURY) return false;
    if (checkpoint.lane < 0 || checkpoint.lane > BELFRY_LANE_LOW) return false;
    const uint32_t members = item.is_bundle ? kBundleMembersMax : 1;
    for (const belfry_owed& owed : Rows<belfry_owed>(checkpoint.owed)) {
        if (!is_valid_owed(owed, item) || owed.member >= members) return false;
    }
    if (item.is_bundle) return checkpoint.next != BELFRY_NEXT_PARK && checkpoint.split_at == 0;
    if (checkpoint.split_at == 0) return true;
    // The sibling must take exactly what this item gives up: no gap, no overlap.
    const int64_t after = std::max(item.after, checkpoint.cursor);
    return item.kind == BELFRY_WORK_SLICE && checkpoint.split_hi == item.hi && checkpoint.split_at > after &&
           checkpoint.split_at < item.hi;
}

}  // namespace belfry::queue_parts
