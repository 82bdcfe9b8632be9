// SPDX-License-Identifier: Apache-2.0
// The records of dump and load: everything a queue keeps, in a form that every queue plugin can read, whatever its own
// tables look like.
//
//     record    "BQ" version(1 byte) kind(1 byte) fields crc32(4 bytes, little-endian, IEEE, of all before it)
//     numbers   LEB128, negative ones in ten bytes; texts and bytes have their length before them, also LEB128
//     times     Unix milliseconds, 0 = none
//
//     P  push        id body created send_at expires finished undiscovered state lane weight fingerprint(16 bytes) app
//                    uid COUNTERS has_body [body bytes]
//     T  token blob  push ordinal bytes                      ordinal: 1 ... of its push
//     W  work item   id push due ready after hi kind gate flags attempt crashes ordinal entries
//                    due 0: claimable or parked; else it waits for that time. ordinal: of the token blob; 0: none
//     D  dead letter id push buried replayed after hi kind gate flags attempt entries ordinal note content
//     U  bundle      id created finished ready lane gate flags attempt crashes n MEMBER*
//     COUNTERS       planned n (gate outcome n)* n (gate outcome text)*       ordered by gate and outcome, no zeroes
//     MEMBER         app uid fingerprint(16 bytes) state expires finished moved_to COUNTERS has_content
//                    [body blob picks entries]
//
// state, lane, kind, outcome: numbers of belfry/queue.h. flags: 1 entries are picks, 2 came with the push and is not
// part of `planned` yet, 4 limits passed, 8 some member of the bundle was stopped or moved out. entries: int64_t[] or
// uint32_t[], little-endian. undiscovered: items and later rows with flag 2, and one for the unfinished bundle that the
// push was a member of. moved_to: the push that a member became; -1: purged. Every number is kept by the queue that
// loads it, so numbers name pushes across records: P come before what refers to them, U come last.
//
// Who holds an item is not in it: claimed items come back unclaimed. Neither are changes, nodes and virtual times.
// Fields are only ever appended within a version, and readers ignore what they do not know.
//
// Threads: [any].  Views of a decoded record live as long as its bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "queue/bundle.h"
#include "queue/counters.h"

namespace belfry::queue_parts {

inline constexpr uint8_t kRecordVersion = 1;

struct PushRecord {
    int64_t id = 0, body = 0;  // body: blob id; 0 once freed
    int64_t created_unix_ms = 0, send_at_unix_ms = 0, expires_unix_ms = 0, finished_unix_ms = 0;
    uint32_t undiscovered = 0;
    int32_t state = 0, lane = 0;
    uint32_t weight = 1;
    Fingerprint fingerprint{};
    std::string_view app, uid;
    Counters counters;
    std::string_view body_bytes;
};
struct BlobRecord {
    int64_t push = 0, ordinal = 0;
    std::string_view bytes;
};
struct WorkRecord {
    int64_t id = 0, push = 0, due_unix_ms = 0, ready_unix_ms = 0, after = 0, hi = 0;
    int32_t kind = 0;
    uint32_t gate = 0, flags = 0, attempt = 1, crashes = 0;
    int64_t ordinal = 0;
    std::string_view content;
};
struct DeadRecord {
    int64_t id = 0, push = 0, buried_unix_ms = 0, replayed_unix_ms = 0, after = 0, hi = 0;
    int32_t kind = 0;
    uint32_t gate = 0, flags = 0, attempt = 1, entries = 0;
    int64_t ordinal = 0;
    std::string_view note, content;
};
struct MemberRecord {
    std::string_view app;
    MemberResult result;  // but for result.app, which each queue numbers itself
    bool has_content = false;
    Member content;  // its app, uid and expiry are those of the result
};
struct BundleRecord {
    int64_t id = 0, created_unix_ms = 0, finished_unix_ms = 0, ready_unix_ms = 0;
    int32_t lane = 0;
    uint32_t gate = 0, flags = 0, attempt = 1, crashes = 0;
    std::vector<MemberRecord> members;
};
using Record = std::variant<PushRecord, BlobRecord, WorkRecord, DeadRecord, BundleRecord>;

std::string encode_record(const PushRecord& push);
std::string encode_record(const BlobRecord& blob);
std::string encode_record(const WorkRecord& work);
std::string encode_record(const DeadRecord& dead);
std::string encode_record(const BundleRecord& bundle);

// Throws Refused: BAD_REQUEST that names records[index] and says what is wrong with it.
Record decode_record(std::string_view bytes, size_t index);
// Throws that BAD_REQUEST.
[[noreturn]] void refuse_record(size_t index, const std::string& why);

// The members of an unfinished bundle as queues store them; `number` tells an app's number.
template <class NumberOf>
BundleBuilder content_of(const BundleRecord& bundle, NumberOf&& number) {
    BundleBuilder builder;
    for (const MemberRecord& member : bundle.members)
        builder.add(member.content, number(member.app), member.result.fingerprint);
    return builder;
}

}  // namespace belfry::queue_parts
