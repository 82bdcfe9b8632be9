// SPDX-License-Identifier: Apache-2.0
#include "directory.h"

namespace belfry::queue_sqlite {

Known Directory::find(uint32_t app, std::string_view uid) {
    if (app == 0) return {};
    for (const UidRef& ref : uids_.find(app, uid)) {
        if (const Known known = look_at(ref, app, uid)) return known;
    }
    return {};
}

Known Directory::look_at(const UidRef& ref, uint32_t app, std::string_view uid) {
    Known known;
    int64_t push = ref.ref;
    if (ref.member >= 0) {
        const auto index = static_cast<uint32_t>(ref.member);
        BundleRow* bundle = book_.bundle(ref.ref);
        if (bundle == nullptr || index >= bundle->results.size()) return {};
        const MemberResult& member = bundle->results[index];
        if (member.app != app || member.uid != uid) return {};
        if (member.moved_to == 0) return {nullptr, bundle, &member, index};
        push = member.moved_to;
    }
    known.push = book_.push(push);
    if (known.push == nullptr) return {};
    const PushFacts& facts = *known.push->facts;
    return facts.app == app && facts.uid == uid ? known : Known{};
}

}  // namespace belfry::queue_sqlite
