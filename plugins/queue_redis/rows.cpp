// SPDX-License-Identifier: Apache-2.0
#include "queue_redis/rows.h"

#include <algorithm>

#include "queue/packing.h"
#include "queue_redis/keys.h"

namespace belfry::queue_redis {

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

std::string uid_field(uint32_t app, std::string_view uid) {
    Packer out;
    out.number(app);
    out.raw(uid.data(), uid.size());
    return out.take();
}

}  // namespace belfry::queue_redis
