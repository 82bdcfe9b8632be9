// SPDX-License-Identifier: Apache-2.0
#include "queue/record.h"

#include <belfry/queue.h>

#include <algorithm>
#include <array>
#include <belfry/services.hpp>
#include <cstring>

#include "queue/checks.h"
#include "queue/packing.h"
#include "queue/small_counters.h"
#include "queue/work.h"

namespace belfry::queue_parts {

namespace {

constexpr std::string_view kMagic = "BQ";
constexpr size_t kHeadBytes = 4;  // magic, version, kind
constexpr size_t kSumBytes = 4;

constexpr std::array<uint32_t, 256> kCrcTable = [] {
    constexpr uint32_t kPolynomial = 0xEDB88320;
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < table.size(); ++i) {
        uint32_t rest = i;
        for (int bit = 0; bit < 8; ++bit) rest = (rest & 1) != 0 ? rest >> 1 ^ kPolynomial : rest >> 1;
        table[i] = rest;
    }
    return table;
}();

uint32_t crc32(std::string_view bytes) noexcept {
    uint32_t sum = ~uint32_t{0};
    for (const char byte : bytes) sum = sum >> 8 ^ kCrcTable[(sum ^ static_cast<uint8_t>(byte)) & 0xff];
    return ~sum;
}

Packer begin(char kind) {
    Packer out;
    out.raw(kMagic.data(), kMagic.size());
    out.number(kRecordVersion);
    out.number(kind);
    return out;
}

std::string end(Packer& out) {
    out.number(crc32(out.bytes()));
    return out.take();
}

void put(Packer& out, std::initializer_list<int64_t> numbers) {
    for (const int64_t number : numbers) out.small(number);
}

bool comes_before(const Tally& a, const Tally& b) noexcept {
    return a.gate != b.gate ? a.gate < b.gate : a.outcome < b.outcome;
}

// In one order whatever the queue keeps them in, so that equal pushes make equal records.
void put_counters(Packer& out, const Counters& from) {
    Counters counters;
    counters.planned = from.planned;
    counters.samples = from.samples;
    for (const Tally& tally : from.tallies) counters.add(tally.gate, tally.outcome, tally.n);
    std::sort(counters.tallies.begin(), counters.tallies.end(), comes_before);
    small_counters(out, counters);
}

void put_fingerprint(Packer& out, const Fingerprint& fingerprint) {
    out.raw(fingerprint.data(), fingerprint.size());
}

std::string_view entries_of(const Member& member) {
    return {member.entry_bytes, member.entries * (member.picks ? sizeof(uint32_t) : sizeof(int64_t))};
}

// Reads fields and refuses what no queue can have stored; what it throws is turned into a reason by decode_record.
class Fields {
public:
    explicit Fields(std::string_view bytes) : in_(bytes) {}

