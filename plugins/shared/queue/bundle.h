// SPDX-License-Identifier: Apache-2.0
// Many small pushes in one row. The content (apps, uids, bodies, entries) is written once and goes with the work item;
// the results (state, counters) are a second packed row that outlives it.
//
// Threads: [any]; values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "queue/counters.h"
#include "queue/packing.h"

namespace belfry::queue_parts {

inline constexpr uint32_t kBundleMembersMax = 256;
inline constexpr size_t kBundleBytesMax = 256u << 10;
inline constexpr size_t kSmallBodyMax = 16u << 10;
inline constexpr uint32_t kSmallEntriesMax = 64;

// What became of a member of a bundle.
enum class Mark : uint8_t {
    None = 0,
    Stopped = 1,  // cancelled: handed out flagged
    Moved = 2     // became a push of its own: not handed out
};

// One small push as its bundle carries it. Views point into the content, or into the caller's push.
struct Member {
    std::string_view app, uid, body, blob;
    int64_t expires_unix_ms = 0;
    bool picks = false;
    uint32_t entries = 0;
    const char* entry_bytes = nullptr;  // int64_t[] or uint32_t[], 8-aligned when read from a content
};

// A member whose app was purged: nothing is left of it but its place.
inline constexpr int64_t kErased = -1;

struct MemberResult {
    uint32_t app = 0;
    std::string uid;
    int32_t state = 0;
    int64_t expires_unix_ms = 0, finished_unix_ms = 0;
    int64_t moved_to = 0;  // the push it became, or kErased
    Fingerprint fingerprint{};
    Counters counters;
};

// Collects the members of one bundle.
class BundleBuilder {
public:
    BundleBuilder();
    bool has_room_for(const Member& member) const noexcept;
    // Returns the member's index.
    uint32_t add(const Member& member, uint32_t app, const Fingerprint& fingerprint);
    uint32_t size() const noexcept { return static_cast<uint32_t>(results_.size()); }
    std::string take_content();
    const std::vector<MemberResult>& results() const noexcept { return results_; }

private:
    Packer content_;
    std::vector<MemberResult> results_;
};

// Views into `content`, which must stay. Throws CORRUPT.
std::vector<Member> read_members(std::string_view content);

std::string pack_results(const std::vector<MemberResult>& results);
std::vector<MemberResult> unpack_results(std::string_view bytes);

// What claim must know of each member; empty if nothing is marked.
std::vector<Mark> marks_of(const std::vector<MemberResult>& results);

}  // namespace belfry::queue_parts
