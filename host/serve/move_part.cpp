// SPDX-License-Identifier: Apache-2.0
#include "serve/move_part.h"

#include <cstring>

#include "crypto/hash.h"
#include "serve/move_marks.h"

namespace belfry::serve {

namespace {

// The marks of a migration are about one store and stay in it. Records of the cluster's state: docs/abi.md.
bool is_mark(std::string_view record) {
    static_assert(kMovedKey.size() < 128 && kArrivingKey.size() < 128, "one byte says the length");
    if (record.size() < 2 || record[0] != 'K') return false;
    const std::string_view rest = record.substr(2, static_cast<unsigned char>(record[1]));
    return rest == kMovedKey || rest == kArrivingKey;
}

}  // namespace

void Sum::add(std::string_view record) {
    const crypto::Digest digest = crypto::sha256(record);
    for (size_t i = 0; i < of.size(); ++i) {
        uint64_t part = 0;
        std::memcpy(&part, digest.data() + i * sizeof part, sizeof part);
        of[i] += part;
    }
    ++records;
}

bool is_sequence(std::string_view record) {
    return record.starts_with('N');
}

int64_t next_sequence_of(std::string_view record) {
    constexpr unsigned kBitsPerByte = 7;
    uint64_t next = 0;
    if (!is_sequence(record)) return 0;
    for (size_t i = 1; i < record.size() && i * kBitsPerByte <= 63; ++i) {
        const auto byte = static_cast<unsigned char>(record[i]);
        next |= uint64_t{byte & 0x7fU} << ((i - 1) * kBitsPerByte);
        if (byte < 0x80) break;
    }
    return static_cast<int64_t>(next);
}

Result<Page> read_page(Stores& stores, const Part& part, uint32_t limit) {
    Page page;
    const auto keep = [&](const belfry_str& record) {
        ++page.seen;
        if (part.what != kState || !is_mark(view(record))) page.records.push_back(text(record));
    };
    if (part.what == kQueue) {
        Result<std::string> next = stores.queue().dump(part.cursor, limit, keep);
        if (!next) return next.error();
        page.next = std::move(*next);
        return page;
    }
    auto paging = sized<belfry_paging>();
    paging.limit = limit;
    paging.cursor = str(std::string_view(part.cursor));
    const Result<plugins::ListEnd> end = stores.storage().dump(part.app, paging, keep);
    if (!end) return end.error();
    if (end->more) page.next = end->cursor;
    return page;
}

Status load_page(Stores& stores, const Part& part, const Page& page) {
    std::vector<belfry_str> rows;
    for (const std::string& record : page.records) rows.push_back(str(std::string_view(record)));
    if (rows.empty()) return {};
    return part.what == kQueue ? stores.queue().load(rows) : stores.storage().load(part.app, rows);
}

}  // namespace belfry::serve
