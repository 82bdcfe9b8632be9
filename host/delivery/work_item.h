// SPDX-License-Identifier: Apache-2.0
// A claimed work item as the page keeps it: a copy of belfry_claimed, its strings and lists included. Recycled with its
// page.
#pragma once

#include <belfry/queue.h>
#include <belfry/abi.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace belfry::delivery {

struct WorkMember {
    uint32_t index = 0, flags = 0, attempt = 1;
    std::string app, uid, body, blob;
    std::vector<int64_t> keys;
    std::vector<uint32_t> picks;
    int64_t expires_unix_ms = 0;
};

struct WorkItem {
    belfry_claimed row{};  // its strings and lists are void; use the members below
    std::string app, uid;
    std::vector<int64_t> keys;
    std::vector<uint32_t> picks;
    std::vector<WorkMember> members;

    bool stopped() const noexcept { return (row.flags & BELFRY_CLAIMED_STOPPED) != 0; }
    // Its entries are not counted in `planned` yet.
    bool initial() const noexcept { return row.kind != BELFRY_WORK_LIST || (row.flags & BELFRY_CLAIMED_INITIAL) != 0; }

    void assign(const belfry_claimed& claimed) {
        row = claimed;
        app = text(claimed.app);
        uid = text(claimed.uid);
        copy(claimed.keys, keys);
        copy(claimed.picks, picks);
        members.clear();
        for (size_t i = 0; i < claimed.members.n; ++i) {
            const belfry_member from = Rows<belfry_member>(claimed.members).known(i);
            WorkMember& member = members.emplace_back();
            member.index = from.index;
            member.flags = from.flags;
            member.attempt = from.attempt;
            member.app = text(from.app);
            member.uid = text(from.uid);
            member.body = text(from.body);
            member.blob = text(from.blob);
            copy(from.keys, member.keys);
            copy(from.picks, member.picks);
            member.expires_unix_ms = from.expires_unix_ms;
        }
        row.app = row.uid = belfry_str{};
        row.keys = row.picks = row.members = belfry_list{};
    }

private:
    template <class T>
    static void copy(belfry_list from, std::vector<T>& to) {
        to.clear();
        to.reserve(from.n);
        for (const T& value : Rows<T>(from)) to.push_back(value);
    }
};

}  // namespace belfry::delivery