    template <class T>
    void take(T& number) {
        number = in_.small_as<T>();
    }
    template <class... T>
    void take_all(T&... numbers) {
        (take(numbers), ...);
    }
    void take(std::string_view& text) { text = in_.small_text(); }
    void take(Fingerprint& fingerprint) {
        std::memcpy(fingerprint.data(), in_.raw(fingerprint.size()), fingerprint.size());
    }
    void take(Counters& counters) {
        counters = unpack_small_counters(in_);
        expect(counters.planned >= 0 && counters.samples.size() <= kSamplesMax);
        for (const Tally& tally : counters.tallies) expect(tally.n > 0);
        const auto not_before = [](const Tally& a, const Tally& b) { return !comes_before(a, b); };
        const auto& tallies = counters.tallies;
        expect(std::adjacent_find(tallies.begin(), tallies.end(), not_before) == tallies.end());
        for (const Sample& sample : counters.samples) expect(sample.text.size() <= kSampleBytesMax);
    }
    bool flag() {
        uint8_t value = 0;
        take(value);
        expect(value <= 1);
        return value != 0;
    }
    static void expect(bool good) {
        if (!good) throw Refused(BELFRY_CORRUPT, {}, "a value that no queue stores");
    }

private:
    Unpacker in_;
};

bool is_name(std::string_view app, std::string_view uid) {
    return !app.empty() && app.size() <= kAppMax && !uid.empty() && uid.size() <= kUidMax &&
           uid.find('\0') == std::string_view::npos;
}
bool is_lane(int32_t lane) {
    return lane >= BELFRY_LANE_HIGH && lane <= BELFRY_LANE_LOW;
}
bool is_state(int32_t state) {
    return state >= BELFRY_PUSH_DELAYED && state <= BELFRY_PUSH_EXPIRED;
}
// What a slice or a list has as its content.
bool is_content(int32_t kind, uint32_t flags, std::string_view content) {
    if (kind == BELFRY_WORK_SLICE) return content.empty();
    const size_t width = entry_width(flags);
    return kind == BELFRY_WORK_LIST && content.size() % width == 0 && content.size() / width <= kListEntriesMax;
}

PushRecord push_of(Fields& in) {
    PushRecord push;
    in.take_all(push.id, push.body, push.created_unix_ms, push.send_at_unix_ms, push.expires_unix_ms,
                push.finished_unix_ms, push.undiscovered, push.state, push.lane, push.weight);
    in.take(push.fingerprint);
    in.take(push.app);
    in.take(push.uid);
    in.take(push.counters);
    if (in.flag()) in.take(push.body_bytes);
    Fields::expect(push.id > 0 && push.body >= 0 && is_name(push.app, push.uid) && is_state(push.state) &&
                   is_lane(push.lane) && push.weight >= 1 && push.weight <= kWeightMax);
    return push;
}

BlobRecord blob_of(Fields& in) {
    BlobRecord blob;
    in.take_all(blob.push, blob.ordinal);
    in.take(blob.bytes);
    Fields::expect(blob.push > 0 && blob.ordinal > 0);
    return blob;
}

WorkRecord work_of(Fields& in) {
    WorkRecord work;
    in.take_all(work.id, work.push, work.due_unix_ms, work.ready_unix_ms, work.after, work.hi, work.kind, work.gate,
                work.flags, work.attempt, work.crashes, work.ordinal);
    in.take(work.content);
    Fields::expect(work.id > 0 && work.push > 0 && work.due_unix_ms >= 0 && work.ordinal >= 0 &&
                   (work.ordinal > 0) == ((work.flags & kPicks) != 0) &&
                   is_content(work.kind, work.flags, work.content));
    return work;
}

DeadRecord dead_of(Fields& in) {
    DeadRecord dead;
    in.take_all(dead.id, dead.push, dead.buried_unix_ms, dead.replayed_unix_ms, dead.after, dead.hi, dead.kind,
                dead.gate, dead.flags, dead.attempt, dead.entries, dead.ordinal);
    in.take(dead.note);
    in.take(dead.content);
    Fields::expect(dead.id > 0 && dead.push > 0 && dead.ordinal >= 0 &&
                   is_content(dead.kind, dead.flags, dead.content));
    return dead;
}

MemberRecord member_of(Fields& in) {
    MemberRecord member;
    MemberResult& result = member.result;
    std::string_view uid;
    in.take(member.app);
    in.take(uid);
    in.take(result.fingerprint);
    in.take_all(result.state, result.expires_unix_ms, result.finished_unix_ms, result.moved_to);
    in.take(result.counters);
    member.has_content = in.flag();
    if (member.has_content) {
        std::string_view entries;
        in.take(member.content.body);
        in.take(member.content.blob);
        member.content.picks = in.flag();
        in.take(entries);
        const size_t width = member.content.picks ? sizeof(uint32_t) : sizeof(int64_t);
        Fields::expect(entries.size() % width == 0 && entries.size() / width <= kSmallEntriesMax);
        member.content.entries = static_cast<uint32_t>(entries.size() / width);
        member.content.entry_bytes = entries.data();
    }
    const bool erased = result.moved_to == kErased;
    Fields::expect(result.moved_to >= kErased && member.app.size() <= kAppMax && !member.app.empty() &&
                   (erased || (is_name(member.app, uid) && is_state(result.state))));
    result.uid = uid;
    member.content.app = member.app;
    member.content.uid = uid;
    member.content.expires_unix_ms = result.expires_unix_ms;
    return member;
}

BundleRecord bundle_of(Fields& in) {
    BundleRecord bundle;
    uint32_t members = 0;
    in.take_all(bundle.id, bundle.created_unix_ms, bundle.finished_unix_ms, bundle.ready_unix_ms, bundle.lane,
                bundle.gate, bundle.flags, bundle.attempt, bundle.crashes, members);
    Fields::expect(bundle.id > 0 && is_lane(bundle.lane) && members > 0 && members <= kBundleMembersMax);
    for (; members > 0; --members) {
        bundle.members.push_back(member_of(in));
        Fields::expect(bundle.members.back().has_content == (bundle.finished_unix_ms == 0));
    }
    return bundle;
}

Record record_of(char kind, std::string_view bytes, size_t index) {
    Fields fields(bytes);
    switch (kind) {
        case 'P':
            return push_of(fields);
        case 'T':
            return blob_of(fields);
        case 'W':
            return work_of(fields);
        case 'D':
            return dead_of(fields);
        case 'U':
            return bundle_of(fields);
        default:
            refuse_record(index, "is of a kind that this plugin does not know; load it with a newer one");
    }
}

}  // namespace

