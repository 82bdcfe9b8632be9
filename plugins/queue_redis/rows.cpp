// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/rows.h"

#include <belfry/services.hpp>

#include <algorithm>

#include "queue/packing.h"
#include "queue_redis/keys.h"

namespace belfry::queue_redis {

namespace {

// Nothing where reading says that the row is damaged.
template <class Read>
auto if_intact(Read&& read) -> std::optional<decltype(read())> {
    try {
        return read();
    } catch (const Refused& refused) {
        if (BELFRY_CODE_CLASS(refused.code()) != BELFRY_CORRUPT) throw;
        return std::nullopt;
    }
}

bool is_lane(int32_t lane) {
    return lane >= BELFRY_LANE_HIGH && lane <= BELFRY_LANE_LOW;
}

bool is_sound(const Item& item) {
    const bool is_placed = item.place >= Place::Ready && item.place <= Place::Later;
    const bool is_known = item.is_bundle() ? item.kind == BELFRY_WORK_BUNDLE
                                           : item.kind == BELFRY_WORK_SLICE || item.kind == BELFRY_WORK_LIST;
    return is_placed && is_known && is_lane(item.lane);
}

}  // namespace

std::string hex(uint64_t number) {
    constexpr const char* kDigits = "0123456789abcdef";
    std::string digits(16, '0');
    for (size_t i = 16; i-- > 0; number >>= 4) digits[i] = kDigits[number & 15];
    return digits;
}

std::string holder(uint64_t node, uint32_t epoch) {
    Packer out;
    out.number(node);
    out.number(epoch);
    return out.take();
}

std::string pack(const Item& item) {
    const auto vt = static_cast<double>(item.vt);
    Packer out;
    out.number(item.owner);
    out.number(item.epoch);
    out.number(item.serial);
    out.number(static_cast<uint8_t>(item.place));
    out.raw(&vt, sizeof vt);
    // From here on, claim.lua copies.
    for (const int64_t one : {item.push, item.after, item.hi, item.blob, item.ready_unix_ms, item.due_unix_ms})
        out.number(one);
    out.number(static_cast<uint8_t>(item.kind));
    out.number(static_cast<uint8_t>(item.lane));
    for (const uint32_t one : {item.gate, item.flags, item.attempt, item.crashes}) out.number(one);
    return out.take();
}

Item unpack_item(int64_t id, std::string_view row) {
    Unpacker in(row);
    Item item;
    item.id = id;
    item.owner = in.number<uint64_t>();
    item.epoch = in.number<uint32_t>();
    item.serial = in.number<int32_t>();
    item.place = static_cast<Place>(in.number<uint8_t>());
    double vt = 0;
    std::memcpy(&vt, in.raw(sizeof vt), sizeof vt);
    constexpr double kExactMax = 9007199254740992.0;
    if (!(vt >= 0 && vt <= kExactMax)) throw Refused(BELFRY_CORRUPT, {}, "a work item without a virtual time");
    item.vt = static_cast<int64_t>(vt);
    for (int64_t* one : {&item.push, &item.after, &item.hi, &item.blob, &item.ready_unix_ms, &item.due_unix_ms})
        *one = in.number<int64_t>();
    item.kind = in.number<uint8_t>();
    item.lane = in.number<uint8_t>();
    for (uint32_t* one : {&item.gate, &item.flags, &item.attempt, &item.crashes}) *one = in.number<uint32_t>();
    return item;
}

std::string pack(const Push& push) {
    Packer out;
    for (const int64_t one : {push.created_unix_ms, push.send_at_unix_ms, push.expires_unix_ms, push.finished_unix_ms,
                              push.body, push.bundle})
        out.number(one);
    out.number(push.app);
    out.number(push.state);
    out.number(push.lane);
    out.number(push.weight);
    out.number(push.blobs);
    out.raw(push.fingerprint.data(), push.fingerprint.size());
    out.text(push.uid);
    return out.take();
}

Push unpack_push(int64_t id, std::string_view row) {
    Unpacker in(row);
    Push push;
    push.id = id;
    for (int64_t* one : {&push.created_unix_ms, &push.send_at_unix_ms, &push.expires_unix_ms, &push.finished_unix_ms,
                         &push.body, &push.bundle})
        *one = in.number<int64_t>();
    push.app = in.number<uint32_t>();
    push.state = in.number<int32_t>();
    push.lane = in.number<int32_t>();
    push.weight = in.number<uint32_t>();
    push.blobs = in.number<int32_t>();
    push.fingerprint = fingerprint_of({in.raw(push.fingerprint.size()), push.fingerprint.size()});
    push.uid = in.text();
    return push;
}

std::string pack_version(const Bundle& bundle) {
    Packer out;
    out.number(bundle.version);
    return out.take();
}

std::string pack(const Bundle& bundle) {
    Packer out;
    out.number(bundle.version);
    out.number(bundle.created_unix_ms);
    out.number(bundle.finished_unix_ms);
    out.number(bundle.lane);
    out.text(pack_results(bundle.results));
    return out.take();
}

Bundle unpack_bundle(int64_t id, std::string_view row) {
    Unpacker in(row);
    Bundle bundle;
    bundle.id = id;
    bundle.version = in.number<uint64_t>();
    bundle.created_unix_ms = in.number<int64_t>();
    bundle.finished_unix_ms = in.number<int64_t>();
    bundle.lane = in.number<int32_t>();
    bundle.results = unpack_results(in.text());
    return bundle;
}

int64_t open_members(const Bundle& bundle) {
    if (bundle.finished_unix_ms != 0) return 0;
    return std::count_if(bundle.results.begin(), bundle.results.end(),
                         [](const MemberResult& result) { return result.moved_to == 0; });
}

std::optional<Item> intact_item(int64_t id, const std::optional<std::string_view>& row) {
    const std::optional<Item> item = row ? if_intact([&] { return unpack_item(id, *row); }) : std::nullopt;
    return item && is_sound(*item) ? item : std::nullopt;
}

std::optional<Push> intact_push(int64_t id, const std::optional<std::string_view>& row) {
    std::optional<Push> push = row ? if_intact([&] { return unpack_push(id, *row); }) : std::nullopt;
    const bool is_sound = push && push->state >= BELFRY_PUSH_DELAYED && push->state <= BELFRY_PUSH_EXPIRED &&
                          is_lane(push->lane) && push->weight > 0;
    return is_sound ? std::move(push) : std::nullopt;
}

std::optional<Bundle> intact_bundle(int64_t id, const std::optional<std::string_view>& row) {
    return row ? if_intact([&] { return unpack_bundle(id, *row); }) : std::nullopt;
}

bool has_members(std::string_view content, size_t least) {
    return if_intact([&] { return read_members(content).size(); }).value_or(0) >= least;
}

std::optional<Letter> intact_letter(int64_t id, const std::optional<std::string_view>& row) {
    std::optional<Letter> letter = row ? if_intact([&] { return unpack_letter(id, *row); }) : std::nullopt;
    return letter && letter->work.push > 0 ? std::move(letter) : std::nullopt;
}

std::string pack(const Letter& letter) {
    Packer out;
    out.number(letter.app);
    out.number(letter.entries);
    out.number(letter.buried_unix_ms);
    out.number(letter.replayed_unix_ms);
    out.text(pack(letter.work));
    out.text(letter.note);
    return out.take();
}

Letter unpack_letter(int64_t id, std::string_view row) {
    Unpacker in(row);
    Letter letter;
    letter.app = in.number<uint32_t>();
    letter.entries = in.number<uint32_t>();
    letter.buried_unix_ms = in.number<int64_t>();
    letter.replayed_unix_ms = in.number<int64_t>();
    letter.work = unpack_item(id, in.text());
    letter.note = in.text();
    return letter;
}

std::string pack(const Ref& ref) {
    Packer out;
    out.number(ref.ref);
    out.number(ref.member);
    return out.take();
}

Ref unpack_ref(std::string_view row) {
    if (row.empty()) return {};
    Unpacker in(row);
    Ref ref;
    ref.ref = in.number<int64_t>();
    ref.member = in.number<int32_t>();
    return ref;
}

std::optional<Ref> intact_ref(const std::optional<std::string_view>& row) {
    if (!row) return Ref();
    std::optional<Ref> ref = row->empty() ? std::nullopt : if_intact([&] { return unpack_ref(*row); });
    return ref && ref->ref > 0 && pack(*ref) == *row ? ref : std::nullopt;
}

std::string uid_field(uint32_t app, std::string_view uid) {
    Packer out;
    out.number(app);
    out.raw(uid.data(), uid.size());
    return out.take();
}

}  // namespace belfry::queue_redis
