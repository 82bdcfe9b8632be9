// SPDX-License-Identifier: Apache-2.0
// Finds the slot of an open stream by its id: a hash table with open addressing that never keeps what is gone.
// Threads: [loop].
#pragma once

#include <cstdint>
#include <vector>

namespace belfry::http {

class StreamTable {
public:
    static constexpr uint32_t kNone = UINT32_MAX;

    StreamTable() : places_(kPlaces) {}

    void insert(int32_t id, uint32_t slot) {
        if ((used_ + 1) * 2 > places_.size()) grow();
        put(id, slot);
        ++used_;
    }
    uint32_t find(int32_t id) const noexcept {
        for (size_t at = home(id); places_[at].id != 0; at = next(at)) {
            if (places_[at].id == id) return places_[at].slot;
        }
        return kNone;
    }
    // The id is there.
    void erase(int32_t id) noexcept {
        size_t hole = home(id);
        while (places_[hole].id != id) hole = next(hole);
        // Those behind it that would not be found any more move up.
        for (size_t at = next(hole); places_[at].id != 0; at = next(at)) {
            const size_t mask = places_.size() - 1;
            if (((at - home(places_[at].id)) & mask) < ((at - hole) & mask)) continue;
            places_[hole] = places_[at];
            hole = at;
        }
        places_[hole] = {};
        --used_;
    }

private:
    struct Place {
        int32_t id = 0;  // 0: free
        uint32_t slot = 0;
    };
    static constexpr size_t kPlaces = 256;  // a power of two; at most half of them are used

    // Spread, because ids that follow each other would make one long row, all of which erase would have to walk.
    size_t home(int32_t id) const noexcept {
        return (static_cast<uint32_t>(id) * 2654435769u >> 16) & (places_.size() - 1);
    }
    size_t next(size_t at) const noexcept { return (at + 1) & (places_.size() - 1); }
    void put(int32_t id, uint32_t slot) noexcept {
        size_t at = home(id);
        while (places_[at].id != 0) at = next(at);
        places_[at] = {id, slot};
    }
    void grow() {
        std::vector<Place> old(places_.size() * 2);
        old.swap(places_);
        for (const Place& place : old) {
            if (place.id != 0) put(place.id, place.slot);
        }
    }

    std::vector<Place> places_;
    size_t used_ = 0;
};

}  // namespace belfry::http
