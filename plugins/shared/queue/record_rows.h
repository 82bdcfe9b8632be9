// SPDX-License-Identifier: Apache-2.0
// Between the records of a dump (record.h) and the rows of a queue, whatever their types are called there.
//
// Threads: values; pure.
#pragma once

#include <belfry/queue.h>

#include <algorithm>

#include "queue/record.h"

namespace belfry::queue_parts {

// But for the app's name, counters, body and what is undiscovered. Views of `push`.
template <class Push>
PushRecord record_of_push(const Push& push) {
    PushRecord record;
    record.id = push.id;
    record.body = push.body;
    record.created_unix_ms = push.created_unix_ms;
    record.send_at_unix_ms = push.send_at_unix_ms;
    record.expires_unix_ms = push.expires_unix_ms;
    record.finished_unix_ms = push.finished_unix_ms;
    record.state = push.state;
    record.lane = push.lane;
    record.weight = push.weight;
    record.fingerprint = push.fingerprint;
    record.uid = push.uid;
    return record;
}

template <class Push>
Push push_of_record(const PushRecord& record, uint32_t app) {
    Push push;
    push.id = record.id;
    push.created_unix_ms = record.created_unix_ms;
    push.send_at_unix_ms = record.send_at_unix_ms;
    push.expires_unix_ms = record.expires_unix_ms;
    push.finished_unix_ms = record.finished_unix_ms;
    push.body = record.body;
    push.app = app;
    push.state = record.state;
    push.lane = record.lane;
    push.weight = record.weight;
    push.uid = record.uid;
    push.fingerprint = record.fingerprint;
    return push;
}

// Which of its push's token blobs an item picks from; 0: none.
inline int64_t ordinal_of(int64_t blob, int64_t body) {
    return blob == 0 || body == 0 ? 0 : blob - body;
}

// What a work item and a dead letter have in common. `body`: blob id of its push.
template <class Record, class Item>
Record record_of_work(const Item& item, int64_t body, std::string_view content) {
    Record record;
    record.id = item.id;
    record.push = item.push;
    record.after = item.after;
    record.hi = item.hi;
    record.kind = item.kind;
    record.gate = item.gate;
    record.flags = item.flags;
    record.attempt = item.attempt;
    record.ordinal = ordinal_of(item.blob, body);
    record.content = content;
    return record;
}

template <class Item, class Record, class Push>
Item work_of_record(const Record& record, const Push& push) {
    Item item;
    item.id = record.id;
    item.push = record.push;
    item.gate = record.gate;
    item.after = record.after;
    item.hi = record.hi;
    item.blob = record.ordinal == 0 ? 0 : push.body + record.ordinal;
    item.kind = record.kind;
    item.lane = push.lane;
    item.flags = record.flags;
    item.attempt = record.attempt;
    return item;
}

// `item`: of an unfinished bundle; null otherwise. `content`: its members. `name_of` tells an app's name, which stays.
template <class Bundle, class Item, class NameOf>
BundleRecord record_of_bundle(const Bundle& bundle, const Item* item, std::string_view content, NameOf&& name_of) {
    BundleRecord record;
    record.id = bundle.id;
    record.created_unix_ms = bundle.created_unix_ms;
    record.finished_unix_ms = bundle.finished_unix_ms;
    record.lane = bundle.lane;
    std::vector<Member> members;
    if (item != nullptr) {
        record.gate = item->gate;
        record.flags = item->flags;
        record.attempt = item->attempt;
        record.crashes = item->crashes;
        record.ready_unix_ms = item->ready_unix_ms;
        if (bundle.finished_unix_ms == 0) members = read_members(content);
    }
    for (size_t i = 0; i < bundle.results.size(); ++i) {
        MemberRecord& member = record.members.emplace_back();
        member.app = name_of(bundle.results[i].app);
        member.result = bundle.results[i];
        member.has_content = i < members.size();
        if (member.has_content) member.content = members[i];
    }
    return record;
}

// `number_of` tells an app's number.
template <class Bundle, class NumberOf>
Bundle bundle_of_record(const BundleRecord& record, NumberOf&& number_of) {
    Bundle bundle;
    bundle.id = record.id;
    bundle.created_unix_ms = record.created_unix_ms;
    bundle.finished_unix_ms = record.finished_unix_ms;
    bundle.lane = record.lane;
    for (const MemberRecord& member : record.members) {
        bundle.results.push_back(member.result);
        bundle.results.back().app = number_of(member.app);
    }
    return bundle;
}

template <class Item>
Item bundle_item_of_record(const BundleRecord& record) {
    Item item;
    item.id = record.id;
    item.kind = BELFRY_WORK_BUNDLE;
    item.lane = record.lane;
    item.gate = record.gate;
    item.flags = record.flags;
    item.attempt = record.attempt;
    item.crashes = record.crashes;
    item.ready_unix_ms = record.ready_unix_ms;
    return item;
}

}  // namespace belfry::queue_parts