std::string encode_record(const PushRecord& push) {
    Packer out = begin('P');
    put(out, {push.id, push.body, push.created_unix_ms, push.send_at_unix_ms, push.expires_unix_ms,
              push.finished_unix_ms, push.undiscovered, push.state, push.lane, push.weight});
    put_fingerprint(out, push.fingerprint);
    out.small_text(push.app);
    out.small_text(push.uid);
    put_counters(out, push.counters);
    out.small(push.body != 0 ? 1 : 0);
    if (push.body != 0) out.small_text(push.body_bytes);
    return end(out);
}

std::string encode_record(const BlobRecord& blob) {
    Packer out = begin('T');
    put(out, {blob.push, blob.ordinal});
    out.small_text(blob.bytes);
    return end(out);
}

std::string encode_record(const WorkRecord& work) {
    Packer out = begin('W');
    put(out, {work.id, work.push, work.due_unix_ms, work.ready_unix_ms, work.after, work.hi, work.kind, work.gate,
              work.flags, work.attempt, work.crashes, work.ordinal});
    out.small_text(work.content);
    return end(out);
}

std::string encode_record(const DeadRecord& dead) {
    Packer out = begin('D');
    put(out, {dead.id, dead.push, dead.buried_unix_ms, dead.replayed_unix_ms, dead.after, dead.hi, dead.kind, dead.gate,
              dead.flags, dead.attempt, dead.entries, dead.ordinal});
    out.small_text(dead.note);
    out.small_text(dead.content);
    return end(out);
}

std::string encode_record(const BundleRecord& bundle) {
    Packer out = begin('U');
    put(out, {bundle.id, bundle.created_unix_ms, bundle.finished_unix_ms, bundle.ready_unix_ms, bundle.lane,
              bundle.gate, bundle.flags, bundle.attempt, bundle.crashes, static_cast<int64_t>(bundle.members.size())});
    for (const MemberRecord& member : bundle.members) {
        const MemberResult& result = member.result;
        out.small_text(member.app);
        out.small_text(result.uid);
        put_fingerprint(out, result.fingerprint);
        put(out, {result.state, result.expires_unix_ms, result.finished_unix_ms, result.moved_to});
        put_counters(out, result.counters);
        out.small(member.has_content ? 1 : 0);
        if (!member.has_content) continue;
        out.small_text(member.content.body);
        out.small_text(member.content.blob);
        out.small(member.content.picks ? 1 : 0);
        out.small_text(entries_of(member.content));
    }
    return end(out);
}

void refuse_record(size_t index, const std::string& why) {
    throw Refused(BELFRY_BAD_REQUEST, "records[" + std::to_string(index) + "]", why);
}

Record decode_record(std::string_view bytes, size_t index) {
    if (bytes.size() < kHeadBytes + kSumBytes || !bytes.starts_with(kMagic)) {
        refuse_record(index, "is no record of a queue's dump");
    }
    const auto version = static_cast<uint8_t>(bytes[2]);
    if (version != kRecordVersion) {
        refuse_record(index, "has version " + std::to_string(version) + "; this plugin reads version " +
                                 std::to_string(kRecordVersion) + ": load it with a plugin of the same age");
    }
    const std::string_view summed = bytes.substr(0, bytes.size() - kSumBytes);
    uint32_t sum = 0;
    std::memcpy(&sum, bytes.data() + summed.size(), sizeof sum);
    if (sum != crc32(summed)) refuse_record(index, "is damaged: its checksum differs; dump it again");
    try {
        return record_of(bytes[3], summed.substr(kHeadBytes), index);
    } catch (const Refused& refused) {
        if (refused.code() != BELFRY_CORRUPT) throw;
        refuse_record(index, "is damaged: a field is missing or has a value that no queue stores; dump it again");
    }
}

}  // namespace belfry::queue_parts
