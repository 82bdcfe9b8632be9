// SPDX-License-Identifier: Apache-2.0
// Finds the push that a uid stands for now, packed or not: the UidIndex says where to look, the rows decide.
//
// Threads: the writer's; what it answers is valid to the end of the turn, or to Book::forget_loaded.  Owner: Core.
#pragma once

#include <cstdint>
#include <string_view>

#include "book.h"
#include "uid_index.h"

namespace belfry::queue_sqlite {

// Nothing, a push, or a member of a bundle.
struct Known {
    Push* push = nullptr;
    BundleRow* bundle = nullptr;           // null as well for a bundle that this transaction has not written yet
    const MemberResult* member = nullptr;  // in bundle->results
    uint32_t index = 0;                    // of the member

    explicit operator bool() const noexcept { return push != nullptr || member != nullptr; }
    int32_t state() const noexcept { return push != nullptr ? push->state : member->state; }
    int64_t finished_unix_ms() const noexcept {
        return push != nullptr ? push->finished_unix_ms : member->finished_unix_ms;
    }
    const Fingerprint& fingerprint() const noexcept {
        return push != nullptr ? push->facts->fingerprint : member->fingerprint;
    }
};

class Directory {
public:
    Directory(UidIndex& uids, Book& book) : uids_(uids), book_(book) {}

    Known find(uint32_t app, std::string_view uid);
    // Nothing, if what `ref` says is gone or another's.
    Known look_at(const UidRef& ref, uint32_t app, std::string_view uid);

private:
    UidIndex& uids_;
    Book& book_;
};

}  // namespace belfry::queue_sqlite
