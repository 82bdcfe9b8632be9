// SPDX-License-Identifier: Apache-2.0
#include "audience/slots.h"

#include <algorithm>

#include "base/json.h"

namespace belfry::audience {
namespace {

constexpr int kRaces = 16;  // other nodes that may number a name first before we give up

std::string write(const std::vector<std::string>& names) {
    std::string text = "[";
    for (const std::string& name : names) {
        text += text.size() > 1 ? ",\"" : "\"";
        json::escape_to(name, text);
        text += '"';
    }
    return text + "]";
}

}  // namespace

Result<uint8_t> Slots::slot_of(std::string_view name) {
    const std::lock_guard lock(mutex_);
    for (int race = 0; race < kRaces; ++race) {
        const auto it = std::find(names_.begin(), names_.end(), name);
        if (it != names_.end()) return static_cast<uint8_t>(it - names_.begin());
        if (names_.size() >= kSlotShared) return kSlotShared;
        // The first round looks what the store has; from then on a conflict did so.
        const Status next = race == 0 ? read() : append(name);
        if (!next && next.error().code == ErrorCode::Conflict) {
            const Status again = read();
            if (!again) return again.error();
        } else if (!next) {
            return next.error();
        }
    }
    return error(ErrorCode::Conflict, "other nodes number providers at the same time; try again");
}

Status Slots::read() {
    Result<plugins::KvValue> stored = storage_.kv_get(kSlotsKey);
    if (!stored) return stored.error();
    if (stored->version == 0) return {};
    if (!json::check(stored->value)) {
        return error(ErrorCode::Corrupt, "the list of provider slots is no JSON; restore the storage",
                     std::string(kSlotsKey));
    }
    std::vector<std::string> names;
    for (const json::Entry& entry : json::Entries(json::root(stored->value)))
        names.push_back(json::unescape(entry.value));
    names_ = std::move(names);
    version_ = stored->version;
    return {};
}

Status Slots::append(std::string_view name) {
    std::vector<std::string> names = names_;
    names.emplace_back(name);
    const Status written = storage_.kv_put(kSlotsKey, write(names), version_);
    if (!written) return written;
    names_ = std::move(names);
    ++version_;
    return {};
}

}  // namespace belfry::audience
