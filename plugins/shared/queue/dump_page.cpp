// SPDX-License-Identifier: Apache-2.0
#include "queue/dump_page.h"

#include <belfry/services.hpp>
#include <charconv>

namespace belfry::queue_parts {

namespace {

// What refers to a push comes behind it; bundles are last, see record.h.
constexpr std::string_view kOrder = "ptwldu";

}  // namespace

DumpPlace DumpPlace::parse(std::string_view cursor) {
    if (cursor.empty()) return {};
    DumpPlace place;
    const char* last = cursor.data() + cursor.size();
    auto read = std::from_chars(cursor.data() + 1, last, place.id);
    if (read.ec == std::errc{} && read.ptr != last && *read.ptr == '.')
        read = std::from_chars(read.ptr + 1, last, place.sub);
    if (kOrder.find(cursor.front()) == std::string_view::npos || read.ec != std::errc{} || read.ptr != last) {
        throw Refused(BELFRY_BAD_REQUEST, "cursor", "is none of a dump; begin again without one");
    }
    place.part = static_cast<Part>(cursor.front());
    return place;
}

std::string DumpPlace::text() const {
    const std::string behind = static_cast<char>(part) + std::to_string(id);
    return sub == 0 ? behind : behind + "." + std::to_string(sub);
}

bool DumpPlace::go_on() {
    const size_t next = kOrder.find(static_cast<char>(part)) + 1;
    if (next == kOrder.size()) return false;
    *this = {static_cast<Part>(kOrder[next])};
    return true;
}

}  // namespace belfry::queue_parts
