// SPDX-License-Identifier: Apache-2.0
// How pages begin and end: for lists and dumps.
//
// Threads: [any].
#pragma once

#include <belfry/storage.h>

#include <belfry/services.hpp>
#include <cstdio>
#include <string>

namespace belfry::storage {

[[noreturn]] inline void refuse_cursor() {
    throw Refused(BELFRY_BAD_REQUEST, "cursor", "not a cursor of this list; start without one");
}

inline void put_cursor(const std::string& text, belfry_page_end* end) {
    end->more = 1;
    std::snprintf(end->cursor, sizeof end->cursor, "%s", text.c_str());
}

inline void start_page(const belfry_paging& paging, belfry_page_end* end) {
    if (paging.limit == 0) throw Refused(BELFRY_BAD_REQUEST, "limit", "a page has at least one row");
    end->more = 0;
    end->total = paging.want_total != 0 ? 0 : -1;
    end->cursor[0] = '\0';
}

}  // namespace belfry::storage
