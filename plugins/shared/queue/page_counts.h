// SPDX-License-Identifier: Apache-2.0
// What a checkpoint counts, for queues that gather their changes in a `Writes` with count(push, gate, outcome, n) and
// sample(push, gate, outcome, text).
//
// Threads: those of the Writes.
#pragma once

#include <belfry/queue.h>
#include <belfry/abi.hpp>

#include <cstdint>

#include "queue/bundle.h"

namespace belfry::queue_parts {

template <class Writes>
void count_page(Writes& writes, const belfry_checkpoint& checkpoint, int64_t push) {
    writes.count(push, 0, kPlanned, checkpoint.planned);
    for (const belfry_tally& tally : Rows<belfry_tally>(checkpoint.tallies))
        writes.count(push, tally.gate, tally.outcome, tally.n);
    for (const belfry_sample& sample : Rows<belfry_sample>(checkpoint.samples))
        writes.sample(push, sample.gate, sample.outcome, view(sample.text));
}

// By member; of one that became a push of its own, to that push. What was purged counts nowhere.
template <class Writes, class Bundle>
void count_members(Writes& writes, const belfry_checkpoint& checkpoint, Bundle& bundle) {
    const auto count = [&](const belfry_tally& tally, int32_t outcome) {
        if (tally.member >= bundle.results.size()) return;
        MemberResult& result = bundle.results[tally.member];
        if (result.moved_to > 0) {
            writes.count(result.moved_to, tally.gate, outcome, tally.n);
        } else if (result.moved_to == 0 && outcome == kPlanned) {
            result.counters.planned += tally.n;
        } else if (result.moved_to == 0) {
            result.counters.add(tally.gate, outcome, tally.n);
        }
    };
    for (const belfry_tally& planned : Rows<belfry_tally>(checkpoint.planned_of)) count(planned, kPlanned);
    for (const belfry_tally& tally : Rows<belfry_tally>(checkpoint.tallies)) count(tally, tally.outcome);
    for (const belfry_sample& sample : Rows<belfry_sample>(checkpoint.samples)) {
        if (sample.member >= bundle.results.size()) continue;
        MemberResult& result = bundle.results[sample.member];
        if (result.moved_to > 0) {
            writes.sample(result.moved_to, sample.gate, sample.outcome, view(sample.text));
        } else if (result.moved_to == 0) {
            result.counters.keep_sample(sample.gate, sample.outcome, view(sample.text));
        }
    }
}

}  // namespace belfry::queue_parts
