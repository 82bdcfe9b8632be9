// SPDX-License-Identifier: Apache-2.0
// What can be set about delivery; the defaults are what `belfry serve` uses.
#pragma once

#include <cstddef>
#include <cstdint>

#include "policy/backoff.h"

namespace belfry::delivery {

struct Options {
    unsigned workers = 2;        // page workers; one more works only for `high`
    uint32_t page_slots = 48;    // pages in flight
    uint32_t page_rows = 1'000;  // devices per page at most
    policy::AttemptPolicy attempts;

    int64_t straggler_after_ms = 500;    // a page waits at least so long for its last answers
    uint32_t straggler_percent = 5;      // and leaves at most this share of them behind
    uint32_t straggler_pages_max = 256;  // settled pages that still wait for such answers
    int64_t unsent_ms = 5'000;           // what is not written by then is returned
    int64_t answer_ms = 15'000;          // time-out of an answer, from the write
    int64_t hard_stop_ms = 20'000;       // of a page

    uint32_t live_items_max = 64;         // work items a slice splits into
    uint32_t low_after_devices = 10'000;  // a push by filter moves to lane `low` once so many matched

    size_t enqueue_waiting_max = 20'000;  // pushes waiting for the batcher
    size_t enqueue_waiting_bytes_max = 64u << 20;
    size_t enqueue_batch_max = 500;
    size_t enqueue_batch_bytes_max = 4u << 20;  // of more than one push
    size_t blob_cache_bytes = 16u << 20;        // bodies and token blobs
    size_t prepared_cache_max = 1'024;          // prepared pushes

    int64_t changes_ms = 200;  // how often stopped pushes are asked for
    int64_t beat_ms = 3'000;
    // Where queues have leases: how long a sign of life lets pushes be stored (less than any lease), and how long they
    // wait for the next.
    int64_t beat_good_ms = 9'000;
    int64_t beat_awaited_ms = 5'000;
    int64_t idle_claim_ms = 50;  // longest wait between claims while nothing is ready
    int64_t stop_answers_ms = 5'000;
    int64_t stop_total_ms = 15'000;
};

}  // namespace belfry::delivery
