// SPDX-License-Identifier: Apache-2.0
#include "queue_pg/rows.h"

#include <algorithm>
#include <belfry/services.hpp>

namespace belfry::queue_pg {

Item read_item(const pg::Result& rows, int row, int at) {
    const auto big = [&](int column) { return rows.number(row, at + column); };
    const auto small = [&](int column) { return rows.number4(row, at + column); };
    Item item;
    item.id = big(0);
    item.push = big(1);
    item.gate = static_cast<uint32_t>(big(2));
    item.vt = big(3);
    item.after = big(4);
    item.hi = big(5);
    item.blob = big(6);
    item.ready_unix_ms = big(7);
    item.owner = static_cast<uint64_t>(big(8));
    item.kind = small(9);
    item.lane = small(10);
    item.flags = static_cast<uint32_t>(small(11));
    item.attempt = static_cast<uint32_t>(small(12));
    item.crashes = static_cast<uint32_t>(small(13));
    item.epoch = static_cast<uint32_t>(small(14));
    item.serial = small(15);
    return item;
}

Push read_push(const pg::Result& rows, int row, int at) {
    const auto big = [&](int column) { return rows.number(row, at + column); };
    const auto small = [&](int column) { return rows.number4(row, at + column); };
    Push push;
    push.id = big(0);
    push.created_unix_ms = big(1);
    push.send_at_unix_ms = big(2);
    push.expires_unix_ms = big(3);
    push.finished_unix_ms = big(4);
    push.body = big(5);
    push.bundle = big(6);
    push.app = static_cast<uint32_t>(small(7));
    push.state = small(8);
    push.lane = small(9);
    push.weight = static_cast<uint32_t>(small(10));
    push.blobs = small(11);
    push.uid = rows.bytes(row, at + 12);
    push.fingerprint = fingerprint_of(rows.bytes(row, at + 13));
    push.live_items = static_cast<uint32_t>(big(14));
    return push;
}

Bundle read_bundle(const pg::Result& rows, int row, int at) {
    Bundle bundle;
    bundle.id = rows.number(row, at);
    bundle.created_unix_ms = rows.number(row, at + 1);
    bundle.finished_unix_ms = rows.number(row, at + 2);
    bundle.lane = rows.number4(row, at + 3);
    bundle.results = unpack_results(rows.bytes(row, at + 4));
    return bundle;
}

std::optional<Bundle> intact_bundle(const pg::Result& rows, int row) {
    try {
        return read_bundle(rows, row);
    } catch (const Refused& refused) {
        if (BELFRY_CODE_CLASS(refused.code()) != BELFRY_CORRUPT) throw;
        return std::nullopt;
    }
}

bool has_members(std::string_view content) {
    try {
        read_members(content);
        return true;
    } catch (const Refused& refused) {
        if (BELFRY_CODE_CLASS(refused.code()) != BELFRY_CORRUPT) throw;
        return false;
    }
}

int32_t open_members(const Bundle& bundle) {
    if (bundle.finished_unix_ms != 0) return 0;
    return static_cast<int32_t>(std::count_if(bundle.results.begin(), bundle.results.end(),
                                              [](const MemberResult& result) { return result.moved_to == 0; }));
}

}  // namespace belfry::queue_pg
