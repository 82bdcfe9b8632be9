// SPDX-License-Identifier: Apache-2.0
// Numbers the wire names of providers: the top 8 bits of device keys, so that devices of one provider lie together.
//
// The numbers are cluster state, appended to one list with compare-and-set and never changed; a node learns of
// another's by reading again. After 255 names the rest share the last slot: slots only cluster, a row's provider
// decides. Threads: [any], may block for the storage when a name is new.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plugins/storage.h"

namespace belfry::audience {

inline constexpr std::string_view kSlotsKey = "audience/slots";  // value: JSON list of names, the index is the slot
inline constexpr uint8_t kSlotShared = 255;

class Slots {
public:
    explicit Slots(plugins::Storage& storage) : storage_(storage) {}
    Result<uint8_t> slot_of(std::string_view name);

private:
    Status read();
    Status append(std::string_view name);

    plugins::Storage& storage_;
    std::mutex mutex_;
    std::vector<std::string> names_;
    int64_t version_ = 0;
};

}  // namespace belfry::audience
