// SPDX-License-Identifier: Apache-2.0
// A queue's row of a push as the API shows it.
// Threads: [any].
#pragma once

#include <belfry/queue.h>

#include "delivery/delivery.h"
#include "delivery/gates.h"
#include "delivery/progress.h"

namespace belfry::delivery {

// "delayed", "running", ...; "unknown" for anything else.
std::string_view word_of_state(int32_t belfry_push_state);
// 0: not a word of a state.
int32_t state_of_word(std::string_view word);
std::string_view word_of_lane(int32_t belfry_lane);

PushStatus status_of(const belfry_push_row& row, const Gates& gates, const Progress& progress, const Clock& clock);

}  // namespace belfry::delivery
