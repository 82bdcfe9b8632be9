// SPDX-License-Identifier: Apache-2.0
// The cases of the queue specification by topic. Numbers Q1..Q57 are those of the published list; letters are ours.
//
// Threads: each case runs in a process of its own.
#pragma once

#include <algorithm>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "conformance/queue/driver.h"

namespace belfry::conformance::queue {

std::span<const Case> claim_cases();
std::span<const Case> uid_cases();
std::span<const Case> page_cases();
std::span<const Case> crash_cases();
std::span<const Case> broadcast_cases();
std::span<const Case> time_cases();
std::span<const Case> steer_cases();
std::span<const Case> bundle_cases();
std::span<const Case> fairness_cases();
std::span<const Case> keeping_cases();
std::span<const Case> trouble_cases();
std::span<const Case> lifetime_cases();

std::vector<Case> all_queue_cases();

// The case's configuration with one more member, e.g. R"("backlog_max":5)". Skips the case if the plugin refuses it.
std::string with_member(const Context& context, const std::string& member);

inline std::string numbered(const std::string& prefix, uint64_t n) {
    return prefix + std::to_string(n);
}

// Claims and finishes everything claimable in all lanes; answers what was claimed.
std::vector<Claimed> drain(Queue& queue, const std::vector<uint32_t>& gates = {});

using Clock = std::chrono::steady_clock;
inline double ms_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}
// The p-th part of the sorted samples, e.g. 0.99.
inline double percentile(std::vector<double> samples, double p) {
    if (samples.empty()) return 0;
    std::sort(samples.begin(), samples.end());
    return samples[std::min(samples.size() - 1, static_cast<size_t>(p * static_cast<double>(samples.size())))];
}

}  // namespace belfry::conformance::queue
