// SPDX-License-Identifier: Apache-2.0
#include "delivery/status.h"

#include <belfry/abi.hpp>

#include <iterator>

#include "delivery/verdict_action.h"

namespace belfry::delivery {

namespace {

constexpr std::string_view kStates[] = {"unknown", "delayed", "running", "paused", "done", "cancelled", "expired"};
constexpr std::string_view kLanes[] = {"unknown", "high", "normal", "low"};

}  // namespace

std::string_view word_of_state(int32_t state) {
    return state > 0 && static_cast<size_t>(state) < std::size(kStates) ? kStates[state] : kStates[0];
}

int32_t state_of_word(std::string_view word) {
    for (size_t i = 1; i < std::size(kStates); ++i) {
        if (kStates[i] == word) return static_cast<int32_t>(i);
    }
    return 0;
}

std::string_view word_of_lane(int32_t lane) {
    return lane > 0 && static_cast<size_t>(lane) < std::size(kLanes) ? kLanes[lane] : kLanes[0];
}

PushStatus status_of(const belfry_push_row& row, const Gates& gates, const Progress& progress, const Clock& clock) {
    PushStatus status;
    status.uid = text(row.uid);
    status.state = word_of_state(row.state);
    status.lane = word_of_lane(row.lane);
    status.planned = row.planned;
    status.planned_final = row.planned_final != 0;
    for (size_t i = 0; i < row.tallies.n; ++i) {
        const belfry_tally tally = Rows<belfry_tally>(row.tallies).known(i);
        status.outcomes.push_back({gates.name_of(tally.gate), std::string(word_of_outcome(tally.outcome)), tally.n});
    }
    for (size_t i = 0; i < row.samples.n; ++i)
        status.samples.push_back(text(Rows<belfry_sample>(row.samples).known(i).text));
    status.created_unix_ms = row.created_unix_ms;
    status.send_at_unix_ms = row.send_at_unix_ms;
    status.expires_unix_ms = row.expires_unix_ms;
    status.finished_unix_ms = row.finished_unix_ms;
    if (row.state == BELFRY_PUSH_RUNNING && row.range_left > 0) {
        status.eta_ms =
            progress.eta_ms(audience::hash_of({view(row.app), view(row.uid)}), row.range_left, clock.mono_ns());
    }
    return status;
}

}  // namespace belfry::delivery
