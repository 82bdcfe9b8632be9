// SPDX-License-Identifier: Apache-2.0
#include "queue/bundle.h"

#include <belfry/queue.h>

#include <algorithm>
#include <cstring>

#include "queue/small_counters.h"

namespace belfry::queue_parts {

namespace {

// Lengths, expiry, flags and padding of a packed member.
constexpr size_t kMemberOverhead = 48;

size_t entry_width(const Member& member) noexcept {
    return member.picks ? sizeof(uint32_t) : sizeof(int64_t);
}

size_t packed_size(const Member& member) noexcept {
    return kMemberOverhead + member.app.size() + member.uid.size() + member.body.size() + member.blob.size() +
           member.entries * entry_width(member);
}

}  // namespace

BundleBuilder::BundleBuilder() {
    content_.number(uint32_t{0});
}

bool BundleBuilder::has_room_for(const Member& member) const noexcept {
    if (results_.empty()) return true;
    return results_.size() < kBundleMembersMax && content_.size() + packed_size(member) <= kBundleBytesMax;
}

uint32_t BundleBuilder::add(const Member& member, uint32_t app, const Fingerprint& fingerprint) {
    content_.text(member.app);
    content_.text(member.uid);
    content_.text(member.body);
    content_.text(member.blob);
    content_.number(member.expires_unix_ms);
    content_.number(static_cast<uint32_t>(member.picks ? 1 : 0));
    content_.number(member.entries);
    content_.align();
    content_.raw(member.entry_bytes, member.entries * entry_width(member));

    MemberResult result;
    result.app = app;
    result.uid = member.uid;
    result.state = BELFRY_PUSH_RUNNING;
    result.expires_unix_ms = member.expires_unix_ms;
    result.fingerprint = fingerprint;
    results_.push_back(std::move(result));
    content_.overwrite(0, size());
    return size() - 1;
}

std::string BundleBuilder::take_content() {
    return content_.take();
}

std::vector<Member> read_members(std::string_view content) {
    Unpacker in(content);
    std::vector<Member> members(std::min(in.number<uint32_t>(), kBundleMembersMax));
    for (Member& member : members) {
        member.app = in.text();
        member.uid = in.text();
        member.body = in.text();
        member.blob = in.text();
        member.expires_unix_ms = in.number<int64_t>();
        member.picks = in.number<uint32_t>() != 0;
        member.entries = in.number<uint32_t>();
        in.align();
        member.entry_bytes = in.raw(member.entries * entry_width(member));
    }
    return members;
}

std::string pack_results(const std::vector<MemberResult>& results) {
    Packer out;
    out.small(static_cast<int64_t>(results.size()));
    for (const MemberResult& result : results) {
        out.small(result.app);
        out.small_text(result.uid);
        out.raw(result.fingerprint.data(), result.fingerprint.size());
        out.small(result.state);
        out.small(result.expires_unix_ms);
        out.small(result.finished_unix_ms);
        out.small(result.moved_to);
        small_counters(out, result.counters);
    }
    return out.take();
}

std::vector<MemberResult> unpack_results(std::string_view bytes) {
    Unpacker in(bytes);
    std::vector<MemberResult> results(std::min(static_cast<uint64_t>(in.small()), uint64_t{kBundleMembersMax}));
    for (MemberResult& result : results) {
        result.app = static_cast<uint32_t>(in.small());
        result.uid = in.small_text();
        std::memcpy(result.fingerprint.data(), in.raw(result.fingerprint.size()), result.fingerprint.size());
        result.state = static_cast<int32_t>(in.small());
        result.expires_unix_ms = in.small();
        result.finished_unix_ms = in.small();
        result.moved_to = in.small();
        result.counters = unpack_small_counters(in);
    }
    return results;
}

std::vector<Mark> marks_of(const std::vector<MemberResult>& results) {
    std::vector<Mark> marks(results.size(), Mark::None);
    bool any = false;
    for (size_t i = 0; i < results.size(); ++i) {
        if (results[i].moved_to != 0) {
            marks[i] = Mark::Moved;
        } else if (results[i].state == BELFRY_PUSH_CANCELLED) {
            marks[i] = Mark::Stopped;
        }
        any = any || marks[i] != Mark::None;
    }
    if (!any) marks.clear();
    return marks;
}

}  // namespace belfry::queue_parts
