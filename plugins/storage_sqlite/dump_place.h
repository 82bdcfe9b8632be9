// SPDX-License-Identifier: Apache-2.0
// The place where the next page of a dump begins.
//
// Threads: [any].
#pragma once

#include "storage_sqlite/codec.h"

namespace belfry::storage {

// Behind a device (owner = its key), behind a bound user (its number), or behind a key of the cluster's state (rank and
// hash).
struct DumpPlace {
    static constexpr char kDevices = 'd';
    static constexpr char kBindings = 'b';
    static constexpr char kState = 'k';
    char part = kDevices;
    PairCursor at;
};

}  // namespace belfry::storage
