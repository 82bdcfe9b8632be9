// SPDX-License-Identifier: Apache-2.0
// A push's counters packed close, as bundles and records of dumps have them.
//
// Threads: [any].
#pragma once

#include "queue/counters.h"
#include "queue/packing.h"

namespace belfry::queue_parts {

void small_counters(Packer& out, const Counters& counters);
Counters unpack_small_counters(Unpacker& in);

}  // namespace belfry::queue_parts
